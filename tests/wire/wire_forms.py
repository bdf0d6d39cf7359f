"""The forms: one file each that says how a server answers, and what a client must tell of it.

A file is TOML. `server` is who answers so, `kind` what is odd, `about` in a sentence how, `source` who says so. Of
`stream` and `whole` there is at least one: the bytes of the body where a stream was asked for, and where it was not.
`[tells]` is what must be told of both; `[tells.stream]` and `[tells.whole]` rule where they differ. What a form does
not name must be as it is by default: no reasoning, no call, no error. `likely` are tokens, each with its
likelihood and the others beside it: where a form tells of them, they are asked for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

FORMS = Path(__file__).parent / "forms"

Manner = Literal["stream", "whole"]
MANNERS: tuple[Manner, ...] = ("stream", "whole")

KINDS: Mapping[str, str] = {
    "as it should be": "Nothing is odd: what must stay as it is.",
    "envelope": "What lies around an answer: heartbeats, content types, headers, wrappers, typed parts.",
    "end": "How an answer ends, and why.",
    "refusal": "The model declines, or a filter withholds the prompt or the answer.",
    "error": "An error under an error's status, and one under status 200, whole or in a stream.",
    "usage": "Tokens and costs, wherever they stand, and what is not told.",
    "reasoning": "Reasoning, in whatever field, part or tag.",
    "calls": "Calls of tools.",
    "gateway": "What a gateway renames, adds or hides.",
}

_FIELDS = frozenset(
    {"server", "kind", "about", "source", "ran", "status", "headers", "offers", "stream", "whole", "tells"}
)
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


@dataclass(frozen=True, kw_only=True)
class Form:
    """One file. `told` says what must be told, by the manner in which the answer was asked for."""

    name: str
    server: str
    kind: str
    about: str
    source: str
    bodies: Mapping[Manner, str]
    told: Mapping[Manner, Mapping[str, Any]]
    ran: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    offers: tuple[str, ...] = ()


def all_forms() -> list[Form]:
    return [form_of(path) for path in sorted(FORMS.glob("*.toml"))]


def form_of(path: Path) -> Form:
    """Raises ValueError where a file does not say what a form must."""
    fields = tomllib.loads(path.read_text(encoding="utf-8"))
    unknown = fields.keys() - _FIELDS
    missing = {"server", "kind", "about", "source", "tells"} - fields.keys()
    if unknown or missing:
        raise ValueError(f"{path.name}: unknown {sorted(unknown)}, missing {sorted(missing)}")
    manners = [manner for manner in MANNERS if manner in fields]
    if not manners or fields["kind"] not in KINDS:
        raise ValueError(f"{path.name}: it needs `stream` or `whole`, and one of these kinds: {', '.join(KINDS)}")
    tells = fields["tells"]
    both = {name: value for name, value in tells.items() if name not in ("stream", "whole")}
    told = {manner: {**_TOLD, **both, **tells.get(manner, {})} for manner in manners}
    for manner in manners:
        wrong = told[manner].keys() - _TOLD.keys()
        if wrong:
            raise ValueError(f"{path.name}: [tells] has no {sorted(wrong)}")
    return Form(
        name=path.stem,
        server=fields["server"],
        kind=fields["kind"],
        about=fields["about"],
        source=fields["source"],
        ran=fields.get("ran"),
        status=fields.get("status", 200),
        headers=fields.get("headers", {}),
        offers=tuple(fields.get("offers", ())),
        bodies={manner: fields[manner] for manner in manners},
        told=told,
    )


BEGIN, END = "<!-- forms -->", "<!-- end of forms -->"


def table_of(forms: list[Form]) -> str:
    """The forms as they stand in docs/servers.md, between two marks."""
    lines = [BEGIN]
    for kind, what in KINDS.items():
        of_kind = [form for form in forms if form.kind == kind]
        lines += ["", f"### {kind.capitalize()} ({len(of_kind)})", "", what, ""]
        lines += ["| form | server | what it does | what we tell | source |", "| --- | --- | --- | --- | --- |"]
        lines += [_row(form) for form in sorted(of_kind, key=lambda form: form.name)]
    return "\n".join([*lines, "", END])


def _row(form: Form) -> str:
    source = f"{form.source}; ran: {form.ran}" if form.ran else form.source
    cells = (f"`{form.name}`", form.server, form.about, _told(form), source)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _told(form: Form) -> str:
    said = list(dict.fromkeys(_told_so(told) for told in form.told.values()))
    if len(said) == 1:
        return said[0]
    return f"streamed: {said[0]}; whole: {said[1]}"


def _told_so(told: Mapping[str, Any]) -> str:
    if told["error"]:
        wait = f", asked again after {told['wait_s']:g} s" if told["wait_s"] else ""
        return f"error: {told['error']}{wait}"
    parts = [told["finish"]]
    if told["reasoning"]:
        parts.append("reasoning told apart")
    if told["calls"]:
        parts.append(f"{len(told['calls'])} call{'s' if len(told['calls']) > 1 else ''}")
    usage = told["usage"]
    if usage:
        parts.append(f"{usage.get('input', 0)} in, {usage.get('output', 0)} out")
    if told["estimated"]:
        parts.append("reasoning estimated")
    if told["cost"] is not None:
        parts.append(f"cost {told['cost']:g} USD")
    if told["doubt"]:
        parts.append("kept, and its topic degraded")
    return ", ".join(parts)
