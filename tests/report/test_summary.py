from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from manifests import a_manifest
from records import a_result
from report_runs import Told, a_degraded_topic, a_failed_topic, a_topic, digested, write_run

from harness.domain.completion import Answerer
from harness.domain.run import Answered
from harness.engine.stopping import StopKind
from harness.records.run import Run
from harness.report.digest import Digest
from harness.report.summary import history_of, limits_of, state_of, summary_of


def summary(
    directory: Path, told: list[Told], *, running: bool = False, **changes: Any
) -> dict[str, Any]:
    reader, digest = digested(write_run(directory / "run", told, **changes))
    return summary_of("run", reader.manifest, reader.standing, digest, running=running)


def test_the_numbers_of_a_run(tmp_path: Path) -> None:
    found = summary(tmp_path, [a_topic(0), a_degraded_topic(1), a_failed_topic(2)])
    totals = found["totals"]
    assert [totals[name] for name in ("rows", "ok", "degraded", "failed", "unfinished")] == [
        3,
        1,
        1,
        1,
        0,
    ]
    # Six calls, each second one refused once.
    assert (totals["requests"], totals["refusals"]) == (9, 3)
    assert found["attempts"][0]["count"] == 3
    assert found["money"]["cost"] == pytest.approx(0.75)
    assert found["money"]["budget"] == 2.0


def test_the_cost_of_a_run_is_that_of_its_journal_and_the_budget_counts_what_is_unknown(
    tmp_path: Path,
) -> None:
    journal = {"cost": 0.5, "tokens": 400, "cost_at_risk": 1.0, "tokens_at_risk": 600}
    money = summary(tmp_path, [a_topic(0)], journal=journal)["money"]
    assert (money["cost"], money["elsewhere"], money["at_risk"], money["used"]) == (
        0.5,
        0.25,
        1.0,
        1.5,
    )
    assert money["used_tokens"] == 1000


def test_another_model_than_was_asked_for_is_told_and_why_its_cost_is_not_known(
    tmp_path: Path,
) -> None:
    other = Answered("mock", "x", Answerer("other/dear"), other=True)
    found = summary(
        tmp_path, [Told(a_result(0, cost=None, answers={other: 2})), Told(a_result(1, cost=None))]
    )
    assert found["answerers"] == [
        "x was asked for, and another model answered: other/dear gave 2 answers"
    ]
    assert (found["money"]["known"], found["money"]["why"]) == (
        False,
        "no price is known for the model that answered",
    )


def test_speed_up_and_efficiency_come_from_the_bounds(tmp_path: Path) -> None:
    found = summary(tmp_path, [a_topic(0), a_topic(1)])["time"]
    # Rows of 4.25 s each, in a session of 8 s.
    assert found["speedup"] == pytest.approx(8.5 / 8)
    # Two useful seconds in a chain, in 3.75 s from the first call to the last answer.
    assert found["bound_s"] == pytest.approx(2.0)
    assert found["efficiency"] == pytest.approx(2.0 / 3.75)
    assert sum(loss["seconds"] for loss in found["losses"]) == pytest.approx(1.75, abs=0.01)


def test_a_run_that_asked_nothing_has_no_speed_up(tmp_path: Path) -> None:
    found = summary(tmp_path, [])["time"]
    assert (found["sequential_s"], found["speedup"], found["efficiency"]) == (0, None, None)


def test_the_steps_in_numbers(tmp_path: Path) -> None:
    plan, write = summary(tmp_path, [a_topic(0), a_topic(1)])["steps"]
    assert (plan["step"], plan["calls"], plan["retries"], plan["latency"]["p50"]) == (
        "plan",
        2,
        0,
        1.0,
    )
    assert (write["step"], write["retries"], write["reasoning_tokens"], write["cached_tokens"]) == (
        "write",
        2,
        40,
        80,
    )


def test_topics_of_one_cause_know_it(tmp_path: Path) -> None:
    alike = a_failed_topic(2, message="mock answered 500 (trace 9c4e71d0)")
    run = write_run(tmp_path / "run", [a_failed_topic(0), a_topic(1), alike])
    digest = Digest()
    lines = [digest.add(topic) for topic in Run.open(run).topics()]
    assert [cause.count for cause in digest.troubles["failed"].found] == [2]
    assert [line.cause for line in lines] == [0, -1, 0]


@pytest.mark.parametrize("kind", get_args(StopKind))
def test_every_cause_of_a_stop_has_words_and_a_tone(kind: str) -> None:
    log = [{"stop": {"kind": kind, "message": "said so"}}]
    found = state_of(a_manifest(status=kind, session_log=log), running=False)
    assert found["said"] == "said so"
    assert found["tone"] in ("warn", "bad")
    assert found["word"] == "interrupted" or found["word"].startswith("stopped: ")


def test_a_run_that_waits_for_its_provider_says_so() -> None:
    found = state_of(a_manifest(), running=True, down="provider down since 03:12")
    expected = {
        "tone": "busy",
        "word": "running, waiting for the provider",
        "said": "provider down since 03:12",
    }
    assert found == expected


STARTED = "2026-11-21T03:00:00.000+00:00"
OUTAGE = {
    "since": "2026-11-21T03:00:02.000+00:00",
    "until": "2026-11-21T03:00:03.500+00:00",
    "seconds": 1.5,
    "probes": 2,
    "kind": "connection",
    "message": "refused\x1b[2J",
}


def test_outages_are_told_and_marked_where_they_were(tmp_path: Path) -> None:
    entry = {"wall_s": 8.0, "places": [], "stop": None, "started_at": STARTED, "outages": [OUTAGE]}
    found = summary(tmp_path, [a_topic(0), a_topic(1)], session_log=[entry])

    expected = {**OUTAGE, "from_s": 2.0, "to_s": 3.5, "message": "refused\\x1b[2J"}
    assert found["outages"] == [expected]
    marked = [
        at
        for at, number in zip(found["series"]["t"], found["series"]["away"], strict=True)
        if number == 1
    ]
    assert (marked[0], marked[-1]) == (pytest.approx(2.0, abs=0.01), pytest.approx(3.5, abs=0.01))


def test_a_session_is_drawn_as_long_as_the_outage_that_ended_it_and_outages_are_counted_on(
    tmp_path: Path,
) -> None:
    long = {**OUTAGE, "until": None, "seconds": 60.0}
    first = {"wall_s": 62.0, "places": [], "stop": None, "started_at": STARTED, "outages": [long]}
    second = {"wall_s": 8.0, "places": [], "stop": None, "started_at": STARTED, "outages": [OUTAGE]}
    found = summary(tmp_path, [a_topic(0)], sessions=2, session_log=[first, second])

    assert found["series"]["begun"] == [0.0, 62.0]
    assert found["series"]["t"][-1] == pytest.approx(65.5)
    assert {number for number in found["series"]["away"] if number} == {1, 2}
    assert [outage["until"] for outage in found["outages"]] == [None, OUTAGE["until"]]


def test_runs_from_before_there_were_outages_have_none(tmp_path: Path) -> None:
    found = summary(tmp_path, [a_topic(0)])
    assert found["outages"] == []
    assert set(found["series"]["away"]) == {None}


@pytest.mark.parametrize(
    ("status", "running", "failed", "tone", "word"),
    [
        ("running", True, 0, "busy", "running"),
        ("running", False, 0, "bad", "killed"),
        ("complete", False, 0, "good", "complete"),
        ("complete", False, 2, "warn", "2 failed"),
        ("budget", False, 0, "warn", "budget"),
        ("auth", False, 0, "bad", "key"),
    ],
)
def test_the_state_of_a_run_in_a_word(
    status: str, running: bool, failed: int, tone: str, word: str
) -> None:
    found = state_of(a_manifest(status=status), running=running, failed=failed)
    assert found["tone"] == tone
    assert word in found["word"]


def test_what_stopped_a_run_is_said(tmp_path: Path) -> None:
    log = [{"wall_s": 8.0, "stop": {"kind": "budget", "message": "the budget is reached"}}]
    assert (
        summary(tmp_path, [a_topic(0)], status="budget", session_log=log)["state"]["said"]
        == "the budget is reached"
    )


def test_a_run_under_way_counts_what_is_left_and_has_no_wall_of_its_own(tmp_path: Path) -> None:
    dataset = {"path": "x", "kept": None, "sha256": "0", "topics": 10}
    found = summary(
        tmp_path, [a_topic(0)], running=True, status="running", session_log=[], dataset=dataset
    )
    assert found["totals"]["unfinished"] == 9
    assert found["time"]["wall_s"] == 2.75
    assert not found["time"]["whole_sessions"]


def test_a_history_counts_only_where_each_session_has_one() -> None:
    log = [{"places": [[0.0, 8]]}, {"places": [[0.0, 4]]}]
    assert history_of(a_manifest(sessions=2, session_log=log), running=False) == {
        1: [[0.0, 8]],
        2: [[0.0, 4]],
    }
    assert history_of(a_manifest(sessions=3, session_log=log), running=True) == {
        1: [[0.0, 8]],
        2: [[0.0, 4]],
    }
    assert history_of(a_manifest(sessions=3, session_log=log), running=False) == {}


def test_limits_are_read_from_settings() -> None:
    limits = limits_of({"in_flight": 3, "rpm": 60, "tpm": None})
    assert (limits.in_flight, limits.requests_per_minute, limits.tokens_per_minute) == (3, 60, None)


def test_a_complete_run_that_lacks_rows_says_so(tmp_path: Path) -> None:
    dataset = {"path": "x", "kept": None, "sha256": "0", "topics": 3}
    state = summary(tmp_path, [a_topic(0)], dataset=dataset)["state"]
    assert (state["tone"], state["word"]) == ("bad", "complete, but rows are missing: 2")
