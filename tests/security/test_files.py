"""What we leave on the disk: readable by its owner only, and never named by data."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Server, done, ended, executed, until

from harness.testing import FakeDeepSeek, Latency

pytestmark = pytest.mark.system

HOSTILE_IDS = [
    "../../escaped",
    "/tmp/absolute",
    "a/b/c",
    "..",
    ".",
    "nul\u0000byte",
    "line\nbreak",
    "\u001b[31mred",
    "x" * 300,
    "CON",
    "-rf",
    "~root",
    "$(touch pwned)",
    "`touch pwned`",
    "\u202egnp.exe",
    "' OR 1=1 --",
    "%s%n{0}",
]


def modes(directory: Path, *, given: set[str]) -> dict[str, int]:
    return {
        str(path.relative_to(directory)): stat.S_IMODE(path.lstat().st_mode)
        for path in directory.rglob("*")
        if path.name not in given
    }


@pytest.fixture
def _careless_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_careless_umask")
def test_files_and_directories_are_their_owners_only(tmp_path: Path) -> None:
    (tmp_path / "topics.jsonl").write_text(
        "".join(f'{{"topic": "topic {number}"}}\n' for number in range(12))
    )
    arguments = (
        "-y",
        "-q",
        "--model",
        "deepseek-flash",
        "--out",
        "results/deep/run",
        "--cache",
        "deep/.harness/cache.db",
    )
    with (
        Server(FakeDeepSeek(latency=Latency.parse("fixed:0.3"), delta_tokens=50)) as server,
        (tmp_path / "topics.jsonl").open() as piped,
    ):
        process = executed(tmp_path, "run", "-", *arguments, "--base-url", server.url, stdin=piped)
        until(lambda: server.seen > 3, process)
        while_running = modes(tmp_path, given={"topics.jsonl"})
        code, said = ended(process)
    assert code == 0, said
    for command in (["export", "cassette.jsonl"], ["import", "cassette.jsonl"]):
        cache = "deep/.harness/cache.db" if command[0] == "export" else "other/cache.db"
        code, said = done(tmp_path, "cache", *command, "--cache", cache)
        assert code == 0, said
    found = {**while_running, **modes(tmp_path, given={"topics.jsonl"})}

    assert any(name.endswith("-wal") for name in found)
    assert "cassette.jsonl" in found
    too_open = {
        name: oct(mode)
        for name, mode in found.items()
        if mode != (0o700 if (tmp_path / name).is_dir() else 0o600)
    }
    assert too_open == {}


def test_no_file_is_named_by_data(tmp_path: Path) -> None:
    rows = (
        {"id": hostile, "topic": f"topic {number}"} for number, hostile in enumerate(HOSTILE_IDS)
    )
    (tmp_path / "topics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    work = tmp_path / "work"
    work.mkdir()
    code, said = done(
        work,
        "run",
        "../topics.jsonl",
        "--endpoint",
        "mock",
        "--out",
        "out",
        "--cache",
        "cache.db",
        "-q",
        "--skip-bad",
    )
    assert code in (0, 1), said
    left = {path.name for path in tmp_path.rglob("*")}
    assert left <= {
        *("topics.jsonl", "work", "out", "cache.db", "cache.db-wal", "cache.db-shm"),
        *("run.json", "results.jsonl", "traces.jsonl", "run.lock", "dataset.lines", ".harness"),
    }
    assert "\x1b" not in said


def test_a_row_cannot_choose_who_is_asked(tmp_path: Path) -> None:
    """A dataset is data: what it calls base_url, api_key or model travels as metadata and rules
    nothing.
    """
    row: dict[str, object] = {
        "id": "a",
        "topic": "Why?",
        "base_url": "http://evil.invalid/v1",
        "api_key": "sk-evil",
        "model": "evil",
    }
    row |= {
        "endpoint": "openai",
        "api_key_env": "HOME",
        "workflow": "os:system",
        "settings": {"base_url": "http://x"},
    }
    (tmp_path / "topics.jsonl").write_text(json.dumps(row) + "\n")
    with Server(FakeDeepSeek(delta_tokens=50)) as server:
        code, said = done(
            tmp_path, "run", "topics.jsonl", "-y", "-q", "--model", "deepseek-flash", "--out", "out",
            "--base-url", server.url,
        )  # fmt: skip
        assert server.seen >= 5
    assert code == 0, said
    (kept,) = (
        json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    )
    assert kept["metadata"] == {
        name: value for name, value in row.items() if name not in ("id", "topic")
    }
    calls = [
        json.loads(line) for line in (tmp_path / "out" / "traces.jsonl").read_text().splitlines()
    ]
    assert {call["model"] for call in calls} == {"deepseek-flash"}
