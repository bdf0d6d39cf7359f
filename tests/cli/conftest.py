"""A person at a prompt: an empty directory, no variables of theirs, and the command line in this
process.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command_line import Harness, run_command

TOPICS = (
    '{"id": "sky", "topic": "Why is the sky blue?"}\n{"id": "tea", "topic": "How is tea made?"}\n'
)


@pytest.fixture(autouse=True)
def _an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("HARNESS_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    Path("topics.jsonl").write_text(TOPICS)


@pytest.fixture
def harness() -> Harness:
    return run_command


@pytest.fixture
def a_run(harness: Harness) -> Path:
    """A finished run of two topics."""
    done = harness("run", "topics.jsonl", "--endpoint", "mock", "--out", "done", "-q")
    assert done.exit_code == 0, done.output
    return Path("done")
