from __future__ import annotations

import resource
from pathlib import Path

import pytest
from processes import Server, ended, executed, write_topics

from harness.machine.file_limit import SPARE_FILES, budget, budgeted_files, raised
from harness.testing import FakeDeepSeek

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "asked"),
    [
        (1024, 4096, 500, 1024),  # enough is left alone
        (1024, 4096, 2000, 2000),
        (1024, 4096, 9000, 4096),
        (1024, 1024, 9000, 1024),
        (1024, INFINITE, 9000, 9000),
        (INFINITE, INFINITE, 9000, INFINITE),
    ],
)
def test_the_limit_is_raised_as_far_as_is_needed_and_allowed(
    soft: int, hard: int, wanted: int, asked: int
) -> None:
    assert raised(soft, hard, wanted) == asked


@pytest.mark.parametrize(
    ("in_flight", "allowed", "possible"),
    [
        (64, 1024, 64),
        (1000, INFINITE, 1000),
        (1000, 1000 + SPARE_FILES, 1000),
        (1000, 999 + SPARE_FILES, 999),
        (1000, 256, 256 - SPARE_FILES),
        (1000, 20, 1),
        (1, 20, 1),
    ],
)
def test_so_many_calls_are_possible(in_flight: int, allowed: int, possible: int) -> None:
    found = budget(in_flight, allowed)
    assert found.in_flight == possible
    assert (found.note is None) == (possible == in_flight)


def test_enough_is_left_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert budgeted_files(1).note is None
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def _few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 120))


@pytest.mark.system
def test_a_run_with_few_files_says_so_and_is_done_with_fewer_calls(tmp_path: Path) -> None:
    write_topics(tmp_path, 4)
    fake = FakeDeepSeek(delta_tokens=50)
    with Server(fake) as server:
        process = executed(
            tmp_path, "run", "topics.jsonl", "-y", "-q", "--model", "deepseek-flash", "--in-flight", "500",
            "--out", "out", "--base-url", server.url, preexec_fn=_few_files,
        )  # fmt: skip
        code, said = ended(process)
    assert code == 0, said
    assert (
        "only 120 files may be open, so at most 56 calls will be in flight instead of 500" in said
    )
    assert '"in_flight": 56' in (tmp_path / "out" / "run.json").read_text()
