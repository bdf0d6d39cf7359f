from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ResultsError, StorageError
from harness.records.jsonl_file import (
    AppendedFile,
    count_lines,
    cut_torn_line,
    last_texts_of,
    storage_errors,
    texts_of,
    write_whole,
)
from harness.records.stored import owner_of


def a_line(index: int, text: str = "") -> str:
    return json.dumps({"topic_id": "t", "index": index, "session": 1, "text": text})


def indexes_in(path: Path) -> list[int]:
    return [json.loads(raw)["index"] for _, raw in texts_of(path)]


def test_lines_are_appended_whole_and_read_back(tmp_path: Path) -> None:
    file = AppendedFile(tmp_path / "rows.jsonl")

    assert file.append([a_line(0), a_line(1)]) == 0
    file.append([a_line(2)])
    file.close()

    assert indexes_in(tmp_path / "rows.jsonl") == [0, 1, 2]


def test_an_appended_file_is_read_by_nobody_but_its_owner(tmp_path: Path) -> None:
    file = AppendedFile(tmp_path / "rows.jsonl")
    file.append([])
    file.close()

    assert (tmp_path / "rows.jsonl").stat().st_mode & 0o777 == 0o600


def test_what_was_appended_can_be_taken_back(tmp_path: Path) -> None:
    file = AppendedFile(tmp_path / "rows.jsonl")
    file.append([a_line(0)])
    before = file.append([a_line(1)])

    file.cut(before)
    file.append([a_line(2)])
    file.close()

    assert indexes_in(tmp_path / "rows.jsonl") == [0, 2]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_deleted_or_replaced_is_not_written_to_unseen(
    tmp_path: Path, replaced: bool
) -> None:
    file = AppendedFile(tmp_path / "rows.jsonl")
    file.append([a_line(0)])
    (tmp_path / "rows.jsonl").unlink()
    if replaced:
        (tmp_path / "other").touch()
        (tmp_path / "other").rename(tmp_path / "rows.jsonl")

    with pytest.raises(FileNotFoundError, match="deleted or replaced"):
        file.append([a_line(1)])
    file.close()


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    # The largest file that this process may write stands in for the disk.
    pid = os.fork()
    if pid == 0:
        os._exit(_append_beyond_the_limit(tmp_path / "rows.jsonl"))
    assert os.waitpid(pid, 0)[1] == 0

    assert (tmp_path / "rows.jsonl").read_text() == a_line(0) + "\n"


def _append_beyond_the_limit(path: Path) -> int:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = AppendedFile(path)
    file.append([a_line(0)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, -1))
    try:
        file.append([a_line(1)])
    except OSError:
        return 0
    return 1


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert list(texts_of(tmp_path / "none")) == []
    assert list(last_texts_of(tmp_path / "none")) == []
    assert count_lines(tmp_path / "none") == 0
    cut_torn_line(tmp_path / "none")


def test_a_last_line_without_its_end_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(a_line(0) + "\n" + a_line(1))

    assert indexes_in(path) == [0]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"topic_id": 1, "index": 0, "session": 1}',
        '{"topic_id": "t", "index": -1, "session": 1}',
        '{"topic_id": "t", "index": 0, "session": 0}',
        '{"topic_id": "t", "index": 0.5, "session": 1}',
        '{"topic_id": "t", "index": true, "session": 1}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{a_line(0)}\n{line}\n")

    with pytest.raises(
        ResultsError, match=r"rows\.jsonl(:2: not a row of ours|: a row of topic 't' is damaged)"
    ):
        [owner_of(raw, path, at) for at, raw in texts_of(path)]


@given(
    texts=st.lists(st.text(alphabet="ab", max_size=200_000 // 2), min_size=0, max_size=4),
    torn=st.binary(max_size=50).filter(lambda tail: b"\n" not in tail),
)
def test_lines_read_backwards_are_the_lines_reversed(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], torn: bytes
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    # Blocks are of 64 KiB: lines of up to some hundred KB cross them.
    lines = [a_line(index, text * 3) for index, text in enumerate(texts)]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode() + torn)
    cut_torn_line(path)

    forwards = list(texts_of(path))

    assert [json.loads(raw)["index"] for _, raw in forwards] == list(range(len(texts)))
    assert [at for at, _ in forwards] == [
        sum(len(raw) for _, raw in forwards[:n]) for n in range(len(forwards))
    ]
    assert list(last_texts_of(path)) == forwards[::-1]
    assert count_lines(path) == len(texts)


def test_a_file_of_one_torn_line_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"x" * 200_000)

    cut_torn_line(path)

    assert path.read_bytes() == b""


def test_a_file_is_replaced_in_one_move_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_whole(path, [b"old"])

    def parts() -> object:
        yield b"half"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_whole(path, parts())  # type: ignore[arg-type]

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    write_whole(pipe, [b"to the ", b"reader"])

    assert os.read(reader, 100) == b"to the reader"
    assert pipe.is_fifo()
    os.close(reader)


def test_an_operating_systems_error_says_what_can_be_done(tmp_path: Path) -> None:
    with (
        pytest.raises(
            StorageError, match=r"results: cannot be written: No space left.*can be resumed"
        ),
        storage_errors(Path("results")),
    ):
        raise OSError(28, "No space left on device")
