"""The same numbers as tables, Markdown, CSV and sentences."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from benches import PARALLEL, a_bench, a_call, a_round

from harness.bench.bench_report import MeanBound, Sweep
from harness.bench.numbers import report_of
from harness.bench.tables import csv_of, figure, markdown_of, prose_of, tables_of
from harness.bench.words import law_words, story_of
from harness.domain.policy import Limits
from harness.timing.bounds import BoundBy
from harness.timing.scaling import fitted


def test_every_output_holds_the_same_numbers() -> None:
    report = report_of(a_bench([*a_round(1), *a_round(2)], repeat=2))
    markdown = markdown_of(report)
    assert "| batch-2 | 6.0 s | 1.67 [1.67, 1.67] |" in markdown
    (_, row) = csv.DictReader(io.StringIO(csv_of(report)))
    assert (row["arm"], float(row["wall_s"]), float(row["bound_s"])) == ("batch-2", 6.0, 6.0)
    assert float(row["speedup"]) == pytest.approx(10 / 6)
    assert any("It took 6.0 s; 6.0 s was the bound" in line for line in prose_of(report))


def test_a_row_of_csv_names_every_column_once_and_what_it_was_measured_with() -> None:
    rows = list(csv.reader(io.StringIO(csv_of(report_of(a_bench(a_round()))))))
    header, first = rows[0], dict(zip(*rows[:2], strict=True))
    assert len(set(header)) == len(header)
    assert (first["harness"], first["python"], first["cores"], first["seed"]) == (
        "1",
        "3",
        "2",
        "0",
    )
    assert json.loads(first["settings"]) == {"latency": "fixed:1", "seed": 0}


def test_markdown_names_all_settings_that_have_a_value() -> None:
    report = report_of(
        a_bench(a_round(), settings={"limit": 6, "workflow": {"questions": 5}, "model": None})
    )
    second = markdown_of(report).split("\n\n")[1]
    assert "2 cores, on virtual time, seed 0" in second
    assert "limit 6" in second
    assert "questions" in second
    assert "model" not in second


def test_a_step_with_markup_in_its_name_breaks_no_table() -> None:
    calls = [replace(call, times=replace(call.times, step="=a|b<i>")) for call in a_round()]
    report = report_of(a_bench(calls))
    assert "| =a|b<i> |" not in markdown_of(report)
    assert "'=a|b<i>" in csv_of(report)


def test_an_arm_with_more_in_flight_than_topics_is_marked_wherever_its_numbers_stand() -> None:
    report = report_of(a_bench(a_round(), topics=1))
    for table in tables_of(report):
        assert table.rows[-1][0] == "batch-2*"
    assert any(line.startswith("batch-2*: It took") for line in prose_of(report))


def a_story(losses: dict[str, float], *, by: BoundBy = "work") -> str:
    bound = MeanBound(seconds=18_600, by=by, work_s=1_190_400.0, critical_path_s=0.0, pace_s=0.0)
    return story_of(Limits(in_flight=64, per_run=3, runs=32), 27_600, bound, losses)


def test_a_night_is_told_in_a_sentence() -> None:
    assert a_story({"per_run": 6600, "attempts": 2400, "pace": 0.0}) == (
        "It took 7 h 40; 5 h 10 was the bound, by its work of 330 h 40 with 64 in flight; "
        "1 h 50 was lost to a per-run limit of 3; 40 min 00 s was lost to repeated attempts."
    )


def test_many_small_losses_are_told_together() -> None:
    told = a_story({"pace": 270, "backoff": 270}, by="pace")
    assert told.endswith("; 9 min 00 s was lost to causes of less than a hundredth each.")
    assert a_story({"pace": 100}).endswith("; nothing worth naming was lost.")


def scaling_of(points: list[tuple[float, float]]) -> Sweep | None:
    calls = [
        a_call(f"batch-{n:.0f}", topic, 0, 2 / rate, service_s=0.1)
        for n, rate in points
        for topic in ("t", "u")
    ]
    arms = tuple(
        replace(PARALLEL, name=f"batch-{n:.0f}", limits=replace(PARALLEL.limits, in_flight=int(n)))
        for n, _ in points
    )
    return report_of(a_bench(calls, arms=arms, topics=100)).scaling


def test_the_law_is_told_with_the_knee_and_the_ceiling() -> None:
    points = [(n, n / (1 + 0.1 * (n - 1) + 0.01 * n * (n - 1))) for n in (1.0, 2.0, 4.0, 8.0, 16.0)]
    usl, ceiling = law_words(scaling_of(points))
    assert usl.startswith("Universal scalability law: alpha = ")
    assert (
        "alpha = 0.1000, beta = 0.010000 (relative error 0.0%). The knee is at 4 calls in flight."
        in usl
    )
    # The throughput is greatest at sqrt(0.9 / 0.01) = 9.49 in flight: 9.49 / (1 + 0.849 + 0.805).
    assert "no number of calls in flight is more than 3.57 times as fast as one" in ceiling


def test_without_a_price_of_talking_to_each_other_the_ceiling_is_that_of_amdahls_law() -> None:
    points = [(n, n / (1 + 0.02 * (n - 1))) for n in (1.0, 2.0, 4.0, 8.0)]
    assert law_words(scaling_of(points))[1].endswith("more than 50 times as fast as one.")


def test_a_fit_with_a_parameter_for_each_point_claims_no_error() -> None:
    points = [(1.0, 1.0), (2.0, 1.8), (4.0, 2.8)]
    usl, _ = law_words(scaling_of(points))
    assert "as many parameters as there are points, 3" in usl
    assert "relative error" not in usl


def test_where_nothing_bends_there_is_no_knee() -> None:
    usl, ceiling = law_words(scaling_of([(1.0, 1.0), (2.0, 2.0), (4.0, 4.0), (8.0, 8.0)]))
    assert "nothing is done one at a time" in ceiling
    assert "No knee: throughput grew in proportion up to 8 in flight." in usl


def test_a_knee_beyond_what_was_measured_is_a_forecast() -> None:
    points = [(n, n / (1 + 0.001 * n * (n - 1))) for n in (1.0, 2.0, 4.0, 8.0)]
    assert fitted(points) is not None
    assert (
        "beyond the 8 that were measured, so it is a forecast." in law_words(scaling_of(points))[0]
    )
    assert "three are needed" in law_words(None)[0]


def test_figures_read_like_what_they_are() -> None:
    assert [figure(value) for value in (0.014, 3.14159, 1234.5)] == ["0.014", "3.14", "1,234"]
