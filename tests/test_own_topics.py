"""Our own topics, all of them, through the whole of it: do the results, the traces and the commands
tell the truth?
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from batches import manifest_of, rows_of, run
from click.testing import CliRunner

from harness.cli.main import cli
from harness.testing.virtual_time import run_virtual

DATASET = Path(__file__).parent.parent / "datasets" / "topics.jsonl"
CITATION = re.compile(r"\[(\d+(?:[,\s]+\d+)*)\]")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night on virtual time in which some requests fail, and some for good."""
    directory = tmp_path_factory.mktemp("night")

    async def main() -> None:
        await run(
            directory, DATASET, latency="uniform:8:12", in_flight=24, attempts=2, faults="0.25"
        )

    run_virtual(main)
    return directory


@pytest.fixture(scope="module")
def rows(night: Path) -> list[dict[str, Any]]:
    return sorted(rows_of(night), key=lambda row: int(row["index"]))


@pytest.fixture(scope="module")
def calls(night: Path) -> dict[str, list[dict[str, Any]]]:
    by_topic: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for span in rows_of(night, "traces"):
        by_topic[span["topic_id"]].append(span)
    return by_topic


def finished(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["status"] != "failed"]


def test_each_topic_has_one_row_with_its_text_and_all_its_other_fields(
    rows: list[dict[str, Any]],
) -> None:
    topics = [json.loads(line) for line in DATASET.read_text().splitlines()]

    assert [
        {"id": row["topic_id"], "topic": row["topic"], **row["metadata"]} for row in rows
    ] == topics
    # The night was bad enough for what is checked below to mean something.
    assert {row["status"] for row in rows} >= {"ok", "degraded"}


def test_rows_add_up_to_their_calls(
    rows: list[dict[str, Any]], calls: dict[str, list[dict[str, Any]]]
) -> None:
    for row in rows:
        spans = calls[row["topic_id"]]
        assert row["calls"] == len(spans)
        for name in row["usage"]:
            assert row["usage"][name] == sum(span["usage"][name] for span in spans)
        if row["cost"] is not None:
            assert row["cost"] == pytest.approx(sum(span["cost"] for span in spans))
        assert row["sequential_s"] == pytest.approx(sum(span["own_s"] for span in spans), abs=1e-4)
        ends = max(span["end_s"] for span in spans) - min(span["start_s"] for span in spans)
        assert row["elapsed_s"] == pytest.approx(ends, abs=1e-4)


def test_questions_come_from_the_decomposition_and_answers_from_their_call(
    rows: list[dict[str, Any]], calls: dict[str, list[dict[str, Any]]]
) -> None:
    for row in finished(rows):
        spans = calls[row["topic_id"]]
        decomposition = next(span for span in reversed(spans) if span["step"] == "decompose")
        answers = {span["parent"]: span for span in spans if span["step"] == "research"}
        assert len(row["sections"]) == len(answers) >= 3
        for section in row["sections"]:
            span = answers[f"research.{section['number']}"]
            assert json.dumps(section["question"], ensure_ascii=False) in decomposition["content"]
            assert section["question"] in span["request"]["messages"][-1]["content"]
            assert section["answer"] == (span["content"] if span["error"] is None else None)
            assert (section["error"] is None) == (span["error"] is None)


def test_reports_cite_sections_that_exist_and_say_so(rows: list[dict[str, Any]]) -> None:
    for row in finished(rows):
        cited = {
            int(number)
            for group in CITATION.findall(row["output"])
            for number in re.findall(r"\d+", group)
        }
        assert cited
        assert cited == {section["number"] for section in row["sections"] if section["cited"]}
        assert cited <= {section["number"] for section in row["sections"]}


def test_a_degraded_report_says_what_it_lacks(rows: list[dict[str, Any]]) -> None:
    for row in finished(rows):
        failed = [section["number"] for section in row["sections"] if section["status"] == "failed"]
        assert (row["status"] == "degraded") == bool(failed)
        if failed:
            numbers = ", ".join(map(str, failed))
            assert (
                row["error"]["message"]
                == f"no answer to sub-question {numbers} of {len(row['sections'])}"
            )


def test_every_second_of_a_call_has_a_name(calls: dict[str, list[dict[str, Any]]]) -> None:
    waits = ("queued_run_s", "queued_s", "paced_s", "budget_s", "stored_s", "outage_s", "latency_s")
    for span in (span for spans in calls.values() for span in spans):
        served = span["served"]
        seconds = sum(served.get(name, 0.0) for name in waits)
        seconds += sum(
            failure["elapsed_s"] + failure["backoff_s"] for failure in served["failures"]
        )
        assert seconds == pytest.approx(span["end_s"] - span["start_s"], abs=1e-4)
        assert served["attempts"] == len(served["failures"]) + (span["error"] is None)
        if served["ttft_answer_s"] is not None:
            assert (
                (served["ttft_reasoning_s"] or 0) <= served["ttft_answer_s"] <= served["latency_s"]
            )
        assert (span["usage"]["reasoning_tokens"] > 0) == bool(span["reasoning"]) or span["error"]


def told(*arguments: str) -> str:
    outcome = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_status_says_what_the_files_say(night: Path, rows: list[dict[str, Any]]) -> None:
    status = json.loads(told("status", str(night / "out"), "--json"))
    counts = {
        name: sum(row["status"] == name for row in rows) for name in ("ok", "degraded", "failed")
    }

    assert {name: status["totals"][name] for name in counts} == counts
    assert status["totals"]["unfinished"] == 0
    assert status["running"] is False
    assert status["totals"]["usage"]["output_tokens"] == sum(
        row["usage"]["output_tokens"] for row in rows
    )
    assert status["totals"]["cost"] == pytest.approx(sum(row["cost"] or 0 for row in rows))
    assert f"{counts['ok']} ok, {counts['degraded']} degraded" in told("status", str(night / "out"))
    totals = manifest_of(night)["totals"]
    assert totals["sequential_s"] / totals["wall_s"] > 5


def test_show_lists_every_topic_and_shows_one_with_its_calls(
    night: Path, rows: list[dict[str, Any]], calls: dict[str, list[dict[str, Any]]]
) -> None:
    listed = [json.loads(line) for line in told("show", str(night / "out"), "--json").splitlines()]
    assert sorted(row["topic_id"] for row in listed) == sorted(row["topic_id"] for row in rows)

    row = next(row for row in rows if row["status"] == "degraded")
    shown = json.loads(told("show", str(night / "out"), row["topic_id"], "--json"))
    spans = shown.pop("spans")
    assert shown == row
    assert spans == calls[row["topic_id"]]
    text = told("show", str(night / "out"), row["topic_id"])
    assert row["error"]["message"] in text
    assert row["output"].splitlines()[0] in text
