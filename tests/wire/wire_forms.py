"""The table of the forms, as it stands in docs/servers.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.testing.deepseek.forms import KINDS, Form

BEGIN, END = "<!-- forms -->", "<!-- end of forms -->"
USUAL_TOKENS = (20, 10)
"""Input and output tokens of most forms, which a row does not repeat."""


def table_of(forms: Iterable[Form]) -> str:
    """The forms as they stand in docs/servers.md, between two marks."""
    forms, lines = list(forms), [BEGIN]
    for kind, what in KINDS.items():
        of_kind = [form for form in forms if form.kind == kind]
        lines += ["", f"### {kind.capitalize()} ({len(of_kind)})", "", what, ""]
        lines += ["| form | server | what it does | what we tell |", "| --- | --- | --- | --- |"]
        lines += [_row(form) for form in sorted(of_kind, key=lambda form: form.name)]
    return "\n".join([*lines, "", END])


def _row(form: Form) -> str:
    server = f"{form.server}; ran: {form.ran}" if form.ran else form.server
    cells = (
        f"[`{form.name}`](../harness/testing/forms/{form.name}.toml)",
        server,
        form.about,
        _told(form),
    )
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
    if not usage:
        parts.append("no usage")
    elif (usage.get("input"), usage.get("output")) != USUAL_TOKENS:
        parts.append(f"{usage.get('input', 0)} in, {usage.get('output', 0)} out")
    if told["estimated"]:
        parts.append("reasoning estimated")
    if told["cost"] is not None:
        parts.append(f"cost {told['cost']:g} USD")
    if told["doubt"]:
        parts.append("kept, and its topic degraded")
    return ", ".join(parts)
