"""`harness ask`: one streamed call, its reasoning and then its answer, labelled."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
import click

from harness.api import ask_once
from harness.cli.options import CALL_OPTIONS, loaded_from, settings_options
from harness.cli.run import note_aliases
from harness.cli.signals import interruptible
from harness.domain.completion import Completion, Delta
from harness.domain.options import StepOptions
from harness.domain.sanitize import terminal_safe
from harness.engine.stopping import Stop
from harness.errors import InputError, RunStopped
from harness.logs import log_to_stderr
from harness.settings import Loaded


@click.command()
@click.argument("prompt")
@click.option("--system", help="A system message to go before it.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Cap on reasoning and answer together.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="Sampling temperature (thinking ignores it).")
@settings_options(*CALL_OPTIONS)
def ask(prompt: str, system: str | None, max_tokens: int | None, temperature: float | None, **values: Any) -> None:
    """Ask PROMPT (- for standard input) once. The answer is cached like any other; --json prints all of it."""
    loaded = loaded_from(values)
    log_to_stderr(verbose=loaded.settings.verbose)
    note_aliases(loaded)
    text = sys.stdin.read() if prompt == "-" else prompt
    if not text.strip():
        raise InputError("the prompt is blank: give a text, or - and a text on standard input")
    show = None if loaded.settings.json_output else _Shown().delta
    stop, answers = Stop(), list[Completion]()

    async def work() -> None:
        options = StepOptions(max_tokens=max_tokens, temperature=temperature)
        answers.append(await ask_once(loaded, text, system=system, options=options, on_delta=show, stop=stop))

    anyio.run(lambda: interruptible(work, stop, drain_s=0.0))
    if not answers:
        raise RunStopped("interrupted before the answer was complete") if stop.cause is None else stop.error()
    _finish(answers[0], loaded)


class _Shown:
    """Prints the pieces as they come, with a label where the kind changes. Labels are bold on a terminal."""

    def __init__(self) -> None:
        self._kind: str | None = None

    def delta(self, delta: Delta) -> None:
        if delta.kind == "restart":
            click.echo("\n[the attempt failed and is made again; forget what stands above]")
            self._kind = None
            return
        if delta.kind != self._kind:
            click.echo(("\n\n" if self._kind else "") + click.style(f"{delta.kind}:", bold=True))
            self._kind = delta.kind
        text = terminal_safe(delta.text)
        click.echo(click.style(text, dim=True) if delta.kind == "reasoning" else text, nl=False)
        sys.stdout.flush()


def _finish(completion: Completion, loaded: Loaded) -> None:
    usage, served = completion.usage, completion.served
    if loaded.settings.json_output:
        click.echo(
            json.dumps(
                {
                    "model": completion.model,
                    "fingerprint": completion.fingerprint,
                    "reasoning": completion.reasoning,
                    "content": completion.content,
                    "finish_reason": completion.finish_reason,
                    "usage": {
                        "input_tokens": usage.input_tokens,
                        "output_tokens": usage.output_tokens,
                        "reasoning_tokens": usage.reasoning_tokens,
                        "cached_tokens": usage.cached_tokens,
                    },
                    "cost": completion.cost,
                    "source": served.source,
                    "attempts": served.attempts,
                    "latency_s": round(served.latency_s, 6),
                },
                ensure_ascii=False,
            )
        )
        return
    click.echo()
    if not loaded.settings.quiet:
        cost = "price not known" if completion.cost is None else f"${completion.cost:.6f}"
        source = "" if served.source == "endpoint" else f", from the {served.source}"
        click.echo(
            terminal_safe(
                f"\n{completion.model}: {usage.input_tokens:,} tokens in, {usage.output_tokens:,} out "
                f"({usage.reasoning_tokens:,} reasoning), {cost}, {served.latency_s:.2f} s{source}"
            ),
            err=True,
        )
