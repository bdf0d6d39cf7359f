"""Opening a cache file: ours and whole, or an error that says what to do. Nothing is ever begun
anew in silence.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cache import sqlite_schema
from harness.cache.entry import entry_of
from harness.cache.sqlite_cache import SqliteCache
from harness.cache.sqlite_file import open_file
from harness.domain.completion import Completion, Request, Usage
from harness.domain.key import cache_key
from harness.errors import CacheError, HarnessError

INSERT = (
    "INSERT INTO calls (key, run_id, topic_id, span_id, opened_at, tokens_at_most) "
    "VALUES ('k', 'r', 't', 's', 'now', 1)"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


def make_cache(path: Path, rows: int = 0) -> None:
    with closing(open_file(path)) as connection:
        for index in range(rows):
            connection.execute(
                "INSERT INTO responses (key, request, value, digest, created_at, run_id, endpoint,"
                " model, bytes) VALUES (?, '{}', json_quote(?), '', '', '', '', '', 0)",
                (str(index), "x" * 3000),
            )


def test_a_new_cache_has_the_current_schema_and_says_whose_it_is(path: Path) -> None:
    make_cache(path)
    with closing(sqlite3.connect(path)) as connection:
        assert sqlite_schema.version_of(connection) == sqlite_schema.VERSION
        assert sqlite_schema.application_of(connection) == int.from_bytes(b"HRNS", "big")


def test_answers_of_an_older_cache_learn_their_calls_from_its_journal(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in (*sqlite_schema.MIGRATIONS[0], *sqlite_schema.MIGRATIONS[1]):
            connection.execute(statement)
        for key, run_id in (("a", "r1"), ("b", "r1"), ("c", "r2")):
            connection.execute(
                "INSERT INTO responses (key, request, value, digest, created_at, run_id, endpoint,"
                " model, bytes) VALUES (?, '{}', '{}', '', '', ?, '', '', 0)",
                (key, run_id),
            )
        for key, run_id, topic_id, outcome in (
            ("a", "r1", "failed before", "failed"), ("a", "r1", "t1", "stored"),
            ("a", "r2", "of another run", "stored"), ("b", "r1", "failed", "failed"), ("c", "r2", "t2", "stored"),
        ):  # fmt: skip
            connection.execute(
                "INSERT INTO calls (key, run_id, topic_id, span_id, opened_at, closed_at, outcome,"
                " tokens_at_most) VALUES (?, ?, ?, 's', '', '', ?, 0)",
                (key, run_id, topic_id, outcome),
            )
        connection.execute(f"PRAGMA application_id = {sqlite_schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()
    with closing(open_file(path)) as connection:
        rows = connection.execute(
            "SELECT key, topic_id, span_id FROM responses ORDER BY key"
        ).fetchall()
    assert rows == [("a", "t1", "s"), ("b", "", ""), ("c", "t2", "s")]


async def test_a_cache_from_before_there_were_verdicts_is_upgraded_and_answers_as_before(
    path: Path,
) -> None:
    request = Request(endpoint="e", model="m", messages=())
    answer = Completion(model="m", content="kept", finish_reason="stop", usage=Usage())
    entry = entry_of(
        cache_key(request),
        request,
        answer,
        run_id="r",
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    columns = (
        "key",
        "request",
        "value",
        "digest",
        "created_at",
        "run_id",
        "endpoint",
        "model",
        "bytes",
    )
    with closing(sqlite3.connect(path)) as connection:
        for statements in sqlite_schema.MIGRATIONS[:3]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(
            f"INSERT INTO responses ({', '.join(columns)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [getattr(entry, column) for column in columns],
        )
        connection.execute(f"PRAGMA application_id = {sqlite_schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 3")
        connection.commit()

    async with SqliteCache.open(path) as cache:
        hit = await cache.get(entry.key, request)

    assert hit is not None
    assert (hit.completion, hit.rejected) == (answer, None)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT answer, rejected FROM answers").fetchall() == [
            ("kept", None)
        ]


def test_only_the_owner_may_read_a_new_cache_and_the_directories_made_for_it(
    tmp_path: Path,
) -> None:
    make_cache(tmp_path / "made" / ".harness" / "cache.db")
    modes = [
        stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in ("made", "made/.harness", "made/.harness/cache.db")
    ]
    assert modes == [0o700, 0o700, 0o600]


def test_a_harness_directory_that_was_made_is_tagged_so_that_backups_leave_it_out(
    tmp_path: Path,
) -> None:
    make_cache(tmp_path / ".harness" / "cache.db")
    tag = (tmp_path / ".harness" / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")


def test_a_directory_that_was_there_is_left_as_it_is(tmp_path: Path) -> None:
    directory = tmp_path / ".harness"
    directory.mkdir(mode=0o755)
    make_cache(directory / "cache.db")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert not (directory / "CACHEDIR.TAG").exists()


def test_nothing_is_left_beside_a_new_cache(path: Path) -> None:
    make_cache(path)
    assert os.listdir(path.parent) == ["cache.db"]


def foreign_text(path: Path) -> None:
    path.write_text("topics, and no database\n")


def foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE responses (id)")


def empty(path: Path) -> None:
    path.touch()


def truncated_in_the_header(path: Path) -> None:
    make_cache(path)
    os.truncate(path, 10)


def truncated_in_the_schema(path: Path) -> None:
    make_cache(path)
    os.truncate(path, 4096)


def truncated_in_the_data(path: Path) -> None:
    make_cache(path, rows=100)
    os.truncate(path, path.stat().st_size // 2)


def overwritten_schema(path: Path) -> None:
    make_cache(path)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)


def of_a_newer_version(path: Path) -> None:
    make_cache(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def without_its_tables(path: Path) -> None:
    make_cache(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE calls")


def a_directory(path: Path) -> None:
    path.mkdir()


def a_device(path: Path) -> None:
    path.symlink_to("/dev/null")


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("in the way")


def a_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere.db"))


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (foreign_text, "no SQLite file"),
        (foreign_database, "made by another program"),
        (empty, "damaged.*empty"),
        (truncated_in_the_header, "no SQLite file"),
        (truncated_in_the_schema, "damaged"),
        (truncated_in_the_data, "damaged"),
        (overwritten_schema, "damaged"),
        (of_a_newer_version, "newer version.*schema 99"),
        (without_its_tables, "damaged.*tables are missing"),
        (a_directory, "a cache is a file"),
        (a_device, "a cache is a file"),
        (below_a_file, "cannot be opened"),
        (a_dangling_link, "no cache file here"),
    ],
)
def test_what_is_no_whole_cache_of_ours_is_refused_and_left_alone(
    tmp_path: Path, prepare: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "place" / "cache.db"
    path.parent.mkdir()
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(CacheError, match=rf"^{path}: .*{reason}"):
        open_file(path)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_cache_that_must_exist_is_not_made(path: Path) -> None:
    with pytest.raises(CacheError, match="no cache file here"):
        open_file(path, create=False)
    assert not path.exists()


def test_what_a_dead_process_left_in_the_log_is_not_lost(path: Path) -> None:
    writer = f"""
import os, pathlib
from harness.cache.sqlite_file import open_file
connection = open_file(pathlib.Path({str(path)!r}))
connection.execute({INSERT!r})
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", writer], check=False).returncode == -9
    assert path.with_name("cache.db-wal").stat().st_size > 0
    with closing(open_file(path)) as connection:
        assert connection.execute("SELECT key FROM calls").fetchall() == [("k",)]


def test_of_many_that_begin_at_once_all_get_the_same_cache(path: Path) -> None:
    barrier = threading.Barrier(8)

    def begin(_: int) -> None:
        barrier.wait()
        with closing(open_file(path)) as connection:
            connection.execute(INSERT)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, range(8)))
    with closing(open_file(path)) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (8,)
    assert os.listdir(path.parent) == ["cache.db"]


def refused_as_another_user(path: Path) -> str:
    """What opening says to a user who is not root; root may do everything."""
    opener = f"""
import os, pathlib
from harness.cache.sqlite_file import open_file
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    open_file(pathlib.Path({str(path)!r})).execute("BEGIN IMMEDIATE")
except Exception as error:
    print(type(error).__name__, error)
"""
    return subprocess.run(
        [sys.executable, "-c", opener], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def open_tmp_path(tmp_path: Path) -> Path:
    """A temporary directory that every user may enter."""
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    return tmp_path


def test_a_directory_that_may_not_be_written_is_refused(open_tmp_path: Path) -> None:
    directory = open_tmp_path / "readonly"
    directory.mkdir()
    directory.chmod(0o555)
    said = refused_as_another_user(directory / "cache.db")
    assert said.startswith(f"CacheError {directory}/cache.db: the cache cannot be opened")


def test_a_file_that_may_not_be_read_is_refused(open_tmp_path: Path) -> None:
    path = open_tmp_path / "cache.db"
    make_cache(path)
    path.chmod(0o000)
    said = refused_as_another_user(path)
    assert said.startswith(f"CacheError {path}: the cache cannot be opened")


def test_a_file_that_may_not_be_written_is_refused(open_tmp_path: Path) -> None:
    path = open_tmp_path / "cache.db"
    make_cache(path)
    path.chmod(0o444)
    said = refused_as_another_user(path)
    assert said.startswith(f"CacheError {path}: the cache cannot be opened")


def test_every_refusal_is_an_error_of_ours_with_the_cause_kept(path: Path) -> None:
    truncated_in_the_data(path)
    with pytest.raises(HarnessError) as caught:
        open_file(path)
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
