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
    done = harness(
        "simulate",
        str(night),
        "--topics",
        "40",
        "--in-flight",
        "2,8",
        "--start",
        DAY,
        "--repeat",
        "2",
    )

    assert done.exit_code == 0, done.output
    assert "Mon 2026-11-16 12:00 UTC (12:00 UTC)" in done.output
    assert "40 topics" in done.output
    for step in ("decompose", "research", "synthesize"):
        assert step in done.output
    assert "lowest and the highest of 2 nights" in done.output
    rows = {line[:18].strip(): line[18:].split() for line in done.output.splitlines() if line}
    assert rows["calls in flight"] == ["2", "8"]
    assert rows["lower bound"].count("work") == 2
    for row in (
        "wall time",
        "ends",
        "efficiency",
        "cost",
        "refused (429)",
        "requests",
        "limit in the end",
    ):
        assert len(rows[row]) >= 2, row


def test_every_figure_of_a_night_has_its_range(harness: Harness, night: Path) -> None:
    found = simulated(
        harness,
        str(night),
        "--topics",
        "40",
        "--in-flight",
        "2",
        "--start",
        DAY,
        "--provider-limit",
        "1",
    )

    (figures,) = found["nights"]
    for name in (
        "wall_s",
        "bound_s",
        "efficiency",
        "cost",
        "peak_cost",
        "refusals",
        "requests",
        "mean_in_flight",
    ):
        assert figures[name]["low"] <= figures[name]["mean"] <= figures[name]["high"], name
    assert figures["refusals"]["low"] > 0
    assert figures["bound_by"] == "work"
    assert figures["bound_s"]["mean"] <= figures["wall_s"]["mean"]


def test_many_sizes_stand_in_blocks_of_four(harness: Harness, night: Path) -> None:
    sizes = ("--in-flight", "1,2,3,4,5,6", "--topics", "3", "--repeat", "1")

    lines = harness("simulate", str(night), *sizes).output.splitlines()

    assert [line.split()[3:] for line in lines if line.startswith("calls in flight")] == [
        ["1", "2", "3", "4"],
        ["5", "6"],
    ]


def test_four_times_the_calls_in_flight_take_a_quarter_of_the_time(
    harness: Harness, night: Path
) -> None:
    found = simulated(harness, str(night), "--topics", "60", "--in-flight", "2,8", "--start", DAY)

    few, many = found["nights"]
    assert (few["in_flight"], many["in_flight"]) == (2, 8)
    assert few["wall_s"]["mean"] / many["wall_s"]["mean"] == pytest.approx(4, rel=0.1)
    assert few["wall_s"]["low"] < few["wall_s"]["mean"] < few["wall_s"]["high"]
    assert few["cost"] == many["cost"]


def test_the_run_s_own_topics_and_limits_rule_where_no_flag_says_otherwise(
    harness: Harness, night: Path
) -> None:
    found = simulated(harness, str(night), "--repeat", "1")

    assert found["topics"] == 12
    assert [each["in_flight"] for each in found["nights"]] == [4]
    assert found["limits"]["per_run"] == 8


def test_a_budget_of_the_recorded_run_is_not_tonight_s(harness: Harness, tmp_path: Path) -> None:
    recorded(tmp_path, 3, latency="fixed:5", budget=1.0, run_calls=50)

    assert (
        simulated(harness, str(tmp_path / "out"), "--topics", "30", "--repeat", "1")["nights"][0][
            "stopped"
        ]
        is None
    )


def test_one_repetition_gives_no_range_and_says_so(harness: Harness, night: Path) -> None:
    found = simulated(harness, str(night), "--repeat", "1")

    assert found["nights"][0]["wall_s"]["low"] is None
    assert any("no range" in note for note in found["notes"])


def test_too_few_recorded_topics_give_no_range_and_a_warning(
    harness: Harness, tmp_path: Path
) -> None:
    recorded(tmp_path, 2, latency="uniform:8:12")

    found = simulated(harness, str(tmp_path / "out"), "--topics", "50")

    assert found["nights"][0]["wall_s"]["low"] is None
    assert any("recorded topics: 2, so no interval" in note for note in found["notes"])


def test_more_in_flight_than_the_topics_open_can_want_is_said(
    harness: Harness, night: Path
) -> None:
    found = simulated(harness, str(night), "--runs", "1", "--in-flight", "500", "--repeat", "1")

    assert any(
        "never more than 5 were; --runs 1 and --per-run 8 let no more" in note
        for note in found["notes"]
    )


def test_of_few_topics_it_is_said_that_they_and_no_limit_leave_places_free(
    harness: Harness, night: Path
) -> None:
    done = harness(
        "simulate",
        str(night),
        "--topics",
        "1",
        "--in-flight",
        "500",
        "--repeat",
        "1",
        "--start",
        DAY,
    )

    assert "were; 1 topic in all, with at most 8 calls of one at once" in done.output
    assert "1 topic of " in done.output


def test_less_than_a_cent_is_not_told_as_nothing(harness: Harness, night: Path) -> None:
    done = harness("simulate", str(night), "--topics", "1", "--repeat", "1", "--start", DAY)

    (cost,) = (line.split()[1] for line in done.output.splitlines() if line.startswith("cost"))
    assert cost.startswith("$0.00")
    assert float(cost.removeprefix("$")) > 0


def test_a_night_of_more_than_a_week_ends_at_a_date(harness: Harness, night: Path) -> None:
    done = harness(
        "simulate", str(night), "--topics", "12", "--tpm", "1", "--repeat", "1", "--start", DAY
    )

    (ends,) = (line.split() for line in done.output.splitlines() if line.startswith("ends"))
    assert len(ends) == 4
    assert ends[2] > "2026-11-22"


def test_an_interrupted_run_is_used_as_far_as_it_went_and_says_so(
    harness: Harness, tmp_path: Path
) -> None:
    recorded(tmp_path, 12, latency="uniform:8:12", run_calls=40, runs=2)

    found = simulated(harness, str(tmp_path / "out"))

    assert found["topics"] == 12
    assert 0 < found["recorded"]["finished_topics"] < 12
    assert any("not complete" in note for note in found["notes"])


def test_answers_from_the_cache_count_with_the_time_they_took_when_they_were_paid_for(
    harness: Harness, tmp_path: Path, night: Path
) -> None:
    recorded(tmp_path, 12, latency="uniform:8:12")
    recorded_s = {
        step["step"]: step["mean_s"] for step in simulated(harness, str(tmp_path / "out"))["steps"]
    }
    (tmp_path / "out").rename(tmp_path / "first")
    recorded(tmp_path, 12, latency="uniform:8:12")  # all of it from the cache of the first

    found = simulated(harness, str(tmp_path / "out"))

    assert {step["step"]: step["mean_s"] for step in found["steps"]} == pytest.approx(recorded_s)
    assert any("came from the cache" in note for note in found["notes"])

    for file in tmp_path.glob("cache.db*"):
        file.unlink()
    assert "came from the cache" in problem_of(harness("simulate", str(tmp_path / "out")))


def test_a_file_is_refused_with_what_is_expected(harness: Harness, night: Path) -> None:
    assert "it is a file" in problem_of(harness("simulate", str(night / "run.json")))


def test_a_limit_that_the_provider_named_is_played_unless_another_is_given(
    harness: Harness, tmp_path: Path
) -> None:
    recorded(tmp_path, 10, latency="fixed:5", faults="429-concurrency=0.2")

    named, given = (
        simulated(harness, str(tmp_path / "out"), "--topics", "40", "--repeat", "1", *flags)
        for flags in ((), ("--provider-limit", "7"))
    )

    assert (named["limits"]["provider_limit"], named["nights"][0]["most_in_flight"]) == (25, 25)
    assert (given["limits"]["provider_limit"], given["nights"][0]["most_in_flight"]) == (7, 7)
    assert any("name a limit of 25" in note for note in named["notes"])


def test_refusals_without_a_limit_are_met_again_and_that_is_said(
    harness: Harness, tmp_path: Path
) -> None:
    recorded(tmp_path, 10, latency="fixed:5", faults="429-tpm=0.3")

    found = simulated(harness, str(tmp_path / "out"), "--topics", "20", "--repeat", "1")

    assert found["nights"][0]["refusals"]["mean"] > 0
    assert any("meets its own again" in note for note in found["notes"])


def test_a_budget_in_money_needs_a_price(harness: Harness, night: Path) -> None:
    long_ago = (str(night), "--start", "2020-01-01T12:00", "--repeat", "1")

    assert "no price is known for the model 'deepseek-flash'" in problem_of(
        harness("simulate", *long_ago, "--budget", "1")
    )
    found = simulated(harness, *long_ago)
    assert found["nights"][0]["cost"] is None
    assert any("cost is not known" in note for note in found["notes"])


def test_a_night_that_its_budget_ends_tells_how_far_it_came(harness: Harness, night: Path) -> None:
    done = harness(
        "simulate", str(night), "--topics", "400", "--budget-tokens", "300000", "--repeat", "1"
    )

    assert "of 400" in next(
        line for line in done.output.splitlines() if line.startswith("topics finished")
    )
    assert "the night ends early" in done.output


def test_processes_change_nothing(harness: Harness, night: Path) -> None:
    asked = (str(night), "--topics", "20", "--in-flight", "2,8", "--repeat", "2", "--start", DAY)

    assert simulated(harness, *asked, "--jobs", "2") == simulated(harness, *asked, "--jobs", "1")


def test_a_run_whose_calls_took_no_time_is_refused(harness: Harness, a_run: Path) -> None:
    assert "took no time" in problem_of(harness("simulate", str(a_run)))


def test_a_run_in_which_every_call_failed_is_refused(harness: Harness, tmp_path: Path) -> None:
    recorded(tmp_path, 2, latency="fixed:5", faults="400=1")

    assert "none of its calls was answered" in problem_of(
        harness("simulate", str(tmp_path / "out"))
    )


def test_a_run_in_which_nothing_ended_is_refused(harness: Harness, tmp_path: Path) -> None:
    recorded(tmp_path, 2, latency="fixed:5", run_calls=1)

    assert "no topic with a call is finished" in problem_of(
        harness("simulate", str(tmp_path / "out"))
    )


def test_a_run_without_its_traces_is_refused(harness: Harness, tmp_path: Path) -> None:
    recorded(tmp_path, 2, latency="fixed:5")
    (tmp_path / "out" / "traces.jsonl").unlink()

    assert "holds no calls" in problem_of(harness("simulate", str(tmp_path / "out")))


def test_topics_whose_traces_are_gone_are_left_out_and_counted(
    harness: Harness, tmp_path: Path
) -> None:
    recorded(tmp_path, 3, latency="fixed:5")
    traces = tmp_path / "out" / "traces.jsonl"
    rows = traces.read_text().splitlines(keepends=True)
    traces.write_text("".join(row for row in rows if json.loads(row)["index"] == 1))

    notes = simulated(harness, str(tmp_path / "out"), "--repeat", "1")["notes"]

    assert any("2 of 3 finished topics are left out: traces.jsonl" in note for note in notes)
    assert not any("drawn at random" in note for note in notes)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--in-flight", "8,lots"], "--in-flight 8,lots"),
        (["--in-flight", "0"], "--in-flight 0"),
        (["--start", "noon"], "--start noon"),
        (["--rpm", "0"], "--rpm"),
        (["--in-flight", "8,,9"], "--in-flight 8,,9"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_simulated(
    harness: Harness, night: Path, arguments: list[str], said: str
) -> None:
    assert said in problem_of(harness("simulate", str(night), *arguments))


def test_a_directory_that_is_no_run_is_refused(harness: Harness, tmp_path: Path) -> None:
    a_topic_file(tmp_path, 1)

    assert "not a run" in problem_of(harness("simulate", str(tmp_path)))
