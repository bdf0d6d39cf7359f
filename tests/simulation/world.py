"""The world of one night, drawn from a seed: what is asked, what is allowed, how the others behave,
what goes wrong.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from harness.domain.policy import CacheMode
from harness.settings import Settings

T = TypeVar("T")

Shape = Literal["single", "chain", "fan", "nested", "own group"]
Fault = Literal[
    "reset before",
    "reset after",
    "stall",
    "server error",
    "refused",
    "garbage",
    "blank",
    "unfinished",
    "interrupted",
]
EndingKind = Literal[
    "crash", "crash later", "interrupt", "interrupt twice", "auth", "balance", "disk full"
]
OutageKind = Literal[
    "unavailable",
    "bad gateway",
    "internal",
    "no connection",
    "reset",
    "too many",
    "silence",
    "loading",
]
DiskWork = Literal["look", "open", "resolve", "row"]

FAULTS: tuple[Fault, ...] = (
    "reset before", "reset after", "stall", "server error", "refused", "garbage", "blank", "unfinished", "interrupted",
)  # fmt: skip
OUTAGES: tuple[OutageKind, ...] = (
    "unavailable", "bad gateway", "internal", "no connection", "reset", "too many", "silence", "silence", "loading",
)  # fmt: skip
NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
SHORTLY_BEFORE_PEAK = datetime(2026, 11, 17, 0, 59, 40, tzinfo=UTC)
DEFAULT_CALLS = 200
LARGE_FROM = 1000
"""Seeds from here on are only run on demand; every tenth of them is a large world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A window of time, in seconds of the night, in which a share of all requests meets one
    fault.
    """

    start_s: float
    end_s: float
    share: float
    fault: Fault
    retry_after_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A window of time, in seconds of the night, in which no request is answered.

    Requests that were sent before it are answered, but `reset` breaks off those whose answer has
    not begun, and `silence` leaves them unanswered for ever.
    """

    start_s: float
    end_s: float
    kind: OutageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a session is ended from outside, if it does not end before.

    `crash`: at the `step`-th event of a port and `turns` turns of the loop later. `crash later`,
    `interrupt`: after `after_s`; `again_s` later the second signal. `auth`, `balance`: from the
    `step`-th request on the account refuses, until it is topped up after the session. `disk full`:
    from the `step`-th event on all `work` fails until the session is over, `committed` and yet
    reported as failed, or not.
    """

    kind: EndingKind
    step: int = 0
    turns: int = 0
    after_s: float = 0.0
    again_s: float = 0.0
    work: frozenset[DiskWork] = frozenset()
    committed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that decides a night."""

    seed: int
    settings: Settings
    # What is asked
    topics: int
    shape: Shape
    width: int
    depth: int
    vocabulary: int
    broken_topics: float
    hopeless_prompts: float
    # The provider
    latency: Callable[[random.Random], float]
    carries: tuple[tuple[float, int], ...]
    announces: bool
    holds_s: float
    rate_per_minute: int | None
    faults: tuple[tuple[Fault, float], ...]
    storms: tuple[Storm, ...]
    outages: tuple[Outage, ...]
    begins_after: float
    tells_usage: float
    calm_from_s: float
    # The disk
    look_s: float
    commit_s: float
    seeded: float
    seeded_age_s: float
    # The user
    begins: datetime
    endings: tuple[Ending, ...]
    rest_s: float

    @property
    def cancels_nothing(self) -> bool:
        """Whether no part of its workflow ever has a reason to cancel its sisters."""
        return self.shape == "fan" and self.settings.max_calls >= DEFAULT_CALLS

    @property
    def weathers_all(self) -> bool:
        """Whether nothing goes wrong at the provider but outages, and each is shorter than the
        patience.
        """
        longest_s = max((outage.end_s - outage.start_s for outage in self.outages), default=0.0)
        patient = self.settings.patience > 2 * longest_s
        return bool(self.outages) and patient and not self.faults and not self.storms

    @property
    def quiet_from_s(self) -> float:
        """The time from which nothing goes wrong at the provider any more."""
        return max([self.calm_from_s, *(outage.end_s for outage in self.outages)])


def world_of(seed: int) -> World:
    """The world of a seed; equal in every version of Python and on every machine."""
    draw = _Draw(seed)
    large = seed >= LARGE_FROM and seed % 10 == 0
    topics = draw.whole(40, 120) if large else draw.whole(3, 15)
    shape: Shape = draw.one(("single", "chain", "fan", "fan", "nested", "own group"))
    weather = draw.one((0.0, 0.0, 0.03, 0.1, 0.25))
    drawn = _Draw(f"outages {seed}")
    outages = _outages(drawn) if drawn.chance(0.4) else ()
    # In half of the nights with outages nothing else goes wrong at the provider.
    only_outages = bool(outages) and drawn.chance(0.5)
    return World(
        seed=seed,
        settings=_settings(draw, seed, patience_s=_patience_s(drawn)),
        topics=topics,
        shape=shape,
        width=draw.whole(1, 5) if shape != "nested" else draw.whole(1, 3),
        depth=draw.whole(1, 4) if shape == "chain" else draw.whole(1, 3),
        vocabulary=draw.one((2, 5, 20, 1000, 1_000_000)),
        broken_topics=draw.one((0.0, 0.0, 0.1)),
        hopeless_prompts=draw.one((0.0, 0.0, 0.0, 0.05, 0.2)),
        latency=_latency(draw),
        carries=(
            tuple(
                (draw.real(0.0, 60.0) * part, draw.whole(1, 8)) for part in range(draw.whole(1, 2))
            )
            if draw.chance(0.4)
            else ()
        ),
        announces=draw.chance(0.5),
        holds_s=draw.one((0.0, 0.0, 0.05)),
        rate_per_minute=draw.one((None, None, None, 30, 120, 600)),
        faults=_unless(
            only_outages,
            tuple((fault, weather * draw.real(0.0, 0.5)) for fault in FAULTS if draw.chance(0.4)),
        ),
        storms=_unless(only_outages, tuple(_storm(draw) for _ in range(draw.one((0, 0, 1, 2))))),
        outages=outages,
        begins_after=drawn.one((0.05, 0.3, 0.9)),
        tells_usage=draw.one((1.0, 1.0, 1.0, 0.7, 0.0)),
        calm_from_s=draw.real(30.0, 400.0),
        look_s=draw.one((0.0, 0.0, 0.001, 0.02)),
        commit_s=draw.one((0.0, 0.004, 0.004, 0.05, 0.8)),
        seeded=draw.one((0.0, 0.0, 0.3, 1.0)),
        seeded_age_s=draw.one((60.0, 3600.0, 1e7)),
        begins=draw.one((NOON, NOON, SHORTLY_BEFORE_PEAK)),
        endings=tuple(_ending(draw, topics) for _ in range(draw.one((0, 1, 1, 2, 3, 4)))),
        rest_s=draw.real(0.0, 90.0),
    )


class _Draw:
    """Choices from a seed. Of all methods of `random.Random`, `random()` alone promises the same in
    every version.
    """

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed).random

    def chance(self, share: float) -> bool:
        return self._random() < share

    def real(self, low: float, high: float) -> float:
        return low + (high - low) * self._random()

    def whole(self, low: int, high: int) -> int:
        return low + int(self._random() * (high - low + 1))

    def about(self, middle: float) -> int:
        """A whole number around `middle`, seldom far from it."""
        return max(1, round(middle * math.exp(2.0 * self.real(-1.0, 1.0))))

    def one(self, items: Sequence[T]) -> T:
        return items[int(self._random() * len(items))]


def _settings(draw: _Draw, seed: int, *, patience_s: float) -> Settings:
    mode: CacheMode = draw.one(("read_write", "read_write", "read_write", "refresh", "off"))
    model = draw.one(("priced", "priced", "deepseek-flash", "unpriced"))
    cap = draw.one((None, None, None, "cost", "tokens"))
    chosen: dict[str, Any] = {
        "endpoint": "mock",
        "model": model,
        "seed": seed,
        "patience": patience_s,
        "cache_mode": mode,
        "ttl": draw.one((None, None, 1000.0)),
        "in_flight": draw.one((1, 2, 3, 5, 8, 12, 64)),
        "per_run": draw.whole(1, 6),
        "runs": draw.one((1, 2, 3, 5, None)),
        "rpm": draw.one((None, None, None, 60, 240, 1200)),
        "tpm": draw.one((None, None, None, 20_000, 200_000)),
        "max_calls": draw.one((*[DEFAULT_CALLS] * 4, 4)),
        "attempts": draw.whole(1, 6),
        # A dollar a token makes sums that can be read.
        "prices": {"priced": {"input": 1_000_000.0, "output": 1_000_000.0}},
    }
    if cap == "tokens":
        chosen["budget_tokens"] = draw.about(5_000)
    elif cap == "cost" and model != "unpriced":
        chosen["budget"] = draw.about(5_000) * (1.0 if model == "priced" else 6e-7)
    return Settings(**chosen)


def _unless(clear: bool, troubles: tuple[T, ...]) -> tuple[T, ...]:
    return () if clear else troubles


def _patience_s(draw: _Draw) -> float:
    return draw.one((0.0, 0.0, draw.real(60.0, 900.0), 6 * 3600.0, 6 * 3600.0, 6 * 3600.0))


def _outages(draw: _Draw) -> tuple[Outage, ...]:
    """One to three, one after another, of half a minute to two hours."""
    outages: list[Outage] = []
    at_s = draw.one((0.0, draw.real(0.5, 40.0)))
    for _ in range(draw.whole(1, 3)):
        kind = draw.one(OUTAGES)
        end_s = at_s + 30.0 * 240.0 ** draw.real(0.0, 1.0)
        outages.append(Outage(start_s=at_s, end_s=end_s, kind=kind))
        at_s = end_s + draw.real(5.0, 120.0)
    return tuple(outages)


def _latency(draw: _Draw) -> Callable[[random.Random], float]:
    middle_s = draw.one((0.0, 0.2, 2.0, 10.0))
    kind = draw.one(("fixed", "uniform", "heavy"))
    if kind == "fixed":
        return lambda chance: middle_s
    if kind == "uniform":
        return lambda chance: 2 * middle_s * chance.random()
    return lambda chance: middle_s * 0.5 / max(0.01, chance.random())


def _storm(draw: _Draw) -> Storm:
    start_s = draw.real(0.0, 60.0)
    return Storm(
        start_s=start_s,
        end_s=start_s + draw.real(1.0, 90.0),
        share=draw.one((0.3, 0.8, 1.0)),
        fault=draw.one(("refused", "refused", "server error", "reset before", "reset after")),
        retry_after_s=draw.one((None, None, 0.0, 3.0, 45.0, math.nan, -1.0, 1e6)),
    )


def _ending(draw: _Draw, topics: int) -> Ending:
    kind: EndingKind = draw.one(
        (
            "crash",
            "crash",
            "crash",
            "crash later",
            "interrupt",
            "interrupt twice",
            "auth",
            "balance",
            "disk full",
        )
    )
    works: tuple[frozenset[DiskWork], ...] = (
        frozenset({"open", "resolve", "row"}),
        frozenset({"row"}),
        frozenset({"resolve"}),
        frozenset({"open"}),
        frozenset({"look"}),
    )
    return Ending(
        kind=kind,
        step=draw.about(4 * topics if kind in {"crash", "disk full"} else topics),
        turns=draw.one((0, 0, 1, 2, 5)),
        after_s=draw.real(0.0, 4.0) ** 2,
        again_s=draw.real(0.0, 3.0),
        work=draw.one(works),
        committed=draw.chance(0.3),
    )
