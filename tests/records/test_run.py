from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from records import a_stored_result, a_stored_span
from report_runs import Told, a_failed_topic, a_topic, append, write_run

from harness.errors import ResultsError
from harness.records.run import Place, Run, StoredTopic
from harness.report.detail import detail_of


def read(run: Run) -> list[tuple[str, list[str]]]:
    run.look()
    return [told(topic) for topic in run.topics()]


def told(topic: StoredTopic) -> tuple[str, list[str]]:
    return topic.result.topic_id, [call.id for call in topic.calls]


def test_a_topic_comes_with_its_calls_in_the_order_of_the_file(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(2), a_topic(0), Told(a_topic(1).result)])
    assert read(Run(run)) == [("t2", ["plan", "write"]), ("t0", ["plan", "write"]), ("t1", [])]


def test_a_run_that_grows_is_read_on_and_not_again(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0)])
    reader = Run(run)
    assert read(reader) == [("t0", ["plan", "write"])]
    assert read(reader) == []
    append(run, [a_topic(1)])
    assert read(reader) == [("t1", ["plan", "write"])]
    assert reader.generation == 0


def test_calls_whose_row_is_not_written_yet_wait_for_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0)])
    reader = Run(run)
    results = run / "results.jsonl"
    before = results.read_bytes()
    append(run, [a_topic(1)])
    whole = results.read_bytes()
    results.write_bytes(before + whole[len(before) : -5])
    assert read(reader) == [("t0", ["plan", "write"])]
    results.write_bytes(whole)
    assert read(reader) == [("t1", ["plan", "write"])]


def test_a_topic_that_was_run_again_counts_once_and_all_is_read_anew(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_failed_topic(0), a_topic(1)])
    reader = Run(run)
    assert len(read(reader)) == 2
    again = a_topic(0)
    append(run, [Told(again.result, again.calls[:1], session=2)])
    assert read(reader) == [("t1", ["plan", "write"]), ("t0", ["plan"])]
    assert reader.generation == 1


def test_files_that_were_replaced_are_read_anew(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0), a_topic(1)])
    reader = Run(run)
    assert len(read(reader)) == 2
    for name in ("results.jsonl", "traces.jsonl"):
        (run / "beside").write_bytes((run / name).read_bytes())
        (run / "beside").replace(run / name)
    assert len(read(reader)) == 2


def test_a_topic_can_be_found_again_by_its_place(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0), a_topic(1), a_topic(2)])
    reader = Run(run)
    reader.look()
    places = {one.result.topic_id: one.at for one in reader.topics()}
    found = reader.topic_at(places["t1"])
    assert told(found) == ("t1", ["plan", "write"])


def test_a_place_beyond_the_end_of_a_shorter_file_is_an_error(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0), a_topic(1)])
    reader = Run(run)
    reader.look()
    last = list(reader.topics())[-1].at
    (run / "results.jsonl").write_text("")
    with pytest.raises(ResultsError, match="has become shorter"):
        reader.topic_at(last)


def test_a_damaged_row_is_named_with_its_topic(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0)])
    rows = run / "results.jsonl"
    rows.write_text(rows.read_text().replace('"usage"', '"usages"'))
    with pytest.raises(ResultsError, match=r"the row of topic 't0' is damaged: usage: is missing"):
        Run(run).look()


def test_the_detail_of_a_call_says_why_its_answer_was_rejected_where_the_row_tells() -> None:
    calls = (a_stored_span(rejected="it held \x1b[31mno list"), a_stored_span())
    detail = detail_of(StoredTopic(result=a_stored_result(), calls=calls, at=Place()))
    assert [each["rejected"] for each in detail["calls"]] == ["it held \\x1b[31mno list", None]


def test_a_look_that_is_broken_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", [a_topic(index) for index in range(4)])
    run = Run(path)
    assert [row.topic_id for row, _ in islice(run.looking(), 2)] == ["t0", "t1"]
    assert run.standing.totals.rows == 2
    assert [row.topic_id for row, _ in run.looking()] == ["t2", "t3"]
    assert run.standing.totals.rows == 4


def test_a_topic_that_was_run_again_is_noticed_by_a_look_in_two_parts(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", [a_failed_topic(0), a_topic(1)])
    run = Run.open(path)
    assert [topic.result.topic_id for topic in run.topics()] == ["t0", "t1"]
    again = a_topic(0)
    append(path, [Told(again.result, again.calls, session=2), a_topic(2)])
    assert [row.topic_id for row, _ in islice(run.looking(), 1)] == ["t0"]
    assert run.generation == 0
    # What was read does not hold any more, so all rows come again.
    assert [row.topic_id for row, _ in run.looking()] == ["t2", "t0", "t1", "t0", "t2"]
    assert run.generation == 1
    assert [told(topic) for topic in run.topics()] == [
        ("t1", ["plan", "write"]), ("t0", ["plan", "write"]), ("t2", ["plan", "write"]),
    ]  # fmt: skip


def test_a_topic_is_found_again_without_reading_to_the_end(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", [a_topic(index) for index in range(5)])
    run = Run.open(path)
    places = [topic.at for topic in run.topics()]
    traces = (path / "traces.jsonl").read_text().splitlines(keepends=True)
    (path / "traces.jsonl").write_text("".join(traces[:-1]) + "damaged\n")
    assert [call.id for call in run.topic_at(places[1]).calls] == ["plan", "write"]
