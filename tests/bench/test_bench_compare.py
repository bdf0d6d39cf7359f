"""One benchmark against another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from benches import PARALLEL, SEQUENTIAL, a_bench, a_round, known

from harness.bench.arms import Arm
from harness.bench.compare import compare, comparison_table, verdict_of
from harness.errors import ResultsError
from harness.timing.stats import Ratio

WIDER = replace(PARALLEL, limits=replace(PARALLEL.limits, runs=7))


def test_comparing_with_itself_shows_no_difference_and_with_half_the_time_that_it_is_faster() -> (
    None
):
    slow = a_bench([*a_round(1), *a_round(2)], name="slow", repeat=2)
    fast = a_bench([*a_round(1, 0.5), *a_round(2, 0.5)], name="fast", repeat=2)
    assert [arm.verdict for arm in compare(slow, slow).arms] == ["no difference shown"] * 2
    assert [arm.verdict for arm in compare(slow, fast).arms] == ["faster"] * 2
    assert [known(arm.ratio).value for arm in compare(fast, slow).arms] == pytest.approx([2.0, 2.0])


def test_a_verdict_says_no_more_than_its_interval() -> None:
    assert verdict_of(Ratio(value=1.2, low=1.1, high=1.3, pairs=5)) == "slower"
    assert verdict_of(Ratio(value=1.2, low=None, high=None, pairs=1)).startswith("cannot say")
    assert verdict_of(None).startswith("cannot say")


def test_of_few_rounds_it_is_said_how_little_an_interval_holds() -> None:
    notes = {
        repeat: compare(
            *[a_bench([call for n in range(1, repeat + 1) for call in a_round(n)], repeat=repeat)]
            * 2
        ).notes
        for repeat in (2, 5)
    }
    assert ["some 50 % hold the true value" in note for note in notes[2]] == [True]
    assert notes[5] == ()


def test_an_arm_with_more_in_flight_than_topics_keeps_its_star() -> None:
    wide = Arm(name="batch-3", limits=replace(PARALLEL.limits, in_flight=3), swept=True)
    bench = a_bench(
        [replace(call, arm="batch-3") for call in a_round() if call.arm == "batch-2"], arms=(wide,)
    )
    found = compare(bench, bench)
    assert comparison_table(found).rows[0][0] == "batch-3*"
    assert "batch-3*: more calls in flight than there are topics." in found.notes


def test_only_rounds_that_both_have_are_compared_and_shown() -> None:
    longer = a_bench([*a_round(1), *a_round(2, 3.0)], name="longer", repeat=2)
    found = compare(longer, a_bench(a_round(1), name="shorter"))
    assert [arm.wall_s for arm in found.arms] == [(10, 10), (6, 6)]
    assert "Compared: the first 1 round, one of them has no more." in found.notes


def test_an_arm_under_other_limits_has_no_ratio() -> None:
    other = a_bench(a_round(1, 0.5), name="other", arms=(SEQUENTIAL, WIDER))
    found = compare(a_bench(a_round()), other)
    assert [arm.ratio is None for arm in found.arms] == [False, True]
    assert found.arms[1].verdict == "not comparable: runs 2 and 7"


def test_benchmarks_of_which_every_arm_had_other_limits_are_not_compared() -> None:
    calls = [call for call in a_round() if call.arm == "batch-2"]
    with pytest.raises(ResultsError, match=r"under other limits \(batch-2 had runs 2 and 7\)"):
        compare(a_bench(calls, arms=(PARALLEL,)), a_bench(calls, arms=(WIDER,)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"identity": {"endpoint": "mock", "model": "n", "dataset": "d"}},
            r"differ in model \(m and n\)",
        ),
        ({"identity": {"endpoint": "mock", "model": "m", "dataset": "e"}}, "differ in dataset"),
        (
            {"settings": {"latency": "fixed:2", "seed": 0}},
            "the mock's latency was fixed:1 and fixed:2",
        ),
        ({"virtual": False}, "one of them is on virtual time"),
    ],
)
def test_benchmarks_of_other_work_are_not_compared(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ResultsError, match=said):
        compare(a_bench(a_round()), a_bench(a_round(), name="other", **change))


def test_benchmarks_without_an_arm_in_common_are_not_compared() -> None:
    calls = a_round()
    one = a_bench([call for call in calls if call.arm == "sequential"], arms=(SEQUENTIAL,))
    other = a_bench([call for call in calls if call.arm == "batch-2"], arms=(PARALLEL,))
    with pytest.raises(ResultsError, match="no arm in common"):
        compare(one, other)


def test_a_comparison_names_what_else_was_different() -> None:
    settings = {"latency": "fixed:1", "seed": 0, "stream": False}
    about = replace(a_bench([]).description.about, cores=64)
    notes = compare(
        a_bench(a_round()), a_bench(a_round(), name="other", about=about, settings=settings)
    ).notes
    assert "They differ in cores: 2 and 64." in notes
    assert "They differ in stream: None and False." in notes
