from __future__ import annotations

from pathlib import Path

import pytest
from records import a_result, a_span
from report_runs import Told, a_failed_topic, a_topic, append, write_run

from harness.records.rows import result_to_row, span_to_row
from harness.errors import ResultsError
from harness.report.detail import detail_of
from harness.report.records import Place, Record, RunReader


def read(reader: RunReader) -> list[tuple[str, list[str]]]:
    reader.look()
    return [(one.row["topic_id"], [call["id"] for call in one.calls]) for one in reader.records()]


def test_a_topic_comes_with_its_calls_in_the_order_of_the_file(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(2), a_topic(0), Told(a_topic(1).result)])
    assert read(RunReader(run)) == [("t2", ["plan", "write"]), ("t0", ["plan", "write"]), ("t1", [])]


def test_a_run_that_grows_is_read_on_and_not_again(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0)])
    reader = RunReader(run)
    assert read(reader) == [("t0", ["plan", "write"])]
    assert read(reader) == []
    append(run, [a_topic(1)])
    assert read(reader) == [("t1", ["plan", "write"])]
    assert reader.generation == 0


def test_calls_whose_row_is_not_written_yet_wait_for_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0)])
    reader = RunReader(run)
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
    reader = RunReader(run)
    assert len(read(reader)) == 2
    again = a_topic(0)
    append(run, [Told(again.result, again.calls[:1], session=2)])
    assert read(reader) == [("t1", ["plan", "write"]), ("t0", ["plan"])]
    assert reader.generation == 1


def test_files_that_were_replaced_are_read_anew(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0), a_topic(1)])
    reader = RunReader(run)
    assert len(read(reader)) == 2
    for name in ("results.jsonl", "traces.jsonl"):
        (run / "beside").write_bytes((run / name).read_bytes())
        (run / "beside").replace(run / name)
    assert len(read(reader)) == 2


def test_a_topic_can_be_found_again_by_its_place(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0), a_topic(1), a_topic(2)])
    reader = RunReader(run)
    reader.look()
    places = {one.row["topic_id"]: one.at for one in reader.records()}
    found = reader.record_at(places["t1"])
    assert (found.row["topic_id"], [call["id"] for call in found.calls]) == ("t1", ["plan", "write"])


def test_a_place_beyond_the_end_of_a_shorter_file_is_an_error(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0), a_topic(1)])
    reader = RunReader(run)
    reader.look()
    last = list(reader.records())[-1].at
    (run / "results.jsonl").write_text("")
    with pytest.raises(ResultsError, match="has become shorter"):
        reader.record_at(last)


def test_a_damaged_row_is_named_with_its_topic(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0)])
    rows = run / "results.jsonl"
    rows.write_text(rows.read_text().replace('"usage"', '"usages"'))
    with pytest.raises(ResultsError, match=r"a row of topic 't0' is damaged"):
        RunReader(run).look()


def test_the_detail_of_a_call_says_why_its_answer_was_rejected_where_the_row_tells() -> None:
    row = result_to_row(a_result(), session=1)
    call = span_to_row(a_span(rejected="it held \x1b[31mno list"), index=0, session=1)
    older = {name: value for name, value in call.items() if name != "rejected"}
    detail = detail_of(Record(row=row, calls=(call, older), at=Place()))
    assert [each["rejected"] for each in detail["calls"]] == ["it held \\x1b[31mno list", None]
