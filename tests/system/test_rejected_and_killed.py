"""Killed between the rejection of an answer and the re-ask: the topic is done, and the bad answer
is not taken.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import Server, done, ended, journal, rows_of, started, until, write_topics

from harness.testing import FakeDeepSeek
from harness.testing.deepseek.chat_request import ChatRequest
from harness.testing.deepseek.generation import Answer
from harness.testing.deepseek.script import Say

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

BAD, GOOD = "{}", json.dumps(["First?", "Second?", "Third?"])
NEVER_S = 600.0


class Planner:
    """Splits badly, and does not answer when it is asked again, until it is `well`."""

    def __init__(self) -> None:
        self.well = False
        self.asked: list[int] = []

    def __call__(self, request: ChatRequest) -> Say | None:
        messages = request.body["messages"]
        if "You plan research" not in messages[0]["content"]:
            return None
        self.asked.append(len(messages))
        if self.well:
            return self._say(GOOD)
        return self._say(BAD) if len(messages) == 2 else self._say(BAD, after_s=NEVER_S)

    def _say(self, text: str, after_s: float | None = None) -> Say:
        return Say(answer=Answer(content=text, reasoning="", finish_reason="stop"), after_s=after_s)


def test_killed_between_the_rejection_and_the_re_ask_the_topic_is_done_by_resume(
    tmp_path: Path,
) -> None:
    write_topics(tmp_path, 1)
    planner = Planner()
    with Server(FakeDeepSeek(script=planner, delta_tokens=50)) as server:
        run = (
            "run",
            "topics.jsonl",
            "--base-url",
            server.url,
            "--model",
            "deepseek-flash",
            "--out",
            "out",
        )
        process = started(tmp_path, *run, "-y", "-q")
        until(lambda: len(planner.asked) == 2, process)
        process.kill()
        ended(process)
        assert planner.asked == [2, 4]

        planner.well = True
        code, said = done(tmp_path, "resume", "out", "-q")

    assert code == 0, said
    assert planner.asked == [2, 4, 2]
    [row] = rows_of(tmp_path / "out" / "results.jsonl")
    assert (row["status"], row["calls"], row["hits"]) == ("ok", 5, 0)
    assert [section["question"] for section in row["sections"]] == ["First?", "Second?", "Third?"]
    with journal(tmp_path / ".harness" / "cache.db") as database:
        rejected = database.execute(
            "SELECT span_id, outcome, cost > 0 FROM calls WHERE rejected IS NOT NULL"
        ).fetchall()
        kept = database.execute(
            "SELECT rejected FROM responses WHERE span_id = 'decompose'"
        ).fetchall()
    assert rejected == [("decompose", "stored", 1)]
    assert kept == [(None,)]
