"""`harness cache`: look into the cache file and tend it."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click

from harness.cache.admin import CacheAdmin
from harness.cache.answerers import counted_answers
from harness.cache.reports import JournalStats, Sound
from harness.cli.explain import explain
from harness.cli.help import GENERAL, SectionedCommand, SectionedOption
from harness.cli.options import loaded_from, settings_options
from harness.cli.output import say_fields, say_json
from harness.domain.key import request_fields
from harness.domain.who_answered import doubt_lines
from harness.errors import InputError
from harness.machine.wall_clock import SystemClock
from harness.records.codec import completion_to_json
from harness.render.document import Field
from harness.settings import duration_s
from harness.text.amounts import counted, money
from harness.text.safe import one_line, terminal_safe

T = TypeVar("T")

_SIZES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


@click.group()
def cache() -> None:
    """Look into the cache and tend it. All commands take --cache FILE and may be given while runs
    use it.
    """


cache.add_command(explain)


@cache.command(cls=SectionedCommand)
@click.option(
    "--models",
    is_flag=True,
    cls=SectionedOption,
    section=GENERAL,
    help="Who gave the answers instead: models and fingerprints, how often, from when to when.",
)
@settings_options("cache", "json_output")
def stats(models: bool, **values: Any) -> None:
    """Entries and bytes by endpoint and model, and what the journal says was spent."""
    if models:
        _say_models(values)
        return
    found = _with(values, lambda admin: admin.stats())
    if values["json_output"]:
        say_json(asdict(found))
        return
    size = f"{found.bytes:,} bytes; the file has {found.file_bytes:,}"
    fields = [Field("entries", f"{found.entries:,} ({size})")]
    if found.oldest and found.newest:
        times = f"{found.oldest:%Y-%m-%d %H:%M} to {found.newest:%Y-%m-%d %H:%M} UTC"
        fields.append(Field("from", times))
    for model in found.models:
        name = f"{model.endpoint} {model.model}"
        fields.append(Field("", f"{name}: {model.entries:,} entries, {model.bytes:,} bytes"))
    say_fields(*fields, Field("journal", _journal_words(found.journal)))


def _journal_words(journal: JournalStats) -> str:
    rejected = f" ({journal.rejected:,} of them rejected)" if journal.rejected else ""
    return (
        f"{journal.calls:,} requests of {journal.runs:,} runs: {journal.stored:,} stored{rejected},"
        f" {journal.failed:,} failed, {journal.open:,} open; {_spent_words(journal)},"
        f" {journal.tokens:,} tokens"
    )


@cache.command(cls=SectionedCommand)
@click.argument("key")
@settings_options("cache", "json_output")
def show(key: str, **values: Any) -> None:
    """The entries whose keys begin with KEY: request, reasoning, answer."""
    for entry in _with(values, lambda admin: admin.show(key)):
        if values["json_output"]:
            say_json(_entry_json(entry), indent=None)
        else:
            click.echo(terminal_safe(_entry_text(entry)))


@cache.command(cls=SectionedCommand)
@click.argument("target", type=click.Path(path_type=Path, allow_dash=True))
@settings_options("cache")
def export(target: Path, **values: Any) -> None:
    """Write all entries to TARGET (- for standard output) as JSON lines, sorted, to be reviewed in
    a diff.
    """
    to_stdout = str(target) == "-"
    done = _with(values, lambda admin: admin.export(sys.stdout.buffer if to_stdout else target))
    click.echo(f"{done.entries:,} entries exported", err=True)
    say_fields(*(Field("left out", f"{bad.key}: {bad.reason}") for bad in done.bad), err=True)
    if done.bad:
        sys.exit(1)


@cache.command("import", cls=SectionedCommand)
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True))
@settings_options("cache")
def import_(source: Path, **values: Any) -> None:
    """Take in the JSON lines of SOURCE (- for standard input): all of them, or none if one is
    bad.
    """
    from_stdin = str(source) == "-"
    done = _with(
        values,
        lambda admin: admin.import_(sys.stdin.buffer if from_stdin else source, name="<stdin>"),
        create=True,
    )
    click.echo(
        f"{done.added:,} entries added, {done.replaced:,} replaced, {done.unchanged:,} unchanged",
        err=True,
    )


@cache.command(cls=SectionedCommand)
@click.option("--older-than", metavar="AGE", help="Older than 90s, 12h, 7d, 2w.")
@click.option(
    "--max-size", metavar="BYTES", help="The oldest, until the rest fits into 500k, 200M, 2G."
)
@click.option("--run", "run_id", metavar="RUN_ID", help="Stored by this run.")
@settings_options("cache", "json_output")
def prune(older_than: str | None, max_size: str | None, run_id: str | None, **values: Any) -> None:
    """Remove entries by age, size or run."""
    age_s = _age_s(older_than) if older_than is not None else None
    size = _bytes(max_size) if max_size is not None else None
    done = _with(
        values, lambda admin: admin.prune(older_than_s=age_s, max_bytes=size, run_id=run_id)
    )
    if values["json_output"]:
        say_json(asdict(done))
        return
    click.echo(
        f"{done.entries:,} entries removed ({done.bytes:,} bytes), {done.calls:,} rows of the"
        " journal"
    )


@cache.command(cls=SectionedCommand)
@settings_options("cache", "json_output")
def verify(**values: Any) -> None:
    """Check every entry against its digest and its key, and the file itself. Exit code 1 if
    anything is damaged.
    """
    found = _with(values, lambda admin: admin.verify())
    if values["json_output"]:
        say_json({**asdict(found), "ok": found.ok})
    else:
        say_fields(*(Field("damaged", f"{bad.key}: {bad.reason}") for bad in found.bad))
        say_fields(*(Field("damaged", f"the file: {line}") for line in found.structure))
        click.echo(f"{found.entries:,} entries checked, {len(found.bad):,} damaged")
    if not found.ok:
        sys.exit(1)


def _spent_words(journal: JournalStats) -> str:
    if not journal.unpriced:
        return money(journal.cost)
    if not journal.cost:
        return "cost not known"
    return (
        f"{money(journal.cost)} (not counting {counted(journal.unpriced, 'request')} of unknown"
        " cost)"
    )


def _say_models(values: dict[str, Any]) -> None:
    found = _with(values, lambda admin: admin.answerers())
    aliases = loaded_from(values).settings.aliases
    doubts = doubt_lines(counted_answers(found, aliases))
    if values["json_output"]:
        say_json({"models": [asdict(one) for one in found], "answerers": doubts})
        return
    fields = []
    asked: tuple[str, str] | None = None
    for one in found:
        if asked != (one.endpoint, one.asked):
            asked = (one.endpoint, one.asked)
            fields.append(Field("asked", f"{one.asked} at {one.endpoint}"))
        build = "no fingerprint" if one.fingerprint is None else f"fingerprint {one.fingerprint}"
        times = f"{one.first:%Y-%m-%d %H:%M} to {one.last:%Y-%m-%d %H:%M} UTC"
        named = f"{one.model or 'no name'}, {build}"
        answers = counted(one.answers, "answer")
        fields.append(Field("", f"{one_line(named, 300)}: {answers}, {times}"))
    say_fields(*fields, *(Field("model", line) for line in doubts))


def _with(
    values: dict[str, Any], do: Callable[[CacheAdmin], Awaitable[T]], *, create: bool = False
) -> T:
    path = loaded_from(values).settings.cache

    async def main() -> T:
        async with CacheAdmin.open(path, clock=SystemClock(), create=create) as admin:
            return await do(admin)

    return anyio.run(main)


def _age_s(text: str) -> float:
    try:
        return float(duration_s(text))
    except ValueError as error:
        raise InputError(f"--older-than {text}: {error}") from None


def _bytes(text: str) -> int:
    match = re.fullmatch(r"\s*(\d+)\s*([kmg]?)b?\s*", text.lower())
    if match is None:
        raise InputError(f"--max-size {text!r} is no size: write 500k, 200M or 2G")
    return int(match[1]) * _SIZES[match[2]]


def _entry_json(entry: Sound) -> dict[str, Any]:
    return {
        "key": entry.key,
        "run_id": entry.stored.run_id,
        "created_at": entry.stored.created_at.isoformat(),
        "request": request_fields(entry.request),
        "completion": completion_to_json(entry.stored.completion),
        "rejected": entry.stored.rejected,
    }


def _entry_text(entry: Sound) -> str:
    answer = entry.stored.completion
    created = f"{entry.stored.created_at:%Y-%m-%d %H:%M:%S} UTC"
    lines = [
        f"{entry.key}  {entry.bytes:,} bytes, {created}, run {entry.stored.run_id}",
        *(f"--- {message.role}\n{message.content}" for message in entry.request.messages),
        *([f"--- reasoning\n{answer.reasoning}"] if answer.reasoning else []),
        f"--- answer ({answer.finish_reason}, {answer.model})\n{answer.content}",
        *([f"--- rejected\n{entry.stored.rejected}"] if entry.stored.rejected is not None else []),
    ]
    return "\n".join(lines)
