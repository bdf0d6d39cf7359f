"""`harness cache explain`: why a call was a hit, or why it was asked; or what an entry of the cache
answers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click

from harness.cache.admin import CacheAdmin
from harness.cache.reports import Sound
from harness.cli.help import OWN, SectionedCommand, SectionedOption
from harness.cli.options import loaded_from, settings_options
from harness.cli.output import say_json
from harness.diffs.misses import value_words
from harness.domain.key import request_fields
from harness.errors import InputError, ResultsError
from harness.machine.wall_clock import SystemClock
from harness.records.manifest import read_manifest
from harness.records.run import Run
from harness.records.stored import StoredSpan
from harness.regress.comparing.call_story import CallStory, payer_json, payer_words, story_of
from harness.runs.batch import RESULTS_ROOT
from harness.text.safe import terminal_safe

T = TypeVar("T")

_KEY = re.compile(r"[0-9a-f]{4,64}")
_SHOWN_CALLS = 12


@click.command(cls=SectionedCommand)
@click.argument("what", metavar="KEY|TOPIC/CALL")
@click.option(
    "--run",
    "run",
    cls=SectionedOption,
    section=OWN,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The run whose call is meant.  [default: the newest in results/]",
)
@settings_options("cache", "json_output")
def explain(what: str, run: Path | None, **values: Any) -> None:
    """Explain why a call was a hit, or why it was asked.

    \b
    harness cache explain 9f3a12                             an entry: who paid for it, and what it answers
    harness cache explain tides/research.1/research          a call of the newest run: who had paid, or what changed
    harness cache explain tides/decompose --run results/A    a call of another run

    A call is named by its topic and its id, as `harness show DIR TOPIC` lists it. Without --cache,
    the file is the one that the run used.
    """
    if _KEY.fullmatch(what) and run is None:
        _explain_entries(what, values)
        return
    directory = run if run is not None else newest_run(RESULTS_ROOT)
    story = _story(what, directory, values)
    if values["json_output"]:
        say_json(story.as_json())
    else:
        click.echo(terminal_safe("\n".join(story.lines())))


def newest_run(root: Path) -> Path:
    """The run in `root` that began last. Raises InputError where there is none."""
    found: list[tuple[str, Path]] = []
    for path in root.iterdir() if root.is_dir() else ():
        with suppress(ResultsError):
            found.append((str(read_manifest(path).created_at), path))
    if not found:
        raise InputError(f"there is no run in {root}/; name one with --run DIR")
    return max(found)[1]


def _explain_entries(prefix: str, values: Mapping[str, Any]) -> None:
    settings = loaded_from(values).settings
    for entry in _with(settings.cache, lambda admin: admin.show(prefix)):
        if values["json_output"]:
            say_json(
                {"entry": payer_json(entry.call), "request": _settings_asked(entry)}, indent=None
            )
        else:
            age_s = (SystemClock().now() - entry.stored.created_at).total_seconds()
            fresh = settings.ttl is None or age_s <= settings.ttl
            click.echo(
                terminal_safe("\n".join(_entry_lines(entry, fresh=fresh, ttl_s=settings.ttl)))
            )


def _entry_lines(entry: Sound, *, fresh: bool, ttl_s: float | None) -> list[str]:
    answer, messages = entry.stored.completion, entry.request.messages
    roles = ", ".join(
        f"{message.role} ({len(message.content):,} characters)" for message in messages
    )
    lines = [
        entry.key,
        f"  stored for {payer_words(entry.call)}",
        (
            f"  answered by {answer.model} ({answer.finish_reason}), {answer.usage.output_tokens:,}"
            " tokens out"
        ),
        (
            "  a hit for every request that is equal in all of this, and a miss for one that"
            " differs in a character:"
        ),
        *(f"    {name}: {value_words(value)}" for name, value in _settings_asked(entry).items()),
        f"    messages: {roles}",
    ]
    if entry.stored.rejected is not None:
        lines.append(
            f"  but a step rejected it ({entry.stored.rejected}), so it answers no later run that"
            " does not accept it"
        )
    if not fresh:
        lines.append(
            f"  but it is older than the ttl of {ttl_s:g} s, so it answers in mode replay only"
        )
    return [*lines, f"  its texts: harness cache show {entry.key[:12]}"]


def _settings_asked(entry: Sound) -> dict[str, Any]:
    """All that decides an entry's key, but for its messages."""
    return {
        name: value for name, value in request_fields(entry.request).items() if name != "messages"
    }


def _story(what: str, directory: Path, values: Mapping[str, Any]) -> CallStory:
    run = Run.open(directory)
    call = _call_named(what, run)
    row = run.result(call.topic_id)
    if row is None:
        raise AssertionError("calls that count have a row")
    calls = list(run.spans(call.topic_id))
    recorded_settings = run.manifest.settings
    cache = (
        loaded_from(values).settings.cache
        if values["cache"] is not None
        else Path(recorded_settings["cache"])
    )

    async def look(admin: CacheAdmin) -> CallStory:
        entry = await admin.entry(call.key)
        return story_of(
            call,
            row=row,
            calls=calls,
            recorded=await admin.recorded(call.topic_id),
            payer=entry.call if isinstance(entry, Sound) else None,
            mode=recorded_settings["cache_mode"],
            ttl_s=recorded_settings["ttl"],
        )

    return _with(cache, look)


def _call_named(what: str, run: Run) -> StoredSpan:
    """Return the call `TOPIC/CALL` of a run. Raises ResultsError that says which there are."""
    known: list[str] = []
    for call in run.spans():
        name = f"{call.topic_id}/{call.id}"
        if name == what:
            return call
        if what.startswith(f"{call.topic_id}/") or what == call.topic_id:
            known.append(name)
    if known:
        more = ", …" if len(known) > _SHOWN_CALLS else ""
        raise ResultsError(
            f"{run.path}: no call {what!r}; the topic has {', '.join(known[:_SHOWN_CALLS])}{more}"
        )
    raise ResultsError(
        f"{run.path}: no call {what!r}; name it TOPIC/CALL, by a topic that `harness show"
        f" {run.path}` lists and a call that `harness show {run.path} TOPIC` does"
    )


def _with(path: Path, do: Callable[[CacheAdmin], Awaitable[T]]) -> T:
    async def main() -> T:
        async with CacheAdmin.open(path, clock=SystemClock()) as admin:
            return await do(admin)

    return anyio.run(main)
