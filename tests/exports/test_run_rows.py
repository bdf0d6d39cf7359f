from __future__ import annotations

import json
from pathlib import Path

import pytest
from exports.runs import a_run_of, many, odd_topics
from records import a_result, a_span

from harness.errors import ResultsError
from harness.exports.source import open_run
from harness.records.directory_lock import DirectoryLock
from harness.records.rows import result_to_row, span_to_row


def told(path: Path) -> list[tuple[int, list[str]]]:
    with open_run(path) as rows:
        return [(topic.row["index"], [call["id"] for call in topic.calls]) for topic in rows]


def appended(path: Path, *rows: object) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_topics_come_in_the_order_of_the_dataset_each_with_its_calls(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", odd_topics())

    assert told(run) == [(0, ["first", "second"]), (1, []), (2, []), (3, ["third"])]


def test_the_rows_can_be_read_twice(tmp_path: Path) -> None:
    with open_run(a_run_of(tmp_path / "run", many(3))) as rows:
        assert list(rows) == list(rows)


def test_of_a_topic_that_was_run_again_the_last_session_counts(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", [(a_result(0), [a_span("t0", "old")])])
    appended(run / "traces.jsonl", span_to_row(a_span("t0", "new"), index=0, session=2))
    appended(run / "results.jsonl", result_to_row(a_result(0), session=2))

    assert told(run) == [(0, ["new"])]


def test_calls_of_a_topic_that_is_not_done_are_left_out(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", many(1), topics=2)
    appended(run / "traces.jsonl", span_to_row(a_span("t1", "early"), index=1, session=1))

    assert told(run) == [(0, ["ask"])]


def test_what_is_written_after_the_opening_is_left_out(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", many(1), topics=2)
    with open_run(run) as rows:
        appended(run / "traces.jsonl", span_to_row(a_span("t1"), index=1, session=1))
        appended(run / "results.jsonl", result_to_row(a_result(1), session=1))
        assert [topic.row["index"] for topic in rows] == [0]
        assert (rows.facts.finished, rows.facts.unfinished) == (1, 1)


def test_a_run_that_tidies_up_meanwhile_changes_nothing(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", many(3))
    with open_run(run) as rows:
        for name in ("results.jsonl", "traces.jsonl"):
            (run / "other").write_text("{}\n")
            (run / "other").replace(run / name)
        assert [topic.calls[0]["content"] for topic in rows] == ["answer 0", "answer 1", "answer 2"]


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", many(2))
    with (run / "results.jsonl").open("a") as file:
        file.write('{"version": 1, "ind')

    assert [index for index, _ in told(run)] == [0, 1]


def test_a_run_that_has_only_begun_has_no_topics(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", (), topics=7)
    assert not (run / "results.jsonl").exists()

    with open_run(run) as rows:
        assert list(rows) == []
        assert (rows.facts.finished, rows.facts.unfinished) == (0, 7)


def test_a_run_under_way_is_known_as_one(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", many(1))
    with open_run(run) as rows:
        assert not rows.facts.running
    lock = DirectoryLock.take(run)
    try:
        with open_run(run) as rows:
            assert rows.facts.running
    finally:
        lock.release()


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        ("complete", "complete"),
        ("interrupted", "not complete (interrupted)"),
        ("running", "not complete (its process died)"),
    ],
)
def test_how_the_run_stands_is_said_in_words(tmp_path: Path, status: str, standing: str) -> None:
    with open_run(a_run_of(tmp_path / "run", many(1), status=status)) as rows:
        assert rows.facts.standing == standing


def test_calls_that_do_not_stand_together_are_said_to_be_so(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", many(2))
    lines = (run / "traces.jsonl").read_text().splitlines(keepends=True)
    (run / "traces.jsonl").write_text("".join([*lines, lines[0]]))

    with pytest.raises(ResultsError, match="do not stand together"):
        told(run)


@pytest.mark.parametrize(
    ("damage", "said"), [("{}\n", "not a row of ours"), ('{"index": 0}\n', "not a row of ours")]
)
def test_a_damaged_line_is_named(tmp_path: Path, damage: str, said: str) -> None:
    run = a_run_of(tmp_path / "run", many(1))
    with (run / "results.jsonl").open("a") as file:
        file.write(damage)

    with pytest.raises(ResultsError, match=rf"results\.jsonl:2: {said}"):
        told(run)


def test_a_row_without_its_sums_is_named(tmp_path: Path) -> None:
    run = a_run_of(tmp_path / "run", many(1))
    appended(run / "results.jsonl", {"index": 1, "session": 1, "topic_id": "broken"})

    with pytest.raises(ResultsError, match="the row of topic 'broken' is damaged"):
        told(run)
