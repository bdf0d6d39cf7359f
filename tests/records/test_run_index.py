"""Runs that have ended, read topic by topic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_directories import Made, make_run, said

from harness.errors import ResultsError
from harness.records.directory_lock import DirectoryLock
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE
from harness.records.run_index import RunIndex

TOPICS = [
    Made(id="sea", calls=[said("b", "?", "two", at_s=5.0), said("a", "?", "one", at_s=2.0)]),
    Made(id="sky", calls=[said("a", "?", "blue")]),
    Made(id="bad", failed=True),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", TOPICS)


def test_the_topics_are_known_and_read_one_by_one(run: Path) -> None:
    index = RunIndex.open(run)
    assert list(index) == ["sea", "sky", "bad"]
    assert len(index) == 3
    assert "sky" in index
    assert "moon" not in index
    assert index.row("bad").status == "failed"
    assert [call.content for call in index.calls("sky")] == ["blue"]
    assert index.calls("bad") == []


def test_calls_come_in_the_order_in_which_they_were_wanted(run: Path) -> None:
    assert [call.id for call in RunIndex.open(run).calls("sea")] == ["a", "b"]


def test_a_row_that_a_later_session_replaced_does_not_count(run: Path) -> None:
    later = {"session": 2, "status": "ok"}
    rows = [json.loads(line) for line in (run / RESULTS_FILE).read_text().splitlines()]
    with (run / RESULTS_FILE).open("a") as file:
        file.write(json.dumps({**rows[2], **later, "output": "better"}) + "\n")
    index = RunIndex.open(run)
    assert len(index) == 3
    assert index.row("bad").output == "better"


def test_draws_of_a_topic_are_told_by_the_topic_and_a_number(tmp_path: Path) -> None:
    topics = [Made(id=name) for name in ("sea", "sea#2", "sky", "sky#2")]
    index = RunIndex.open(make_run(tmp_path / "run", topics, identity={"samples": 2}))
    assert index.samples == 2
    assert [index.draw_of(index.row(name)) for name in index] == [
        ("sea", 0),
        ("sea", 1),
        ("sky", 0),
        ("sky", 1),
    ]


def test_a_run_without_draws_keeps_an_id_that_looks_like_one(tmp_path: Path) -> None:
    index = RunIndex.open(make_run(tmp_path / "run", [Made(id="sea"), Made(id="sea#2")]))
    assert index.draw_of(index.row("sea#2")) == ("sea#2", 0)


def test_a_run_that_is_going_on_is_refused(run: Path) -> None:
    lock = DirectoryLock.take(run)
    try:
        with pytest.raises(ResultsError, match="this run is still going; wait for it"):
            RunIndex.open(run)
    finally:
        lock.release()
    assert len(RunIndex.open(run)) == 3


@pytest.mark.parametrize("name", [RESULTS_FILE, TRACES_FILE])
def test_a_torn_last_line_is_refused_and_says_how_to_repair_it(run: Path, name: str) -> None:
    raw = (run / name).read_bytes()
    (run / name).write_bytes(raw[:-10])
    with pytest.raises(
        ResultsError, match=f"{name}: its last line is torn, so the run was killed; `harness resume"
    ):
        RunIndex.open(run)


def test_a_line_that_is_no_row_is_named(run: Path) -> None:
    lines = (run / TRACES_FILE).read_text().splitlines()
    (run / TRACES_FILE).write_text("\n".join([lines[0], "{no row", *lines[2:]]) + "\n")
    with pytest.raises(ResultsError, match=r"traces\.jsonl:2: not a row of ours"):
        RunIndex.open(run)


def test_calls_that_are_missing_are_counted(run: Path) -> None:
    lines = (run / TRACES_FILE).read_text().splitlines()
    (run / TRACES_FILE).write_text(lines[0] + "\n" + lines[2] + "\n")
    with pytest.raises(
        ResultsError, match=r"has 1 calls of topic 'sea', whose row speaks of 2; restore the file"
    ):
        RunIndex.open(run)
    (run / TRACES_FILE).unlink()
    with pytest.raises(ResultsError, match="has 0 calls of topic 'sea'"):
        RunIndex.open(run)


def test_calls_that_were_moved_are_refused(run: Path) -> None:
    lines = (run / TRACES_FILE).read_text().splitlines()
    (run / TRACES_FILE).write_text("\n".join([lines[0], lines[2], lines[1]]) + "\n")
    with pytest.raises(ResultsError, match="the calls of topic 'sea' do not stand together"):
        RunIndex.open(run)


def test_calls_without_a_row_are_left_out(run: Path) -> None:
    """As a crash leaves them between the calls of a topic and its row."""
    lines = [json.loads(line) for line in (run / TRACES_FILE).read_text().splitlines()]
    with (run / TRACES_FILE).open("a") as file:
        file.write(json.dumps({**lines[2], "topic_id": "moon", "index": 7}) + "\n")
    assert list(RunIndex.open(run)) == ["sea", "sky", "bad"]


def read(index: RunIndex) -> None:
    index.row("sky")
    index.calls("sky")


DAMAGES = [
    (RESULTS_FILE, "output", None),
    (RESULTS_FILE, "sections", 7),
    (TRACES_FILE, "content", None),
    (TRACES_FILE, "request", "text"),
    (TRACES_FILE, "own_s", True),
]


@pytest.mark.parametrize(
    ("name", "field", "wrong"), DAMAGES, ids=[field for _, field, _ in DAMAGES]
)
def test_a_row_that_lacks_a_field_or_has_a_wrong_one_is_named_by_its_topic(
    run: Path, name: str, field: str, wrong: object
) -> None:
    rows = [json.loads(line) for line in (run / name).read_text().splitlines()]
    [sky] = [row for row in rows if row["topic_id"] == "sky"]
    del sky[field]
    if wrong is not None:
        sky[field] = wrong
    (run / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ResultsError, match=rf"{name}: .* of topic 'sky' is damaged: {field}: "):
        read(RunIndex.open(run))


@pytest.mark.parametrize("messages", [None, "none", ["none"]])
def test_a_call_whose_messages_are_wrong_is_named(run: Path, messages: object) -> None:
    rows = [json.loads(line) for line in (run / TRACES_FILE).read_text().splitlines()]
    rows[2]["request"]["messages"] = messages
    (run / TRACES_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ResultsError, match=r"a call of topic 'sky' is damaged: request\.messages"):
        RunIndex.open(run).calls("sky")


def test_a_call_whose_tokens_are_wrong_is_named(run: Path) -> None:
    rows = [json.loads(line) for line in (run / TRACES_FILE).read_text().splitlines()]
    rows[2]["usage"] = {"input_tokens": "many"}
    (run / TRACES_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(
        ResultsError,
        match=r"a call of topic 'sky' is damaged: usage\.input_tokens: must be a whole number",
    ):
        RunIndex.open(run).calls("sky")
