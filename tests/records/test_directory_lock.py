from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from harness.records.directory_lock import LOCK_FILE, DirectoryLock, is_locked


def test_a_directory_is_taken_by_one_at_a_time(tmp_path: Path) -> None:
    lock = DirectoryLock.take(tmp_path / "run")
    assert is_locked(tmp_path / "run")

    with pytest.raises(BlockingIOError):
        DirectoryLock.take(tmp_path / "run")

    lock.release()
    assert not is_locked(tmp_path / "run")
    DirectoryLock.take(tmp_path / "run").release()


def test_only_the_owner_can_enter(tmp_path: Path) -> None:
    DirectoryLock.take(tmp_path / "run").release()

    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "run" / LOCK_FILE).stat().st_mode & 0o777 == 0o600


def test_a_glance_at_the_lock_does_not_keep_its_owner_out(tmp_path: Path) -> None:
    DirectoryLock.take(tmp_path).release()
    with (tmp_path / LOCK_FILE).open("rb") as glance:
        fcntl.flock(glance, fcntl.LOCK_SH)
        threading.Timer(0.03, lambda: fcntl.flock(glance, fcntl.LOCK_UN)).start()

        DirectoryLock.take(tmp_path).release()


def test_undone_leaves_nothing_that_was_not_there(tmp_path: Path) -> None:
    DirectoryLock.take(tmp_path / "results" / "a" / "b").undo()

    assert list(tmp_path.iterdir()) == []


def test_undone_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()

    DirectoryLock.take(tmp_path / "results" / "a").undo()
    lock = DirectoryLock.take(tmp_path / "results" / "b")
    (tmp_path / "results" / "b" / "kept").touch()
    lock.undo()

    assert sorted(entry.name for entry in (tmp_path / "results").iterdir()) == ["b"]
    assert not is_locked(tmp_path / "results" / "b")


@pytest.mark.parametrize("again", [False, True])
def test_a_directory_that_was_deleted_or_made_anew_is_not_ours_any_more(
    tmp_path: Path, again: bool
) -> None:
    lock = DirectoryLock.take(tmp_path / "run")
    lock.check()
    (tmp_path / "run" / LOCK_FILE).unlink()
    (tmp_path / "run").rmdir()
    other = DirectoryLock.take(tmp_path / "run") if again else None

    with pytest.raises(FileNotFoundError, match="deleted or replaced"):
        lock.check()
    lock.release()
    if other is not None:
        other.release()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FileExistsError):
        DirectoryLock.take(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        DirectoryLock.take(tmp_path / "file" / "run")
    assert not is_locked(tmp_path / "none")
