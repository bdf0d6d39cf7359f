"""Checks before a run: each says what it found and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.compose import transport_to
from harness.doctor import here
from harness.doctor.finding import Finding, Verdict, problem
from harness.doctor.server_checks import Server
from harness.domain.endpoint import endpoint_identity
from harness.domain.who_answered import AnswererCounts
from harness.errors import InputError
from harness.ports import WallClock
from harness.runs.batch import RESULTS_ROOT
from harness.settings import Loaded
from harness.workflows.in_use import InUse, endpoints_in_use, workflow_of

if TYPE_CHECKING:
    import httpx2

__all__ = ["Finding", "Verdict", "examine"]


async def examine(
    loaded: Loaded,
    clock: WallClock,
    *,
    ask: bool = False,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> AsyncIterator[Finding]:
    """All checks, in the order in which a run would meet them.

    Each endpoint that a run would ask gets a request for its models, and a known provider one for
    the balance, if the key that is needed is there; with `ask` also one call of few tokens. Each is
    said before it is sent. `transport` replaces the network; without it the mock brings its own.
    """
    yield here.versions()
    yield here.files(loaded)
    for name, directory in (("cache", loaded.settings.cache.parent), ("results", RESULTS_ROOT)):
        yield here.disk(name, directory)
    used, doubt = _in_use(loaded)
    cache, answers = await here.cache(loaded, used, clock)
    yield cache
    if doubt is not None:
        yield doubt
    for number, one in enumerate(used):
        async for finding in _examined(
            loaded, one, clock, ask=ask, transport=transport, cached=answers
        ):
            yield finding if number == 0 else replace(finding, said=f"{one.name}: {finding.said}")


async def _examined(
    loaded: Loaded,
    one: InUse,
    clock: WallClock,
    *,
    ask: bool,
    transport: httpx2.AsyncBaseTransport | None,
    cached: AnswererCounts,
) -> AsyncIterator[Finding]:
    """One endpoint: its key, the models that are asked of it, and the server.

    `cached` is who gave the answers that the cache has.
    """
    transport = transport_to(endpoint_identity(one.service), loaded.settings, clock, transport)
    key = here.key(loaded, one)
    yield key
    yield here.model(loaded, one)
    if key.verdict == "ok":
        async for finding in Server(
            loaded, one, clock, transport=transport, ask=ask, cached=cached
        ).examined():
            yield finding


def _in_use(loaded: Loaded) -> tuple[tuple[InUse, ...], Finding | None]:
    """The endpoints that a run would ask; where its workflow cannot be loaded, its own, and why."""
    settings = loaded.settings
    try:
        return endpoints_in_use(loaded, workflow_of(loaded)), None
    except InputError as error:
        return (InUse(service=settings.service),), problem(
            "workflow", str(error), "mend it, then look again"
        )
