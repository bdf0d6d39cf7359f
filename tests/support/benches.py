"""A benchmark whose numbers can be worked out by hand: topics of 4 s and 6 s, one after the other
and both at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from harness.bench.arms import Arm
from harness.bench.description import About, Description
from harness.bench.files import Bench
from harness.bench.measured import Measured
from harness.domain.policy import Limits
from harness.timing.bounds import CallTimes

ONE, TWO = Limits(in_flight=1, per_run=1, runs=1), Limits(in_flight=2, per_run=2, runs=2)
SEQUENTIAL, PARALLEL = (
    Arm(name="sequential", limits=ONE),
    Arm(name="batch-2", limits=TWO, swept=True),
)


T = TypeVar("T")


def known(value: T | None) -> T:
    """Return a number that must be there."""
    assert value is not None
    return value


def no_other_clock(session: Any) -> Any:
    """The `run_async` of a benchmark on virtual time."""
    raise AssertionError("virtual time needs no other clock")


def a_call(
    arm: str, topic: str, start_s: float, end_s: float, *, round_: int = 1, **fields: Any
) -> Measured:
    queued_s = fields.pop("queued_s", 0.0)
    before = fields.pop("before", ())
    times = CallTimes(
        topic_id=topic,
        id="ask",
        step="ask",
        start_s=start_s,
        end_s=end_s,
        service_s=fields.pop("service_s", end_s - start_s - queued_s),
        queued_s=queued_s,
        before=before,
        tokens=30,
    )
    known: dict[str, Any] = {
        "key": f"key of {topic}",
        "model": "m",
        "ttft_reasoning_s": None,
        "ttft_answer_s": 1.0,
        "input_tokens": 20,
        "output_tokens": 10,
        "cached_tokens": 5,
        "cost": 0.5,
        "failed": False,
    }
    return Measured(arm=arm, round=round_, times=times, **{**known, **fields})


def a_round(number: int = 1, factor: float = 1.0) -> list[Measured]:
    """Two topics of 4 s and 6 s: one after the other, and both at once."""
    return [
        a_call("sequential", "t", 0, 4 * factor, round_=number),
        a_call("sequential", "u", 4 * factor, 10 * factor, round_=number),
        a_call("batch-2", "t", 0, 4 * factor, round_=number),
        a_call("batch-2", "u", 0, 6 * factor, round_=number),
    ]


def a_bench(
    calls: list[Measured],
    *,
    name: str = "bench",
    repeat: int = 1,
    arms: tuple[Arm, ...] = (SEQUENTIAL, PARALLEL),
    **changes: Any,
) -> Bench:
    description = Description(
        status="complete",
        created_at=None,
        about=About(harness="1", python="3", openai="3", system="Linux", cores=2, seed=0),
        virtual=True,
        repeat=repeat,
        topics=2,
        warm_up=None,
        arms=arms,
        order=(),
        settings={"latency": "fixed:1", "seed": 0},
        identity={"endpoint": "mock", "model": "m", "dataset": "d"},
    )
    return Bench(path=Path(name), description=replace(description, **changes), calls=tuple(calls))
