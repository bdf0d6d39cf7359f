"""What could go wrong tonight, looked at before: each check says what it found and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from harness.batch import RESULTS_ROOT
from harness.compose import mock_transport
from harness.doctoring import chosen, here
from harness.doctoring.finding import Finding, Verdict
from harness.doctoring.server import Server
from harness.ports import WallClock
from harness.settings import Loaded

if TYPE_CHECKING:
    import httpx2

__all__ = ["Finding", "Verdict", "examine"]


async def examine(
    loaded: Loaded, clock: WallClock, *, ask: bool = False, transport: httpx2.AsyncBaseTransport | None = None
) -> AsyncIterator[Finding]:
    """All checks, in the order in which a run would meet them.

    The endpoint gets a request for its models, and a known provider one for the balance, if the key that is needed is
    there; with `ask` also one call of few tokens. Each is said before it is sent. `transport` replaces the network;
    without it the mock brings its own.
    """
    if transport is None and loaded.settings.is_mock:
        transport = mock_transport(loaded.settings, clock)
    yield here.versions()
    yield here.files(loaded)
    for name, directory in (("cache", loaded.settings.cache.parent), ("results", RESULTS_ROOT)):
        yield here.disk(name, directory)
    cache, answers = await here.cache(loaded, clock)
    yield cache
    key = chosen.key(loaded)
    yield key
    yield chosen.model(loaded)
    if key.verdict == "ok":
        async for finding in Server(loaded, clock, transport=transport, ask=ask, cached=answers).examined():
            yield finding
