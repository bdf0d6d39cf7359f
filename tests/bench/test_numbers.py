"""From calls to numbers, on made-up calls whose numbers can be worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bench.arms import Arm, arms_of, numbers_of, rounds_of
from harness.bench.compare import compare, verdict_of
from harness.bench.files import Bench, read_bench, write_bench
from harness.bench.measured import Measured, measured_from_row, measured_to_row
from harness.bench.numbers import report_of
from harness.bench.published import distribution_of, makespan_s
from harness.bench.tables import csv_of, markdown_of, prose_of
from harness.bench.words import duration, knee_words
from harness.domain.bounds import CallTimes
from harness.domain.policy import Limits
from harness.domain.stats import Ratio
from harness.errors import ResultsError, SettingsError

ONE, TWO = Limits(in_flight=1, per_run=1, runs=1), Limits(in_flight=2, per_run=2, runs=2)
SEQUENTIAL, PARALLEL = Arm(name="sequential", limits=ONE), Arm(name="batch-2", limits=TWO, swept=True)


def a_call(arm: str, topic: str, start_s: float, end_s: float, *, round_: int = 1, **fields: Any) -> Measured:
    queued_s = fields.pop("queued_s", 0.0)
    times = CallTimes(
        topic_id=topic,
        id="ask",
        step="ask",
        start_s=start_s,
        end_s=end_s,
        service_s=fields.pop("service_s", end_s - start_s - queued_s),
        queued_s=queued_s,
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
    description: dict[str, Any] = {
        "version": 1,
        "status": "complete",
        "about": {"harness": "1", "python": "3", "openai": "3", "system": "Linux", "cores": 2, "seed": 0},
        "identity": {"endpoint": "mock", "model": "m", "dataset": "d"},
        "settings": {"latency": "fixed:1", "seed": 0},
        "repeat": repeat,
        "topics": 2,
        "virtual": True,
        "warm_up": None,
        "order": [],
        **changes,
    }
    return Bench(path=Path(name), description=description, arms=arms, calls=tuple(calls))


def test_an_arm_is_told_in_numbers() -> None:
    report = report_of(a_bench(a_round()))
    sequential, parallel = report["arms"]

    assert sequential["wall_s"] == 10
    assert sequential["speedup"]["value"] == sequential["topic_speedup"]["value"] == 1.0
    assert sequential["efficiency"] == 1.0
    assert parallel["wall_s"] == 6
    assert parallel["speedup"]["value"] == pytest.approx(10 / 6)
    assert parallel["bound"]["seconds"] == 6
    assert parallel["bound"]["by"] == "critical path"
    assert parallel["calls_per_s"] == pytest.approx(2 / 6)
    assert parallel["tokens_per_s"] == pytest.approx(10)
    assert (parallel["cached_tokens"], parallel["input_tokens"], parallel["cost"]) == (10, 40, 1.0)
    assert parallel["steps"][0]["total_s"]["p50"] == 5


def test_the_queue_wait_counts_from_when_the_call_was_wanted() -> None:
    calls = [*a_round()[:3], a_call("batch-2", "u", 0, 9, queued_s=3)]
    parallel = report_of(a_bench(calls))["arms"][1]
    assert parallel["steps"][0]["queue_wait_s"]["high"] == 3
    assert parallel["steps"][0]["total_s"]["high"] == 9


def test_one_round_has_no_interval_and_says_so() -> None:
    report = report_of(a_bench(a_round()))
    assert report["arms"][1]["speedup"]["low"] is None
    assert any("One round only" in note for note in report["notes"])


def test_several_rounds_have_an_interval() -> None:
    calls = [*a_round(1), *a_round(2, 1.5), *a_round(3, 0.5)]
    report = report_of(a_bench(calls, repeat=3))
    assert report["arms"][1]["speedup"]["low"] == pytest.approx(10 / 6)
    assert report["arms"][1]["wall_s"] == pytest.approx(6)
    assert any("3 rounds only" in note for note in report["notes"])


def test_what_a_provider_takes_longer_under_load_is_its_queue_and_no_work() -> None:
    calls = [*a_round()[:2], a_call("batch-2", "t", 0, 8), a_call("batch-2", "u", 0, 12)]
    parallel = report_of(a_bench(calls))["arms"][1]
    assert parallel["bound"]["seconds"] == pytest.approx(6)
    # Of 12 s both waited for 4 s and one of them for 2 s more; then, for 4 s, there was only one to wait for.
    assert parallel["losses"]["provider"] == pytest.approx(5)
    assert parallel["losses"]["order"] == pytest.approx(1)
    assert "5.0 s was lost to slower answers than in the baseline" in parallel["story"]


times = st.floats(0.01, 100)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=3))
def test_the_losses_add_up_and_the_bound_is_below_the_wall(rounds: list[tuple[float, float]]) -> None:
    calls = []
    for number, (a, b) in enumerate(rounds, start=1):
        calls += [
            a_call("sequential", "t", 0, a, round_=number),
            a_call("sequential", "u", a, a + b, round_=number),
            a_call("batch-2", "t", 0, a, round_=number),
            a_call("batch-2", "u", 0, a + b, round_=number, queued_s=a, service_s=b),
        ]
    for arm in report_of(a_bench(calls, repeat=len(rounds)))["arms"]:
        assert arm["bound"]["seconds"] <= arm["wall_s"] + 1e-9
        assert sum(arm["losses"].values()) == pytest.approx(arm["wall_s"] - arm["bound"]["seconds"], abs=1e-6)
        if arm["name"] == "sequential":
            assert arm["speedup"]["value"] == arm["topic_speedup"]["value"] == 1.0


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


def test_more_in_flight_than_topics_is_said_and_left_out_of_the_fits() -> None:
    report = report_of(a_bench(a_round(), topics=1))
    assert report["arms"][1]["underfed"]
    assert report["scaling"] is None
    assert any("batch-2: 2 calls in flight and only 1 topics" in note for note in report["notes"])


def test_every_output_holds_the_same_numbers() -> None:
    report = report_of(a_bench([*a_round(1), *a_round(2)], repeat=2))
    markdown = markdown_of(report)
    assert "| batch-2 | 6.0 s | 1.67 [1.67, 1.67] |" in markdown
    rows = csv_of(report).splitlines()
    assert len(rows) == 3
    assert rows[0].startswith("benchmark,harness,python,openai,system,cores,seed,virtual,latency,arm,in_flight")
    assert any("It took 6.0 s; 6.0 s was the bound" in line for line in prose_of(report))


def test_a_step_with_markup_in_its_name_breaks_no_table() -> None:
    calls = [replace(call, times=replace(call.times, step="=a|b<i>")) for call in a_round()]
    report = report_of(a_bench(calls))
    assert "| =a|b<i> |" not in markdown_of(report)
    assert "'=a|b<i>" in csv_of(report)


def test_comparing_with_itself_shows_no_difference_and_with_half_the_time_that_it_is_faster() -> None:
    slow = a_bench([*a_round(1), *a_round(2)], name="slow", repeat=2)
    fast = a_bench([*a_round(1, 0.5), *a_round(2, 0.5)], name="fast", repeat=2)
    assert [arm["verdict"] for arm in compare(slow, slow)["arms"]] == ["no difference shown"] * 2
    assert [arm["verdict"] for arm in compare(slow, fast)["arms"]] == ["faster"] * 2
    assert [arm["ratio"]["value"] for arm in compare(fast, slow)["arms"]] == pytest.approx([2.0, 2.0])


def test_a_verdict_says_no_more_than_its_interval() -> None:
    assert verdict_of(Ratio(value=1.2, low=1.1, high=1.3, pairs=5)) == "slower"
    assert verdict_of(Ratio(value=1.2, low=None, high=None, pairs=1)).startswith("cannot say")
    assert verdict_of(None).startswith("cannot say")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"identity": {"endpoint": "mock", "model": "n", "dataset": "d"}}, r"differ in model \(m and n\)"),
        ({"identity": {"endpoint": "mock", "model": "m", "dataset": "e"}}, "differ in dataset"),
        ({"settings": {"latency": "fixed:2", "seed": 0}}, "the mock's latency was fixed:1 and fixed:2"),
        ({"virtual": False}, "one of them is on virtual time"),
    ],
)
def test_benchmarks_of_other_work_are_not_compared(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ResultsError, match=said):
        compare(a_bench(a_round()), a_bench(a_round(), name="other", **change))


def test_a_comparison_names_what_else_was_different() -> None:
    other = a_bench(a_round(), name="other", about={**a_bench([]).description["about"], "cores": 64})
    assert "They differ in cores: 2 and 64." in compare(a_bench(a_round()), other)["notes"]


def test_a_benchmark_is_read_as_it_was_written(tmp_path: Path) -> None:
    bench = a_bench([*a_round(), *a_round(2)], repeat=2)
    arms = [{"name": arm.name, "limits": {"in_flight": arm.limits.in_flight}, "swept": arm.swept} for arm in bench.arms]
    write_bench(tmp_path, {**bench.description, "arms": arms}, bench.calls)
    assert read_bench(tmp_path).calls == bench.calls


def test_a_call_without_its_timings_is_refused_by_its_line(tmp_path: Path) -> None:
    row = measured_to_row(a_round()[0])
    assert measured_from_row(row) == a_round()[0]
    del row["end_s"]
    write_bench(tmp_path, {**a_bench([]).description, "arms": []}, [])
    with (tmp_path / "spans.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(ResultsError, match=r"spans\.jsonl:2: a call without its timings"):
        read_bench(tmp_path)


def test_arms_are_nothing_but_limits() -> None:
    arms = arms_of(("sequential", "per-run", "batch"), (16, 4), Limits(per_run=3, runs=9))
    assert [(arm.name, arm.limits.in_flight, arm.limits.per_run, arm.limits.runs) for arm in arms] == [
        ("sequential", 1, 1, 1),
        ("per-run", 3, 3, 1),
        ("batch-4", 4, 3, 9),
        ("batch-16", 16, 3, 9),
    ]


def test_topics_at_once_follow_the_calls_in_flight_of_the_arm_where_nobody_says_how_many() -> None:
    arms = arms_of(("batch",), (16, 4), Limits())
    bench = a_bench([a_call(arm.name, "t", 0, 4) for arm in arms], arms=arms)
    assert [arm["limits"]["runs"] for arm in report_of(bench)["arms"]] == [8, 32]


@pytest.mark.parametrize("text", ["", "0", "1,x", "-4", "1.5"])
def test_what_is_no_list_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="whole numbers"):
        numbers_of(text)


def test_each_round_has_every_arm_once_in_an_order_of_the_seed() -> None:
    arms = arms_of(("sequential", "per-run", "batch"), (1, 4, 16, 64), Limits())
    rounds = rounds_of(arms, 5, seed=1)
    assert all(sorted(arm.name for arm in order) == sorted(arm.name for arm in arms) for order in rounds)
    assert len(set(rounds)) > 1
    assert rounds == rounds_of(arms, 5, seed=1)


def test_five_equal_calls_three_at_a_time_take_two_rounds() -> None:
    assert makespan_s([10.0] * 5, 3) == 20
    assert makespan_s([8.0, 10.0, 12.0, 9.0, 8.0], 3) == 18


def test_the_published_times_hold_in_every_draw_and_its_speed_up_in_most() -> None:
    found = distribution_of("uniform:8:12")
    assert found is not None
    assert found["draws"] == 10_000
    assert found["times_hold"]
    assert found["speedup_below_claim"] == 0
    assert 0.6 < found["speedup_within_claim"] < 0.7
    assert found["speedup_within_claim"] + found["speedup_above_claim"] == pytest.approx(1)
    assert sum(found["histogram"].values()) == 10_000
    assert distribution_of("fixed:8") is None
    assert distribution_of("uniform:0:1") is None


def test_durations_read_like_durations() -> None:
    assert [duration(seconds) for seconds in (27_600, 200, 12.34, 0.25)] == ["7 h 40", "3 min 20 s", "12.3 s", "250 ms"]
    assert "three are needed" in knee_words(None)
