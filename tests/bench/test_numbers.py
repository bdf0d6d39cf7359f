"""From calls to numbers, on made-up calls whose numbers can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from benches import PARALLEL, SEQUENTIAL, TWO, a_bench, a_call, a_round, known
from hypothesis import given
from hypothesis import strategies as st

from harness.bench.arms import Arm, arms_of
from harness.bench.numbers import report_of
from harness.domain.policy import Limits
from harness.errors import ResultsError
from harness.timing.bounds import FailedTimes


def test_an_arm_is_told_in_numbers() -> None:
    report = report_of(a_bench(a_round()))
    sequential, parallel = report.arms

    assert sequential.wall_s == 10
    assert known(sequential.speedup).value == known(sequential.topic_speedup).value == 1.0
    assert sequential.efficiency == 1.0
    assert parallel.wall_s == 6
    assert known(parallel.speedup).value == pytest.approx(10 / 6)
    assert parallel.bound.seconds == 6
    assert parallel.bound.by == "critical path"
    assert parallel.calls_per_s == pytest.approx(2 / 6)
    assert parallel.tokens_per_s == pytest.approx(10)
    assert (parallel.cached_tokens, parallel.input_tokens, parallel.cost) == (10, 40, 1.0)
    assert known(parallel.steps[0].total_s).p50 == 5


def test_the_queue_wait_counts_from_when_the_call_was_wanted() -> None:
    calls = [*a_round()[:3], a_call("batch-2", "u", 0, 9, queued_s=3)]
    parallel = report_of(a_bench(calls)).arms[1]
    assert known(parallel.steps[0].queue_wait_s).high == 3
    assert known(parallel.steps[0].total_s).high == 9


def test_one_round_has_no_interval_and_says_so() -> None:
    report = report_of(a_bench(a_round()))
    assert known(report.arms[1].speedup).low is None
    assert any("One round only" in note for note in report.notes)


def test_several_rounds_have_an_interval() -> None:
    calls = [*a_round(1), *a_round(2, 1.5), *a_round(3, 0.5)]
    report = report_of(a_bench(calls, repeat=3))
    assert known(report.arms[1].speedup).low == pytest.approx(10 / 6)
    assert report.arms[1].wall_s == pytest.approx(6)
    assert any("3 rounds only" in note for note in report.notes)


def test_what_a_provider_takes_longer_under_load_is_its_queue_and_no_work() -> None:
    calls = [*a_round()[:2], a_call("batch-2", "t", 0, 8), a_call("batch-2", "u", 0, 12)]
    parallel = report_of(a_bench(calls)).arms[1]
    assert parallel.bound.seconds == pytest.approx(6)
    # Of 12 s both waited for 4 s and one of them for 2 s more; then, for 4 s, there was only one to
    # wait for.
    assert parallel.losses["provider"] == pytest.approx(5)
    assert parallel.losses["order"] == pytest.approx(1)
    assert "5.0 s was lost to slower answers than in the baseline" in parallel.story


def test_an_attempt_in_vain_is_told_as_lost() -> None:
    late = a_call(
        "batch-2", "u", 0, 9, service_s=6, before=(FailedTimes(elapsed_s=2, backoff_s=1),)
    )
    parallel = report_of(a_bench([*a_round()[:3], late])).arms[1]
    # Of two places one was wasted for 2 s; who was asleep meanwhile could have used the other.
    assert parallel.losses["attempts"] == pytest.approx(2 * 0.5)
    assert parallel.losses["backoff"] == pytest.approx(1 * 0.5)


def test_a_bound_that_was_met_is_not_above_the_wall_by_rounding() -> None:
    calls = [
        a_call("sequential", "t", 0, 1, service_s=1.000001),
        a_call("sequential", "u", 1, 2),
        *a_round()[2:],
    ]
    assert report_of(a_bench(calls)).arms[0].efficiency == 1.0


times = st.floats(0.01, 100)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=3))
def test_the_losses_add_up_and_the_bound_is_below_the_wall(
    rounds: list[tuple[float, float]],
) -> None:
    calls = []
    for number, (a, b) in enumerate(rounds, start=1):
        calls += [
            a_call("sequential", "t", 0, a, round_=number),
            a_call("sequential", "u", a, a + b, round_=number),
            a_call("batch-2", "t", 0, a, round_=number),
            a_call("batch-2", "u", 0, a + b, round_=number, queued_s=a, service_s=b),
        ]
    for arm in report_of(a_bench(calls, repeat=len(rounds))).arms:
        assert arm.bound.seconds <= arm.wall_s + 1e-9
        assert sum(arm.losses.values()) == pytest.approx(arm.wall_s - arm.bound.seconds, abs=1e-6)
        if arm.name == "sequential":
            assert known(arm.speedup).value == known(arm.topic_speedup).value == 1.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": "another prompt"}, "first prompts differ"),
        ({"model": "another"}, "models differ"),
        ({"times": replace(a_round()[3].times, topic_id="v")}, "topics differ"),
    ],
)
def test_arms_that_did_other_work_are_not_compared(change: dict[str, Any], said: str) -> None:
    calls = [*a_round()[:3], replace(a_round()[3], **change)]
    with pytest.raises(ResultsError, match=said):
        report_of(a_bench(calls))


def test_a_round_that_is_missing_is_said() -> None:
    with pytest.raises(ResultsError, match="round 2 of sequential has no timings"):
        report_of(a_bench(a_round(), repeat=2))


def test_a_round_that_nobody_announced_is_said() -> None:
    with pytest.raises(ResultsError, match="calls of batch-2, round 2, which it does not name"):
        report_of(a_bench([*a_round(), *a_round(2)]))


def test_more_in_flight_than_topics_is_said_and_left_out_of_the_fits() -> None:
    report = report_of(a_bench(a_round(), topics=1))
    assert report.arms[1].underfed
    assert report.scaling is None
    assert any("batch-2*: 2 calls in flight and only 1 topic," in note for note in report.notes)


def test_one_topic_at_a_time_never_has_more_in_flight_than_topics() -> None:
    calls = [replace(call, arm="per-run") if call.arm == "batch-2" else call for call in a_round()]
    report = report_of(a_bench(calls, topics=1, arms=(SEQUENTIAL, Arm(name="per-run", limits=TWO))))
    assert not report.arms[1].underfed


def test_without_a_sequential_arm_the_first_is_what_is_compared_with() -> None:
    calls = [call for call in a_round() if call.arm == "batch-2"]
    report = report_of(a_bench(calls, arms=(PARALLEL,)))
    assert report.baseline == "batch-2"
    assert any("There is no sequential arm" in note for note in report.notes)


def test_topics_at_once_follow_the_calls_in_flight_of_the_arm_where_nobody_says_how_many() -> None:
    arms = arms_of(("batch",), (16, 4), Limits())
    bench = a_bench([a_call(arm.name, "t", 0, 4) for arm in arms], arms=arms)
    assert [arm.limits.runs for arm in report_of(bench).arms] == [8, 32]
