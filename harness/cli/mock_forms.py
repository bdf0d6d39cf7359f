"""`harness mock forms`: what the mock can play, a line each."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from harness.cli.output import say, say_json
from harness.errors import InputError
from harness.render.plain import aligned_row

if TYPE_CHECKING:
    from harness.testing.deepseek.forms import Form

_OF_NOBODY = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One that can be played. `server`: whose it is, "" for a fault; `plays`: what the client is to
    make of it.
    """

    name: str
    kind: str
    server: str
    about: str
    plays: str
    source: str = ""
    ran: str | None = None

    def has(self, words: list[str]) -> bool:
        text = f"{self.name} {self.kind} {self.server} {self.about} {self.plays}".lower()
        return all(word in text for word in words)


@click.command()
@click.argument("words", nargs=-1)
@click.option("--json", "json_output", is_flag=True, help="Print JSON for machines.")
def forms(words: tuple[str, ...], json_output: bool) -> None:
    """List what `--faults` can play, with whose it is: faults, and the forms in which servers answer.

    WORDS choose those whose line has all of them: `harness mock forms vllm reasoning`.
    """
    known = _known()
    wanted = [word.lower() for word in words]
    found = [listed for listed in known if listed.has(wanted)]
    if not found:
        near = difflib.get_close_matches("-".join(wanted), [listed.name for listed in known], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; without words all are listed"
        raise InputError(f"no fault and no form has {' '.join(words)!r}{hint}")
    if json_output:
        say_json([asdict(listed) for listed in found])
        return
    _say_all(found)


def _say_all(found: list[_Listed]) -> None:
    from harness.testing.deepseek.forms import KINDS  # noqa: PLC0415 - only those who list the forms pay for it

    headings = {_OF_NOBODY: "What goes wrong, whoever the server is."} | dict(KINDS)
    wide = max(len(listed.name) for listed in found) + 4
    for kind, what in headings.items():
        of_kind = [listed for listed in found if listed.kind == kind]
        if not of_kind:
            continue
        say(f"{kind} ({len(of_kind)}): {what}")
        for listed in of_kind:
            whose = f"{listed.server}: " if listed.server else ""
            plays = f" ({listed.plays})" if listed.plays else ""
            cells = (f"  {listed.name}", f"{whose}{listed.about}{plays}")
            say(aligned_row(cells, (wide - 2, 0)), hanging=wide)
        say("")
    say(
        "play one to every request with --faults NAME, or to a share of them with --faults NAME=0.1"
    )


def _known() -> list[_Listed]:
    from harness.testing.deepseek.forms import all_forms  # noqa: PLC0415 - as above
    from harness.testing.deepseek.meanings import MEANINGS  # noqa: PLC0415 - as above

    faults = [
        _Listed(name=fault.value, kind=_OF_NOBODY, server="", about=about, plays="")
        for fault, about in MEANINGS.items()
    ]
    return faults + [_listed(form) for form in all_forms()]


def _listed(form: Form) -> _Listed:
    return _Listed(
        name=form.name,
        kind=form.kind,
        server=form.server,
        about=form.about,
        plays=_plays(form),
        source=form.source,
        ran=form.ran,
    )


def _plays(form: Form) -> str:
    """Say what comes of it, and in which answers it can be played."""
    from harness.testing.deepseek.filling import ANSWERS  # noqa: PLC0415 - as above

    told = next(iter(form.told.values()))
    said = f"error: {told['error']}" if told["error"] else ""
    if told["calls"]:
        said = "needs a tool that was offered"
    elif not said and told["content"] not in ANSWERS:
        said = "a text of its own"
    if len(form.bodies) == 2 or (told["error"] and "whole" in form.bodies):
        return said
    only = "only streamed" if "stream" in form.bodies else "only with --no-stream"
    return f"{said}, {only}" if said else only
