"""TOML files from users: read with their line numbers kept, checked table by table, nearest names suggested."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.domain.completion import Effort
from harness.domain.options import StepOptions
from harness.errors import InputError

Model = TypeVar("Model", bound=BaseModel)

MAX_FILE_BYTES = 4 * 1024 * 1024


class StepTable(BaseModel):
    """The options of one step as a table of a file."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: Annotated[str, Field(min_length=1)] | None = None
    thinking: bool | None = None
    effort: Effort | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stream: bool | None = None

    def options(self) -> StepOptions:
        return StepOptions(**self.model_dump())


def read_toml(path: Path, error: type[InputError]) -> tuple[dict[str, Any], bytes]:
    """The tables of a file and its bytes. Raises `error` naming the file, and the line where TOML is broken."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as cause:
        raise error(f"{path}: cannot be read: {cause.strerror or cause}; expected a TOML file") from cause
    if len(raw) > MAX_FILE_BYTES:
        raise error(f"{path}: larger than {MAX_FILE_BYTES // 2**20} MiB; expected a TOML file of settings or prompts")
    try:
        text = raw.decode("utf-8-sig")
        return tomllib.loads(text), raw
    except UnicodeDecodeError as cause:
        line = raw.count(b"\n", 0, cause.start) + 1
        raise error(f"{path}:{line}: not UTF-8 (byte 0x{raw[cause.start]:02x}); save the file as UTF-8") from cause
    except tomllib.TOMLDecodeError as cause:
        raise error(f"{path}: not valid TOML: {cause}") from cause
    except RecursionError as cause:
        raise error(f"{path}: nested too deeply for a file of settings or prompts") from cause


def checked(model: type[Model], table: Mapping[str, Any], *, where: str, error: type[InputError]) -> Model:
    """The table as a model. Raises `error` with one line for each thing wrong, each beginning with `where`."""
    try:
        return model.model_validate(table)
    except ValidationError as invalid:
        names = list(model.model_fields)
        raise error("\n".join(complaint(where, detail, names) for detail in invalid.errors())) from None


def complaint(where: str, detail: Mapping[str, Any], known: Iterable[str]) -> str:
    """One finding of pydantic as one line in our words."""
    name = ".".join(str(part) for part in detail["loc"] if isinstance(part, (str, int)))
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown setting {name!r}{suggestion(name, known)}"
    return f"{where}: {name} = {_short(detail.get('input'))}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known name, else the list of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
