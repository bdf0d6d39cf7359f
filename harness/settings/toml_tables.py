"""TOML files from users: read, checked table by table, with faults in words."""

from __future__ import annotations

import datetime
import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harness.domain.completion import Effort
from harness.domain.extras import check_extra_body
from harness.domain.step_options import StepOptions
from harness.errors import InputError
from harness.settings.toml_lines import place

Model = TypeVar("Model", bound=BaseModel)

MAX_FILE_BYTES = 4 * 1024 * 1024


def _extra_body(extra: dict[str, Any]) -> dict[str, Any]:
    check_extra_body(extra)
    return extra


class StepTable(BaseModel):
    """The options of one step as a table of a file."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    endpoint: Annotated[str, Field(min_length=1)] | None = None
    model: Annotated[str, Field(min_length=1)] | None = None
    thinking: bool | None = None
    effort: Effort | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stream: bool | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    service_tier: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    extra_body: Annotated[dict[str, Any], AfterValidator(_extra_body)] | None = None

    def options(self) -> StepOptions:
        values = self.model_dump()
        values["extra_body"] = values["extra_body"] or {}
        return StepOptions(**values)


def read_toml(path: Path, error: type[InputError]) -> tuple[dict[str, Any], bytes]:
    """The tables of a file, of JSON values only, and its bytes.

    Raises `error` with the file, and the line if known.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as cause:
        why = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
        raise error(f"{path}: cannot be read: {why}; expected a TOML file") from cause
    if len(raw) > MAX_FILE_BYTES:
        raise error(
            f"{path}: larger than {MAX_FILE_BYTES // 2**20} MiB; expected a TOML file of settings"
            " or prompts"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = raw.count(b"\n", 0, cause.start) + 1
        raise error(
            f"{path}:{line}: not UTF-8 (byte 0x{raw[cause.start]:02x}); save the file as UTF-8"
        ) from cause
    try:
        tables = tomllib.loads(text)
        foreign = next(_foreign_values(tables, ()), None)
    except tomllib.TOMLDecodeError as cause:
        raise error(_broken(path, text, str(cause))) from cause
    except ValueError as cause:  # a number of thousands of digits
        raise error(f"{path}: not valid TOML: {cause}") from cause
    except RecursionError as cause:
        raise error(f"{path}: nested too deeply for a file of settings or prompts") from cause
    if foreign is not None:
        where, problem = foreign
        raise error(f"{place(path, text, where)}: {'.'.join(where)}: {problem}")
    return tables, raw


def checked(
    model: type[Model],
    table: Mapping[str, Any],
    *,
    where: str | Callable[[tuple[str, ...]], str],
    error: type[InputError],
) -> Model:
    """The table as a model. Raises `error` with one line for each thing wrong.

    Each begins with `where`, or with what `where` makes of the path to the value.
    """
    try:
        return model.model_validate(table)
    except ValidationError as invalid:
        raise error(
            "\n".join(dict.fromkeys(_complaint(where, one, model) for one in invalid.errors()))
        ) from None


def _complaint(
    where: str | Callable[[tuple[str, ...]], str], detail: Mapping[str, Any], model: type[BaseModel]
) -> str:
    """One finding of pydantic as one line in our words."""
    path = tuple(str(part) for part in detail["loc"])
    name = ".".join(path)
    begun = where if isinstance(where, str) else where(path)
    if detail["type"] == "extra_forbidden":
        return (
            f"{begun}: unknown setting"
            f" {shown(name)}{suggestion(path[-1], known_at(model, path[:-1]))}"
        )
    if detail["type"] == "missing":
        return f"{begun}: {name} {reason(detail)}"
    return f"{begun}: {name} = {shown(detail.get('input'))}: {reason(detail)}"


def known_at(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    """The names that the table at this path may have."""
    for part in path:
        field = model.model_fields.get(part)
        if field is not None:
            model = next(_models_in(field.annotation), model)
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


_REASONS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text",
    "path_type": "must be the path of a file",
    "string_too_short": "must not be blank",
    "tuple_type": "must be a list of texts",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "missing": "is missing",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least"),
    "less_than_equal": ("le", "must be at most"),
    "greater_than": ("gt", "must be more than"),
    "less_than": ("lt", "must be less than"),
}


def reason(detail: Mapping[str, Any]) -> str:
    """Return the reason why pydantic refused a value, in our words."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        limit = context[bound]
        if limit == int(limit):
            return f"{words} {int(limit):,}"
        return f"{words} {limit:g}"
    if kind == "literal_error":
        return f"must be one of {context['expected']}".replace("'", "")
    if kind == "value_error":
        return str(context["error"])
    return _REASONS.get(kind, f"{detail['msg'][:1].lower()}{detail['msg'][1:]}")


def suggestion(name: str, known: Iterable[str], *, listed: bool = True) -> str:
    """Return `; did you mean 'x'?` for the nearest known name.

    Where none is near, all of them are named if they are few enough to be `listed`.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name[:100], names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    if listed:
        return f"; known: {', '.join(names)}"
    return "; `harness config` lists all that there are"


def shown(value: object) -> str:
    """A value in a message, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    if len(text) <= 60:
        return text
    return f"{text[:57]}..."


def _broken(path: Path, text: str, message: str) -> str:
    found = re.fullmatch(
        r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.DOTALL
    )
    if found is None:
        return f"{path}: not valid TOML: {message}"
    line = found[2] or str(text.count("\n") + 1)
    column = f", column {found[3]}" if found[3] else ", the end of the file"
    return f"{path}:{line}: not valid TOML: {found[1][:1].lower()}{found[1][1:]}{column}"


def _foreign_values(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield values that TOML has and JSON has not.

    Settings are kept as JSON, and none of them is a date.
    """
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _foreign_values(part, (*path, name))
    elif isinstance(value, list):
        for part in value:
            yield from _foreign_values(part, path)
    elif isinstance(value, (datetime.date, datetime.time)):
        yield path, "a date or a time; write it as a text, in quotes"
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, f"{value} is no finite number"
