"""The forms: one file each that says how some server answers, and what a client must tell of it.

They stand in `harness/testing/forms/`. A file is TOML. `server` is who answers so, `kind` what is
odd, `about` in a sentence how, `source` who says so, `ran` the version that was run. Of `stream`
and `whole` there is at least one: the bytes of the body where a stream was asked for, and where it
was not. `status`, `[headers]` and `offers` (the tools that the request offers) are as usual where
they are left out. `[tells]` is what must be told of both bodies; `[tells.stream]` and
`[tells.whole]` rule where they differ. What it does not name must be as it is by default: no
reasoning, no call, no error. `likely` are tokens, each with its likelihood and the others beside
it: where a form tells of them, they are asked for.

A file of one's own needs no more than a body.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.errors import SettingsError

FORMS = Path(__file__).parents[1] / "forms"

Manner = Literal["stream", "whole"]
MANNERS: tuple[Manner, ...] = ("stream", "whole")

KINDS: Mapping[str, str] = {
    "as it should be": "Nothing is odd: what must stay as it is.",
    "envelope": (
        "What lies around an answer: heartbeats, content types, headers, wrappers, typed parts."
    ),
    "end": "How an answer ends, and why.",
    "refusal": "The model declines, or a filter withholds the prompt or the answer.",
    "error": "An error under an error's status, and one under status 200, whole or in a stream.",
    "usage": "Tokens and costs, wherever they stand, and what is not told.",
    "reasoning": "Reasoning, in whatever field, part or tag.",
    "calls": "Calls of tools.",
    "gateway": "What a gateway renames, adds or hides.",
}

# The fields of a file, each with the type that its value must have.
_FIELDS: Mapping[str, type] = {
    "server": str,
    "kind": str,
    "about": str,
    "source": str,
    "ran": str,
    "status": int,
    "headers": dict,
    "offers": list,
    "stream": str,
    "whole": str,
    "tells": dict,
}
_TOLD: Mapping[str, Any] = {
    "content": "",
    "reasoning": "",
    "calls": (),
    "finish": "stop",
    "usage": None,
    "estimated": False,
    "cost": None,
    "trace": None,
    "model": None,
    "doubt": False,
    "error": None,
    "words": "",
    "reach": None,
    "wait_s": None,
    "likely": (),
    "likely_reasoning": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One file.

    `told` says what must be told, by the manner in which the answer was asked for; {}: it does not
    say.
    """

    name: str
    server: str = ""
    kind: str = ""
    about: str = ""
    source: str = ""
    ran: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    offers: tuple[str, ...] = ()
    bodies: Mapping[Manner, str] = field(hash=False)
    told: Mapping[Manner, Mapping[str, Any]] = field(hash=False)

    def __str__(self) -> str:
        return self.name


def form_names() -> list[str]:
    """The names of the forms that the package knows."""
    return sorted(path.stem for path in FORMS.glob("*.toml"))


def all_forms() -> list[Form]:
    """The forms that the package knows, by name."""
    return [form_of(FORMS / f"{name}.toml") for name in form_names()]


def form_of(path: Path) -> Form:
    """The form in a file.

    Raises SettingsError, which names the file, where it cannot be read or is no form.
    """
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: a form is a file of TOML: {error}") from None
    _check_fields(path, fields)
    bodies: dict[Manner, str] = {}
    told: dict[Manner, Mapping[str, Any]] = {}
    for manner in MANNERS:
        if manner in fields:
            bodies[manner] = fields[manner]
            if "tells" in fields:
                told[manner] = _told(path, manner, fields["tells"])
    if not bodies:
        raise SettingsError(f"{path}: a form needs `stream` or `whole`, the body of a response")
    return Form(
        name=path.stem,
        server=fields.get("server", ""),
        kind=fields.get("kind", ""),
        about=fields.get("about", ""),
        source=fields.get("source", ""),
        ran=fields.get("ran"),
        status=fields.get("status", 200),
        headers=fields.get("headers", {}),
        offers=tuple(fields.get("offers", ())),
        bodies=bodies,
        told=told,
    )


def _check_fields(path: Path, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        kind = _FIELDS.get(name)
        if kind is None:
            near = difflib.get_close_matches(name, _FIELDS, n=1)
            if near:
                hint = f"; did you mean `{near[0]}`?"
            else:
                hint = f"; known are {', '.join(_FIELDS)}"
            raise SettingsError(f"{path}: a form has no `{name}`{hint}")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise SettingsError(f"{path}: `{name}` must be of TOML's type {_TYPE_NAMES[kind]}")
    if not all(isinstance(value, str) for value in fields.get("headers", {}).values()):
        raise SettingsError(f"{path}: each of [headers] must be a string")
    if not 100 <= fields.get("status", 200) <= 599:
        raise SettingsError(f"{path}: `status` must be an HTTP status, from 100 to 599")
    if "kind" in fields and fields["kind"] not in KINDS:
        raise SettingsError(f"{path}: `kind` must be one of: {', '.join(KINDS)}")


_TYPE_NAMES: Mapping[type, str] = {str: "string", int: "integer", dict: "table", list: "array"}


def _told(path: Path, manner: Manner, tells: Mapping[str, Any]) -> Mapping[str, Any]:
    both = {name: value for name, value in tells.items() if name not in MANNERS}
    told = {**_TOLD, **both, **tells.get(manner, {})}
    if wrong := sorted(told.keys() - _TOLD.keys()):
        raise SettingsError(
            f"{path}: [tells] has no {', '.join(wrong)}; known are {', '.join(_TOLD)}"
        )
    return told
