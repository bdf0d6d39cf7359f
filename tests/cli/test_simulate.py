from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from batches import a_topic_file
from command_line import Harness, problem_of
from nights import recorded

DAY = "2026-11-16T12:00+00:00"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded run of twelve topics on virtual time."""
    directory = tmp_path_factory.mktemp("night")
    recorded(directory, 12, latency="uniform:8:12", in_flight=4)
    return directory / "out"


def simulated(harness: Harness, *arguments: str) -> dict[str, Any]:
    done = harness("simulate", *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_table_says_what_each_limit_would_take(harness: Harness, night: Path) -> None:
    done = harness("simulate", str(night), "--topics", "40", "--in-flight", "2,8", "--start", DAY, "--repeat", "2")

    assert done.exit_code == 0, done.output
    assert "Mon 2026-11-16 12:00 UTC (12:00 UTC)" in done.output
    assert "40 topics" in done.output
    for step in ("decompose", "research", "synthesize"):
        assert step in done.output
    assert "lowest and the highest of 2 nights" in done.output


def test_four_times_the_calls_in_flight_take_a_quarter_of_the_time(harness: Harness, night: Path) -> None:
    found = simulated(harness, str(night), "--topics", "60", "--in-flight", "2,8", "--start", DAY)

    few, many = found["nights"]
    assert (few["in_flight"], many["in_flight"]) == (2, 8)
    assert few["wall_s"]["mean"] / many["wall_s"]["mean"] == pytest.approx(4, rel=0.1)
    assert few["wall_s"]["low"] < few["wall_s"]["mean"] < few["wall_s"]["high"]
    assert few["cost"] == many["cost"]


def test_the_run_s_own_topics_and_limits_rule_where_no_flag_says_otherwise(harness: Harness, night: Path) -> None:
    found = simulated(harness, str(night), "--repeat", "1")

    assert found["topics"] == 12
    assert [each["in_flight"] for each in found["nights"]] == [4]
    assert found["limits"]["per_run"] == 8


def test_a_budget_of_the_recorded_run_is_not_tonight_s(harness: Harness, tmp_path: Path) -> None:
    recorded(tmp_path, 3, latency="fixed:5", budget=1.0, run_calls=50)

    assert simulated(harness, str(tmp_path / "out"), "--topics", "30", "--repeat", "1")["nights"][0]["stopped"] is None


def test_one_repetition_gives_no_range_and_says_so(harness: Harness, night: Path) -> None:
    found = simulated(harness, str(night), "--repeat", "1")

    assert found["nights"][0]["wall_s"]["low"] is None
    assert any("no range" in note for note in found["notes"])


def test_too_few_recorded_topics_give_no_range_and_a_warning(harness: Harness, tmp_path: Path) -> None:
    recorded(tmp_path, 2, latency="uniform:8:12")

    found = simulated(harness, str(tmp_path / "out"), "--topics", "50")

    assert found["nights"][0]["wall_s"]["low"] is None
    assert any("only 2 recorded topics" in note for note in found["notes"])


def test_more_in_flight_than_the_topics_open_can_want_is_said(harness: Harness, night: Path) -> None:
    found = simulated(harness, str(night), "--runs", "1", "--in-flight", "500", "--repeat", "1")

    assert any("never more than 5 were" in note for note in found["notes"])


def test_an_interrupted_run_is_used_as_far_as_it_went_and_says_so(harness: Harness, tmp_path: Path) -> None:
    recorded(tmp_path, 12, latency="uniform:8:12", run_calls=40, runs=2)

    found = simulated(harness, str(tmp_path / "out"))

    assert found["topics"] == 12
    assert 0 < found["recorded"]["finished_topics"] < 12
    assert any("not complete" in note for note in found["notes"])


def test_answers_from_the_cache_count_with_the_time_they_took_when_they_were_paid_for(
    harness: Harness, tmp_path: Path, night: Path
) -> None:
    recorded(tmp_path, 12, latency="uniform:8:12")
    recorded_s = {step["step"]: step["mean_s"] for step in simulated(harness, str(tmp_path / "out"))["steps"]}
    (tmp_path / "out").rename(tmp_path / "first")
    recorded(tmp_path, 12, latency="uniform:8:12")  # all of it from the cache of the first

    found = simulated(harness, str(tmp_path / "out"))

    assert {step["step"]: step["mean_s"] for step in found["steps"]} == pytest.approx(recorded_s)
    assert any("came from the cache" in note for note in found["notes"])

    for file in tmp_path.glob("cache.db*"):
        file.unlink()
    assert "came from the cache" in problem_of(harness("simulate", str(tmp_path / "out")))


def test_a_run_whose_calls_took_no_time_is_refused(harness: Harness, a_run: Path) -> None:
    assert "took no time" in problem_of(harness("simulate", str(a_run)))


def test_a_run_in_which_nothing_ended_is_refused(harness: Harness, tmp_path: Path) -> None:
    recorded(tmp_path, 2, latency="fixed:5", run_calls=1)

    assert "no topic with a call is finished" in problem_of(harness("simulate", str(tmp_path / "out")))


def test_a_run_without_its_traces_is_refused(harness: Harness, tmp_path: Path) -> None:
    recorded(tmp_path, 2, latency="fixed:5")
    (tmp_path / "out" / "traces.jsonl").unlink()

    assert "holds no calls" in problem_of(harness("simulate", str(tmp_path / "out")))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--in-flight", "8,lots"], "--in-flight 8,lots"),
        (["--in-flight", "0"], "--in-flight 0"),
        (["--start", "noon"], "--start noon"),
        (["--rpm", "0"], "--rpm"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_simulated(
    harness: Harness, night: Path, arguments: list[str], said: str
) -> None:
    assert said in problem_of(harness("simulate", str(night), *arguments))


def test_a_directory_that_is_no_run_is_refused(harness: Harness, tmp_path: Path) -> None:
    a_topic_file(tmp_path, 1)

    assert "not a run" in problem_of(harness("simulate", str(tmp_path)))
