"""What could go wrong tonight, looked at before: each check says what it found and what to do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness._version import __version__
from harness.adapters.cache.admin import CacheAdmin
from harness.adapters.endpoint.account import Answer, ask_account, balance_text, model_names
from harness.adapters.file_limit import SPARE_FILES, budget, raised
from harness.batch import RESULTS_ROOT
from harness.compose import mock_transport
from harness.domain.failures import CompletionError
from harness.errors import HarnessError, SettingsError
from harness.ports import WallClock
from harness.settings import Loaded

if TYPE_CHECKING:
    import httpx2

Verdict = Literal["ok", "warning", "problem"]

ENOUGH_DISK_BYTES = 1 << 30
CLOCK_SLACK_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `advice` is what to do where it is not ok."""

    name: str
    verdict: Verdict
    said: str
    advice: str = ""


async def examine(
    loaded: Loaded, clock: WallClock, *, transport: httpx2.AsyncBaseTransport | None = None
) -> AsyncIterator[Finding]:
    """All checks, in the order in which a run would meet them. Nothing is sent but to a known provider.

    `transport` replaces the network; without it the mock brings its own.
    """
    if transport is None and loaded.settings.is_mock:
        transport = mock_transport(loaded.settings, clock)
    yield _versions()
    yield _files(loaded)
    for name, directory in (("cache", loaded.settings.cache.parent), ("results", RESULTS_ROOT)):
        yield _disk(name, directory)
    yield await _cache(loaded, clock)
    key = _key(loaded)
    yield key
    yield _model(loaded)
    if loaded.settings.profile is None:
        yield Finding(
            name="endpoint", verdict="ok", said="a bare base URL: nothing but the workflow's calls is sent to it"
        )
    elif key.verdict == "ok":
        async for finding in _provider(loaded, clock, transport):
            yield finding


def _versions() -> Finding:
    said = (
        f"harness {__version__}, Python {platform.python_version()}, openai {importlib.metadata.version('openai')}, "
        f"{sys.platform}"
    )
    return Finding(name="versions", verdict="ok", said=said)


def _files(loaded: Loaded) -> Finding:
    in_flight = loaded.settings.in_flight
    needed = in_flight + SPARE_FILES
    allowed = raised(*resource.getrlimit(resource.RLIMIT_NOFILE), needed)
    if budget(in_flight, allowed).note is None:
        said = f"{in_flight:,} calls in flight need about {needed:,} open files, and may have them"
        return Finding(name="files", verdict="ok", said=said)
    said = f"{allowed:,} files may be open, {in_flight:,} calls in flight need about {needed:,}"
    return Finding(name="files", verdict="problem", said=said, advice=f"ulimit -n {needed * 2}, or a lower --in-flight")


def _disk(name: str, directory: Path) -> Finding:
    there = next(path for path in (directory.resolve(), *directory.resolve().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        said = f"the {name} at {directory} cannot be written"
        return Finding(name="disk", verdict="problem", said=said, advice=f"look at the permissions of {there}")
    free = shutil.disk_usage(there).free
    said = f"{free / 2**30:.1f} GiB free for the {name} at {directory}"
    if free >= ENOUGH_DISK_BYTES:
        return Finding(name="disk", verdict="ok", said=said)
    return Finding(name="disk", verdict="warning", said=said, advice="10,000 topics take about 1 GiB: make room")


async def _cache(loaded: Loaded, clock: WallClock) -> Finding:
    path = loaded.settings.cache
    if not path.exists():
        return Finding(name="cache", verdict="ok", said=f"{path} will be made")
    try:
        async with CacheAdmin.open(path, clock=clock) as admin:
            stats = await admin.stats()
    except HarnessError as error:
        return Finding(name="cache", verdict="problem", said=str(error), advice="name another with --cache FILE")
    left_open = f", {stats.journal.open:,} requests whose payment is unknown" if stats.journal.open else ""
    said = f"{path}: {stats.entries:,} entries{left_open}"
    return Finding(name="cache", verdict="ok", said=said)


def _key(loaded: Loaded) -> Finding:
    try:
        endpoint = loaded.endpoint()
    except SettingsError as error:
        return Finding(name="key", verdict="problem", said=str(error), advice="put it there, then look again")
    if endpoint.api_key is None:
        return Finding(name="key", verdict="ok", said=f"none is set for {endpoint.identity}, and it may need none")
    return Finding(name="key", verdict="ok", said=f"there is one for {endpoint.identity}")


def _model(loaded: Loaded) -> Finding:
    try:
        model = loaded.settings.defaults().model
    except SettingsError as error:
        return Finding(name="model", verdict="problem", said=str(error), advice="--model NAME")
    priced = bool(loaded.settings.pricing().prices.get(model or ""))
    note = loaded.settings.model_note()
    said = f"{note or model}; its price is {'known' if priced else 'not known'}"
    if priced:
        return Finding(name="model", verdict="ok", said=said)
    return Finding(
        name="model",
        verdict="warning",
        said=said,
        advice=f'without [prices."{model}"] in harness.toml only --budget-tokens can cap the run',
    )


async def _provider(
    loaded: Loaded, clock: WallClock, transport: httpx2.AsyncBaseTransport | None
) -> AsyncIterator[Finding]:
    """What a known provider says; the list of models also shows that the key is accepted."""

    async def get(path: str) -> Answer:
        return await ask_account(
            loaded.endpoint(),
            path,
            timeouts=loaded.settings.timeouts(),
            transport=transport,
            carrier=loaded.settings.transport,
        )

    try:
        models = await get("/models")
    except CompletionError as error:
        yield Finding(name="endpoint", verdict="problem", said=str(error), advice="check the network and its proxy")
        return
    yield _models(loaded, models)
    yield _clock(models, clock)
    if models.status == 200 and loaded.settings.profile is not None and loaded.settings.profile.dialect == "deepseek":
        try:
            yield _balance(await get("/user/balance"))
        except CompletionError as error:
            yield Finding(name="balance", verdict="warning", said=str(error), advice="check the network and its proxy")


def _models(loaded: Loaded, answer: Answer) -> Finding:
    endpoint = loaded.endpoint()
    if answer.status in (401, 403):
        said = f"{endpoint.identity} refuses the key ({answer.status})"
        return Finding(name="endpoint", verdict="problem", said=said, advice=f"check {endpoint.key_env}")
    if answer.status != 200:
        said = f"{endpoint.identity} answered {answer.status} to a request for its models"
        return Finding(name="endpoint", verdict="problem", said=said, advice="wait, or see the provider's status page")
    return _checked(lambda: _wanted_model(loaded, model_names(answer)))


def _wanted_model(loaded: Loaded, names: tuple[str, ...]) -> Finding:
    wanted = loaded.settings.defaults().model
    said = f"it answers, and serves {', '.join(names[:8])}"
    if wanted in names:
        return Finding(name="endpoint", verdict="ok", said=said)
    return Finding(name="endpoint", verdict="problem", said=f"{said}, but not {wanted}", advice="--model NAME")


def _clock(answer: Answer, clock: WallClock) -> Finding:
    if answer.at is None:
        return Finding(name="clock", verdict="ok", said="the provider tells no time to compare with")
    off_s = abs((clock.now() - answer.at).total_seconds())
    said = f"{off_s:.0f} s from the provider's"
    if off_s <= CLOCK_SLACK_S:
        return Finding(name="clock", verdict="ok", said=said)
    return Finding(name="clock", verdict="warning", said=said, advice="set the clock: peak prices and ages go by it")


def _balance(answer: Answer) -> Finding:
    if answer.status != 200:
        said = f"the provider answered {answer.status} to a request for the balance"
        return Finding(name="balance", verdict="warning", said=said, advice="look at the provider's console")
    return _checked(lambda: _usable(*balance_text(answer)))


def _usable(available: bool, amount: str) -> Finding:
    if available:
        return Finding(name="balance", verdict="ok", said=amount)
    return Finding(name="balance", verdict="problem", said=f"{amount}: calls would be refused", advice="top up")


def _checked(finding: Callable[[], Finding]) -> Finding:
    try:
        return finding()
    except HarnessError as error:
        return Finding(name="endpoint", verdict="warning", said=str(error), advice="the provider may have changed")
