"""A night of 10,000 topics through ten outages of its provider, on virtual time, over the engine as
it is.

`python benchmarks/night.py` prints a line for each outage and whether the aim is met: every topic
is answered, what is sent during an outage are probes and what was in flight at its start, and the
run goes on within a minute of its end (of a hang: and the time to notice that a probe hangs, too).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from harness.cache.memory import MemoryCache
from harness.compose import Policies, layered
from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Served, Usage
from harness.domain.failures import TransientError
from harness.domain.ledger import Ledger
from harness.domain.run import Span, Topic, TopicResult
from harness.domain.step_options import StepOptions
from harness.engine.runner import Runner
from harness.engine.step import RunContext, Step
from harness.engine.stopping import Stop
from harness.errors import FailureKind
from harness.settings import Settings
from harness.testing.virtual_time import VirtualClock, run_virtual

MOST_PROBES = 8
"""Probes until they are a minute apart, and one more; after that one every half minute at most."""
LOOK_S = 60.0
NOTICE_S = 120.0 + 15.0
ASKS_EVERY_S = 15.0
UNTIL_CERTAIN = 4
"""The first failure, and three more while older answers still come in."""

SAYS: dict[str, tuple[str, FailureKind, int | None]] = {
    "503": ("503: service unavailable", "server", 503),
    "502 HTML": ("502: a page of HTML", "gateway", 502),
    "500": ("500: internal server error", "server", 500),
    "refused": ("no connection: refused", "connection", None),
    "no name": ("no connection: name or service not known", "connection", None),
    "reset": ("connection reset", "connection", None),
    "429": ("429: too many requests", "rate_limited", 429),
    "cold start": ("503: Loading model", "server", 503),
}
LASTING_S = {
    "cold start": 600.0,
    "503": 7200.0,
    "hang": 1200.0,
    "refused": 30.0,
    "502 HTML": 5400.0,
    "reset": 60.0,
    "429": 3600.0,
    "500": 1800.0,
    "no name": 120.0,
    "hang again": 300.0,
}
BETWEEN_S = 300.0


@dataclass(slots=True)
class Outage:
    """A time in which nothing is answered. `in_flight` were under way at its start, `sent` came
    while it lasted.
    """

    kind: str
    start_s: float
    end_s: float
    in_flight: int = 0
    sent: int = 0
    first_answer_s: float | None = None

    @property
    def hangs(self) -> bool:
        return self.kind.startswith("hang")

    @property
    def goes_on_after_s(self) -> float:
        """Seconds from its end to the first answer begun of a request that was sent after it."""
        return math.inf if self.first_answer_s is None else self.first_answer_s - self.end_s

    @property
    def holds(self) -> bool:
        """Whether what is promised of an outage is so of this one."""
        probes = MOST_PROBES + (self.end_s - self.start_s) / (LOOK_S / 2)
        within_s = LOOK_S + Provider.SLOWEST_BEGIN_S + (NOTICE_S if self.hangs else 0.0)
        return (
            self.sent <= probes + self.in_flight + UNTIL_CERTAIN
            and self.goes_on_after_s <= within_s
        )


@dataclass(slots=True)
class Provider:
    """A Completer that begins its answers after up to 10 s and has them whole after 10 to 40 s
    more.
    """

    outages: Sequence[Outage]
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    in_flight: int = 0

    SLOWEST_BEGIN_S = 10.0

    async def complete(self, request: Request, call: Call) -> Completion:
        at = _at()
        begins_at = at + self.chance.uniform(0.5, self.SLOWEST_BEGIN_S)
        whole_at = begins_at + self.chance.uniform(10.0, 40.0)
        outage = self._met(at, begins_at)
        self.in_flight += 1
        try:
            if outage is not None:
                raise await self._away(outage, call, at)
            await asyncio.sleep(begins_at - at)
            self._begins(call, at)
            await asyncio.sleep(whole_at - _at())
        finally:
            self.in_flight -= 1
        usage = Usage(input_tokens=500, output_tokens=900)
        answer = Completion(
            model=request.model, content="an answer", finish_reason="stop", usage=usage
        )
        return replace(answer, served=Served(latency_s=_at() - at))

    async def count_what_is_in_flight(self) -> None:
        """Note at the start of each outage how many requests are under way."""
        for outage in self.outages:
            await asyncio.sleep(outage.start_s - _at())
            outage.in_flight = self.in_flight

    def _met(self, at: float, begins_at: float) -> Outage | None:
        """The outage into which a request is sent, or that takes it before its answer has begun."""
        for outage in self.outages:
            if outage.start_s <= at < outage.end_s:
                outage.sent += 1
                return outage
            if at < outage.start_s < begins_at and (outage.hangs or outage.kind == "reset"):
                return outage
        return None

    async def _away(self, outage: Outage, call: Call, at: float) -> TransientError:
        if outage.hangs:
            return await self._given_up(call, at)
        await asyncio.sleep(max(0.02, outage.start_s - at))
        text, kind, status = SAYS[outage.kind]
        return TransientError(text, kind=kind, status=status)

    async def _given_up(self, call: Call, at: float) -> TransientError:
        """Ask, as the endpoint's adapter does, what to do about a silence, until it is to be given
        up.
        """
        assert call.attempt.on_silence is not None
        deadline = at + 600.0
        while True:
            await asyncio.sleep(ASKS_EVERY_S)
            verdict = call.attempt.on_silence(_at() - at)
            if verdict == "wait on" and _at() >= deadline:
                deadline = _at() + 600.0
            elif verdict == "give up" or _at() >= deadline:
                return TransientError("sent no first token", kind="timeout", billed="unknown")

    def _begins(self, call: Call, sent_at: float) -> None:
        assert call.attempt.on_life is not None
        call.attempt.on_life()
        for outage in self.outages:
            if outage.first_answer_s is None and sent_at >= outage.end_s:
                outage.first_answer_s = _at()


@dataclass(slots=True)
class Rows:
    """Results that are counted."""

    by_status: dict[str, int] = field(default_factory=lambda: {"ok": 0, "degraded": 0, "failed": 0})

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """See `harness.ports.Results`."""
        self.by_status[result.status] += 1


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """What came of it. Times in seconds, virtual but for `real_s`."""

    topics: int
    ok: int
    outages: Sequence[Outage]
    lasted_s: float
    real_s: float

    @property
    def met(self) -> bool:
        return self.ok == self.topics and all(outage.holds for outage in self.outages)

    def lines(self) -> Iterator[str]:
        """The table, and the verdict."""
        yield (
            f"{'outage':12} {'lasts':>8} {'in flight':>10} {'sent into it':>13}"
            f" {'goes on after':>14}"
        )
        for outage in self.outages:
            lasts, after = (
                f"{outage.end_s - outage.start_s:.0f} s",
                f"{outage.goes_on_after_s:.1f} s",
            )
            yield f"{outage.kind:12} {lasts:>8} {outage.in_flight:10} {outage.sent:13} {after:>14}"
        yield (
            f"{self.ok:,} of {self.topics:,} topics ok; {self.lasted_s / 3600:.1f} h in"
            f" {self.real_s:.1f} s"
        )
        yield "met" if self.met else "NOT met"


def ten_outages() -> list[Outage]:
    """One after another, the first from the start on."""
    outages, at = [], 0.0
    for kind, lasting_s in LASTING_S.items():
        outages.append(Outage(kind, at, at + lasting_s))
        at += lasting_s + BETWEEN_S
    return outages


def played(topics: int, in_flight: int) -> SimulatedRun:
    """Run the night, in less time than it takes."""
    began = time.perf_counter()
    outages = ten_outages()
    ok, lasted_s = run_virtual(_night, topics, in_flight, outages)
    return SimulatedRun(topics, ok, outages, lasted_s, time.perf_counter() - began)


async def _night(topics: int, in_flight: int, outages: Sequence[Outage]) -> tuple[int, float]:
    settings = Settings(endpoint="mock", in_flight=in_flight)
    provider, rows, stop, clock = Provider(outages), Rows(), Stop(), VirtualClock()
    completer, limiter = layered(
        provider,
        cache=MemoryCache(),
        policies=Policies.of(settings),
        limits=settings.limits(),
        ledger=Ledger(budget=settings.spending_cap()),
        stop=stop,
        clock=clock,
    )

    async def answer(step: Step, topic: Topic) -> str:
        return (await step.complete("ask", topic.text)).content

    runner = Runner(
        workflow=answer,
        context=RunContext(
            run_id="night",
            endpoint="mock",
            workflow="answer",
            defaults=StepOptions(model="m", max_tokens=2000),
        ),
        completer=completer,
        results=rows,
        stop=stop,
        clock=clock,
        runs=settings.limits().open_runs,
        ending=limiter.ending,
    )
    counting = asyncio.create_task(provider.count_what_is_in_flight())
    await runner.run(
        Topic(id=f"t{index}", text=f"topic {index}", index=index) for index in range(topics)
    )
    lasted_s = _at()
    counting.cancel()
    return rows.by_status["ok"], lasted_s


def _at() -> float:
    return asyncio.get_running_loop().time()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--topics", type=int, default=10_000)
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    night = played(options.topics, options.in_flight)
    print("\n".join(night.lines()))
    return 0 if night.met else 1


if __name__ == "__main__":
    sys.exit(main())
