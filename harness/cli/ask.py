"""`harness ask`: one streamed call, its reasoning and then its answer, labelled."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import click

from harness.api import ask_once
from harness.cli.help import SectionedCommand
from harness.cli.log_lines import start_log_lines
from harness.cli.options import loaded_from, settings_options
from harness.cli.output import say_json
from harness.cli.run import note_aliases
from harness.cli.signals import interruptible
from harness.cli.usage_words import tokens_words
from harness.domain.completion import Completion, Delta, JsonSchema
from harness.domain.step_options import StepOptions
from harness.domain.who_answered import answered, doubt_lines
from harness.engine.stopping import Stop
from harness.errors import InputError
from harness.records.codec import logprobs_to_json, usage_to_json
from harness.settings import Loaded
from harness.settings.model import CALL_FLAGS
from harness.text.amounts import money
from harness.text.safe import terminal_safe
from harness.workflows.image_file import image


@click.command(cls=SectionedCommand)
@click.argument("prompt")
@click.option("--system", metavar="TEXT", help="A system message to go before it.")
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    help="Cap on reasoning and answer together.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0, 2),
    metavar="T",
    help="From 0 to 2; thinking ignores it.",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="FILE|URL",
    help="An image to go with it; repeatable.",
)
@click.option(
    "--schema",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Answer with JSON of this JSON schema.",
)
@settings_options(*CALL_FLAGS)
def ask(
    prompt: str,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    images: tuple[str, ...],
    schema: Path | None,
    **values: Any,
) -> None:
    """Ask PROMPT (- for standard input) once, and print the reasoning and then the answer as they
    come.

    The answer is cached like any other: the same question costs nothing the second time.
    """
    loaded = loaded_from(values)
    settings = loaded.settings
    start_log_lines(loaded)
    note_aliases(loaded)
    text = _from_stdin() if prompt == "-" else prompt
    if not text.strip():
        raise InputError("the prompt is blank: give a text, or - and a text on standard input")
    shown_to_it = [image(source) for source in images]
    wanted = None if schema is None else _schema_in(schema)
    shown, stop, answers = _Shown(), Stop(), list[Completion]()

    async def work() -> None:
        options = StepOptions(max_tokens=max_tokens, temperature=temperature)
        on_delta = None if settings.json_output else shown.delta
        answer = await ask_once(
            loaded,
            text,
            system=system,
            options=options,
            on_delta=on_delta,
            stop=stop,
            images=shown_to_it,
            response_format=wanted,
        )
        answers.append(answer)

    try:
        anyio.run(lambda: interruptible(work, stop, drain_s=0.0))
    finally:
        shown.end()
    if not answers:
        click.echo("interrupted before the answer was complete", err=True)
        sys.exit(130)
    if settings.json_output:
        say_json(_as_json(answers[0]), indent=None)
    elif not settings.quiet:
        click.echo(terminal_safe(_account_of(answers[0])), err=True)
        for line in _doubts_about(answers[0], loaded):
            click.echo(f"note: {line}", err=True)


def _from_stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise InputError(
            f"<stdin>: not UTF-8 (byte {error.start}); the prompt must be text"
        ) from error


def _schema_in(path: Path) -> JsonSchema:
    """The JSON schema in a file, by the file's name. Raises InputError for a file that holds
    none.
    """
    try:
        schema = json.loads(path.read_text(encoding="utf-8-sig"))
        return JsonSchema(name=re.sub(r"[^A-Za-z0-9_-]", "_", path.stem)[:64], schema=schema)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror or error}; expected a JSON schema"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: no JSON schema: {error}") from error


class _Shown:
    """Prints the pieces as they come, with a label where the kind changes. Labels are bold on a
    terminal.
    """

    def __init__(self) -> None:
        self._kind: str | None = None
        self._reader_left: BrokenPipeError | None = None

    def delta(self, delta: Delta) -> None:
        """Print a piece. A reader that has left (`| head`) does not end a call that is being paid
        for.
        """
        if self._reader_left is not None:
            return
        try:
            self._print(delta)
            sys.stdout.flush()
        except BrokenPipeError as error:
            self._reader_left = error

    def end(self) -> None:
        """End the last line. Raises BrokenPipeError if the reader left before."""
        if self._reader_left is not None:
            raise self._reader_left
        if self._kind is not None:
            click.echo()

    def _print(self, delta: Delta) -> None:
        if delta.kind == "restart":
            if self._kind is None:
                return  # nothing stands above
            why = delta.text or "the attempt failed and is made again"
            click.echo(f"\n[{why}; forget what stands above]\n")
            self._kind = None
            return
        if delta.kind != self._kind:
            click.echo(("\n\n" if self._kind else "") + click.style(f"{delta.kind}:", bold=True))
            self._kind = delta.kind
        text = terminal_safe(delta.text)
        click.echo(click.style(text, dim=True) if delta.kind == "reasoning" else text, nl=False)


def _as_json(completion: Completion) -> dict[str, Any]:
    served = completion.served
    return {
        "model": completion.model,
        "fingerprint": completion.fingerprint,
        "reasoning": completion.reasoning,
        "content": completion.content,
        **logprobs_to_json(completion),
        "finish_reason": completion.finish_reason,
        "usage": usage_to_json(completion.as_told.usage),
        "cost": completion.cost,
        "source": served.source,
        "attempts": served.attempts,
        "latency_s": round(served.latency_s, 6),
    }


def _doubts_about(completion: Completion, loaded: Loaded) -> list[str]:
    """That another model answered than was asked for, or two."""
    settings, endpoint = loaded.settings, loaded.endpoint(key_needed=False)
    asked = settings.defaults().model or ""
    return doubt_lines(
        Counter(answered(endpoint.identity, asked, completion.answerers, settings.aliases))
    )


def _account_of(completion: Completion) -> str:
    usage, served = completion.as_told.usage, completion.served
    cost = money(completion.cost, unknown="cost not known")
    if served.source == "endpoint":
        how = f"{cost}, {served.latency_s:.2f} s" + (
            f", {served.attempts} attempts" if served.attempts > 1 else ""
        )
    else:
        had_cost = (
            "what it had cost is not known" if completion.cost is None else f"it had cost {cost}"
        )
        how = f"from the {served.source}, nothing paid ({had_cost})"
    return f"\n{completion.model}: {tokens_words(usage)}, {how}"
