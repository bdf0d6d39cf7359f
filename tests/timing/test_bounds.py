from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.domain.policy import Limits
from harness.timing.bounds import Bound, CallTimes, bound_of, critical_path_s, pace_s, work_s


def a_call(id_: str, start_s: float, end_s: float, *, topic: str = "t", **parts: Any) -> CallTimes:
    """A call that was served from its start to its end, but for the parts that are named."""
    waits = sum(value for name, value in parts.items() if name.endswith("_s"))
    served = {"service_s": end_s - start_s - waits, **parts}
    return CallTimes(
        topic_id=topic, id=id_, step=id_.rpartition("/")[2], start_s=start_s, end_s=end_s, **served
    )


# The workflow `research`, without limits: plan, three questions at once, report.
RESEARCH = [
    a_call("decompose", 0, 2),
    a_call("research.1/research", 2, 5),
    a_call("research.2/research", 2, 6),
    a_call("research.3/research", 2, 4),
    a_call("synthesize", 6, 7),
]


def test_work_is_the_sum_and_the_critical_path_the_longest_chain() -> None:
    assert work_s(RESEARCH) == 12
    assert critical_path_s(RESEARCH) == 2 + 4 + 1


def test_work_is_the_same_to_the_last_digit_whoever_adds_it_up() -> None:
    assert work_s([a_call(f"ask#{n}", 0, 0.1) for n in range(10)]) == 1.0


def test_a_record_under_a_limit_of_one_has_the_same_critical_path() -> None:
    one_by_one = [
        a_call("decompose", 0, 2),
        a_call("research.1/research", 2, 5),
        a_call("research.2/research", 2, 9, queued_s=3),
        a_call("research.3/research", 2, 11, queued_s=7),
        a_call("synthesize", 11, 12),
    ]
    assert critical_path_s(one_by_one) == critical_path_s(RESEARCH)


def test_parts_of_one_fan_out_never_wait_for_each_other() -> None:
    parts = [
        a_call("part.1/a", 0, 1),
        a_call("part.2/a", 0, 6, queued_run_s=1),
        a_call("part.1/b", 1, 9, queued_run_s=5),
        a_call("part.2/b", 6, 10, queued_run_s=3),
    ]
    # By the clock alone, part.1/a (1) came before part.2/b (1), and part.2/a (5) before nothing of
    # part.1.
    assert critical_path_s(parts) == 6
    again = [a_call("part.1/a", 0, 1), a_call("part.2#2/a", 1, 3)]
    assert critical_path_s(again) == 3  # another fan-out, which followed the first


def test_a_call_and_its_repetition_are_a_chain() -> None:
    assert critical_path_s([a_call("ask", 0, 1), a_call("ask#2", 1, 3)]) == 3
    assert critical_path_s([a_call("ask", 0, 1), a_call("ask/more", 1, 3)]) == 3
    assert critical_path_s([]) == 0


def test_the_bound_is_the_greatest_of_three() -> None:
    topics = [*RESEARCH, a_call("ask", 0, 4, topic="u")]
    assert bound_of(topics, Limits(in_flight=2)) == Bound(
        work_s=16, critical_path_s=7, pace_s=0, in_flight=2
    )
    assert (
        bound_of(topics, Limits(in_flight=2)).seconds,
        bound_of(topics, Limits(in_flight=2)).by,
    ) == (8, "work")
    assert (
        bound_of(topics, Limits(in_flight=4)).seconds,
        bound_of(topics, Limits(in_flight=4)).by,
    ) == (
        7,
        "critical path",
    )
    paced = bound_of(topics, Limits(in_flight=4, requests_per_minute=20))
    # Six calls, one of them at once, a twentieth of a minute each.
    assert (paced.seconds, paced.by) == (15, "pace")


def test_a_call_leaves_when_the_tokens_of_those_before_it_are_within_the_pace() -> None:
    calls = [a_call(f"ask#{n}", 60 * n, 60 * n + 1, tokens=600) for n in range(5)]
    for in_flight in (2, 5):
        limits = Limits(in_flight=in_flight, tokens_per_minute=600)
        assert pace_s(calls, limits) == pytest.approx((4 * 600 - 10) / 10)
    largest_last = [replace(call, tokens=600 if n else 900) for n, call in enumerate(calls)]
    assert pace_s(largest_last, limits) == pytest.approx((4 * 600 - 10) / 10)
    assert pace_s([], limits) == 0


def test_where_the_guess_at_tokens_in_flight_was_low_the_last_call_may_have_left_before() -> None:
    calls = [a_call(f"ask#{n}", n, n + 30, tokens=600) for n in range(5)]
    assert pace_s(calls, Limits(in_flight=5, tokens_per_minute=600)) == 4


def test_efficiency_is_a_share_of_the_wall() -> None:
    bound = Bound(work_s=12, critical_path_s=7, pace_s=0, in_flight=1)
    assert bound.efficiency(16) == 0.75
    assert bound.efficiency(12 - 1e-9) == 1.0
    assert bound.efficiency(0) is None


def test_what_a_slow_provider_adds_is_no_work() -> None:
    call = a_call("ask", 0, 6).slowed(1.5)
    assert (call.service_s, call.provider_queue_s) == (4, 2)
    assert a_call("ask", 0, 6).slowed(0.5).service_s == 6  # faster than alone: it is what it was
