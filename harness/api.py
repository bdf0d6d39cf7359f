"""The package as a library: run a batch, ask once; async, and without a loop of one's own for
scripts and notebooks.

Settings are keyword arguments. `CallSettings` and `RunSettings` name them with their types, for a
function of your own that passes them on: `def mine(**settings: Unpack[RunSettings])`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, Unpack

from harness.compose import open_stack
from harness.domain.call import Call
from harness.domain.completion import Completion, Message, OnDelta, Request, ResponseFormat
from harness.domain.image import Image
from harness.domain.profiles import form_mark
from harness.domain.step_options import StepOptions
from harness.engine.stopping import Stop
from harness.logs import logged_with
from harness.machine.wall_clock import SystemClock
from harness.runs.batch import new_run_id, run_batch
from harness.runs.session import Report
from harness.settings import Loaded, load_settings
from harness.settings.keywords import CallSettings, RunSettings

__all__ = ["CallSettings", "RunSettings", "ask", "ask_sync", "run", "run_sync"]

T = TypeVar("T")


async def run(
    dataset: str | Path,
    *,
    workflow: str | None = None,
    stop: Stop | None = None,
    **settings: Unpack[RunSettings],
) -> Report:
    """Run a topic file through a workflow, or continue the run in `out`; the settings are those of
    `harness run`.

    `workflow` is `research`, or your own as `module:function` or `path.py:function`.

    As on the command line, the environment and ./harness.toml fill what is not given; but nobody is
    asked before money is spent: a call agrees to it. Setting `stop` ends the run as Ctrl-C does.
    Raises InputError before the first call for anything wrong with what was given.
    """
    return await run_batch(
        load_settings({**settings, "workflow": workflow}), str(dataset), stop=stop
    )


def run_sync(
    dataset: str | Path,
    *,
    workflow: str | None = None,
    stop: Stop | None = None,
    **settings: Unpack[RunSettings],
) -> Report:
    """`run`, for scripts and notebooks."""
    return wait_for(lambda: run(dataset, workflow=workflow, stop=stop, **settings))


async def ask(
    prompt: str,
    *,
    system: str | None = None,
    max_tokens: int | None = None,
    images: Sequence[Image] = (),
    response_format: ResponseFormat | None = None,
    on_delta: OnDelta | None = None,
    **settings: Unpack[CallSettings],
) -> Completion:
    """One call, through the cache, the limits and the retries. The settings are those of `harness
    ask`.

    `images` go with the prompt, see `image`.

    Raises CompletionError if it failed for good, InputError for anything wrong with what was given.
    """
    options = StepOptions(max_tokens=max_tokens)
    return await ask_once(
        load_settings(settings),
        prompt,
        system=system,
        options=options,
        on_delta=on_delta,
        stop=Stop(),
        images=images,
        response_format=response_format,
    )


async def ask_once(
    loaded: Loaded,
    prompt: str,
    *,
    system: str | None,
    options: StepOptions,
    on_delta: OnDelta | None,
    stop: Stop,
    images: Sequence[Image] = (),
    response_format: ResponseFormat | None = None,
) -> Completion:
    """One call with settings that are at hand: as one step of a workflow of one step.

    Somebody waits for the answer, so an outage of the provider is waited out only where `patience`
    was set.
    """
    if loaded.origins.get("patience", "default") == "default":
        loaded = replace(loaded, settings=loaded.settings.model_copy(update={"patience": 0.0}))
    defaults = options.over(loaded.settings.defaults())
    run_id = f"ask-{new_run_id(SystemClock().now())}"
    request = request_of(
        loaded,
        prompt,
        system=system,
        defaults=defaults,
        images=images,
        response_format=response_format,
    )
    call = Call(
        run_id=run_id,
        topic_id="ask",
        span_id="ask",
        stream=defaults.stream is not False,
        on_delta=on_delta,
    )
    async with open_stack(loaded, run_id=run_id, stop=stop) as stack:
        with logged_with(run_id=run_id, topic_id=call.topic_id, span_id=call.span_id):
            return await stack.completer.complete(request, call)


def request_of(
    loaded: Loaded,
    prompt: str,
    *,
    system: str | None,
    defaults: StepOptions,
    images: Sequence[Image] = (),
    response_format: ResponseFormat | None = None,
) -> Request:
    """Return the request of one question; `defaults` are the options with those of the settings
    behind them.
    """
    turns = (Message(role="user", content=prompt, images=tuple(images)),)
    return Request(
        endpoint=loaded.endpoint(key_needed=False).identity,
        model=defaults.model or "",
        messages=(Message(role="system", content=system), *turns) if system is not None else turns,
        max_tokens=defaults.max_tokens,
        thinking=defaults.thinking,
        effort=defaults.effort,
        temperature=defaults.temperature,
        top_p=defaults.top_p,
        response_format=response_format,
        seed=defaults.seed,
        logprobs=defaults.logprobs,
        service_tier=defaults.service_tier,
        presence_penalty=defaults.presence_penalty,
        frequency_penalty=defaults.frequency_penalty,
        extra_body=defaults.extra_body,
        form=form_mark(loaded.settings.service),
    )


def ask_sync(
    prompt: str,
    *,
    system: str | None = None,
    max_tokens: int | None = None,
    images: Sequence[Image] = (),
    response_format: ResponseFormat | None = None,
    on_delta: OnDelta | None = None,
    **settings: Unpack[CallSettings],
) -> Completion:
    """`ask`, for scripts and notebooks."""
    return wait_for(
        lambda: ask(
            prompt,
            system=system,
            max_tokens=max_tokens,
            images=images,
            response_format=response_format,
            on_delta=on_delta,
            **settings,
        )
    )


def wait_for(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end. Where a loop runs already, as in a notebook, on another thread with a loop of
    its own.

    Ctrl-C ends the work in both cases: answers that arrived are stored, and the same call goes on
    from there.
    """
    if not _a_loop_runs():
        return asyncio.run(work())
    under_way: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def noted() -> T:
        task = asyncio.current_task()
        if task is not None:
            under_way.append((asyncio.get_running_loop(), task))
        return await work()

    with ThreadPoolExecutor(max_workers=1) as thread:
        future = thread.submit(lambda: asyncio.run(noted()))
        try:
            return future.result()
        except KeyboardInterrupt:
            for loop, task in under_way:
                loop.call_soon_threadsafe(task.cancel)
            raise


def _a_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
