"""A port of results that tells a collector of each topic, once its rows are written."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import anyio

from harness.domain.run import Span, TopicResult
from harness.errors import SettingsError
from harness.machine.threads import in_thread
from harness.ports import Results
from harness.telemetry import names
from harness.telemetry.background_exporter import (
    IMPATIENCE_S,
    PATIENCE_S,
    BackgroundExporter,
    Delivery,
)
from harness.telemetry.story import story_of
from harness.telemetry.values import Measurement

log = logging.getLogger("harness.telemetry")

LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The numbers of requests under way, of calls that wait, and of slots.

    `is_down`: the provider is away.
    """

    in_flight: int
    waiting: int
    slots: int
    is_down: bool = False


class ObservedResults:
    """Writes results, and then tells of them. A topic that cannot be told of is written all the
    same.
    """

    def __init__(
        self,
        results: Results,
        exporter: BackgroundExporter,
        *,
        origin_at: datetime,
        content: bool,
        levels: Callable[[], Levels],
    ) -> None:
        self._results = results
        self._exporter = exporter
        self._origin_at = origin_at
        self._content = content
        self._levels = levels

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """See `Results`."""
        await self._results.write(result, spans)
        try:
            story = story_of(result, spans, origin_at=self._origin_at, content=self._content)
        except Exception as error:  # noqa: BLE001 - told at the end; no run fails because of who watches it
            self._exporter.lose(1 + len(spans), repr(error))
        else:
            self._exporter.offer(story, measured(self._levels()))


@asynccontextmanager
async def observed(
    results: Results,
    url: str | None,
    *,
    run_id: str,
    origin_at: datetime,
    content: bool,
    levels: Callable[[], Levels],
) -> AsyncIterator[Results]:
    """The results, observed by the collector at a URL; without one, the results as they are.

    `origin_at` is the instant from which the calls of this session count their seconds. At the end
    it waits a few seconds at most, and says in one line what did not arrive.
    """
    if url is None:
        yield results
        return
    # An extra, and half a second of CPU.
    from harness.telemetry.otlp import OtlpSink  # noqa: PLC0415

    exporter = BackgroundExporter(OtlpSink(url, run_id=run_id))
    patience_s = PATIENCE_S
    looks = Looks(exporter, levels)
    try:
        yield ObservedResults(
            results, exporter, origin_at=origin_at, content=content, levels=levels
        )
    except asyncio.CancelledError:
        patience_s = IMPATIENCE_S
        raise
    finally:
        looks.end()
        with anyio.CancelScope(shield=True):
            delivery = await in_thread(lambda: exporter.close(patience_s))
        _tell(delivery, url)


class Looks:
    """Tells an exporter the levels every few seconds until `end`: they change also while no topic
    ends.
    """

    def __init__(self, exporter: BackgroundExporter, levels: Callable[[], Levels]) -> None:
        self._exporter = exporter
        self._levels = levels
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        self._exporter.note(measured(self._levels()))
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def end(self) -> None:
        self._timer.cancel()


def check_installed() -> None:
    """Raise SettingsError where the extra is missing, before anything is begun."""
    try:
        importlib.import_module("harness.telemetry.otlp")
    except ImportError as error:
        raise SettingsError(
            f"otlp: the OpenTelemetry SDK is not there ({error}): pip install"
            ' "reasoning-harness[otel]"'
        ) from error


def measured(levels: Levels) -> tuple[Measurement, ...]:
    """Return levels as measurements."""
    return (
        Measurement(names.IN_FLIGHT, levels.in_flight, {}),
        Measurement(names.WAITING, levels.waiting, {}),
        Measurement(names.SLOTS, levels.slots, {}),
        Measurement(names.DOWN, int(levels.is_down), {}),
    )


def _tell(delivery: Delivery, url: str) -> None:
    if delivery.dropped or not delivery.metrics_taken:
        metrics = "" if delivery.metrics_taken else " and the metrics"
        log.warning(
            "the collector at %s missed %s of %s spans%s: %s. Nothing of the run is lost, its"
            " results have it all; see that a collector takes OTLP over HTTP there, or leave"
            " --otlp out",
            url,
            f"{delivery.dropped:,}",
            f"{delivery.dropped + delivery.sent:,}",
            metrics,
            delivery.why,
        )
    else:
        log.debug("%d spans and the metrics reached %s", delivery.sent, url)
