"""Whole batches with a cache on the disk: what a check rejected is asked for anew, and nothing else
is paid again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batches import a_topic_file, manifest_of, rows_of, run

from harness.testing.deepseek.chat_request import ChatRequest
from harness.testing.deepseek.fake import FakeDeepSeek
from harness.testing.deepseek.generation import Answer
from harness.testing.deepseek.script import Say
from harness.testing.transport import FakeTransport

pytestmark = pytest.mark.harness_virtual_time

TEN_THOUSAND = json.dumps([f"Question {number}?" for number in range(10_000)])
BAD = {"prose": "I would rather not.", "an empty object": "{}", "ten thousand": TEN_THOUSAND}
QUESTIONS = json.dumps(["First?", "Second?", "Third?"])


class Provider:
    """Says `decomposition` of the number of turns to who asks for sub-questions, and something
    sensible to the rest.
    """

    def __init__(self, decomposition: Callable[[int], str]) -> None:
        self.decompositions: list[int] = []
        self.requests = 0
        self._says = decomposition
        self.transport = FakeTransport(FakeDeepSeek(script=self._line, delta_tokens=50))

    def _line(self, request: ChatRequest) -> Say | None:
        self.requests += 1
        messages = request.body["messages"]
        if "You plan research" not in messages[0]["content"]:
            return None
        turns = len(messages)
        self.decompositions.append(turns)
        return Say(answer=Answer(content=self._says(turns), reasoning="", finish_reason="stop"))


def always(text: str) -> Provider:
    return Provider(lambda turns: text)


def bad_at_first(text: str) -> Provider:
    """Bad when it is asked, and good when it is asked again."""
    return Provider(lambda turns: text if turns == 2 else QUESTIONS)


async def a_run(directory: Path, provider: Provider, **settings: Any) -> list[dict[str, Any]]:
    source = directory / "topics.jsonl"
    if not source.exists():
        a_topic_file(directory, 1)
    await run(directory, source, transport=provider.transport, **settings)
    return rows_of(directory)


def take_away_the_results(directory: Path) -> None:
    shutil.rmtree(directory / "out")


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_resume_asks_anew_for_a_decomposition_that_was_rejected(
    tmp_path: Path, bad: str
) -> None:
    down = always(bad)
    [row] = await a_run(tmp_path, down)
    assert (row["status"], down.decompositions) == ("failed", [2, 4, 6])

    up = always(QUESTIONS)
    [row] = await a_run(tmp_path, up)

    assert row["status"] == "ok"
    assert up.decompositions == [2]
    assert manifest_of(tmp_path)["journal"]["calls"] == 3 + up.requests


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_a_new_run_on_the_same_cache_asks_anew_too(tmp_path: Path, bad: str) -> None:
    await a_run(tmp_path, always(bad))
    take_away_the_results(tmp_path)

    up = always(QUESTIONS)
    [row] = await a_run(tmp_path, up, run_id="another")

    assert (row["status"], up.decompositions) == ("ok", [2])


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_a_topic_that_was_done_after_a_re_ask_is_paid_once(tmp_path: Path, bad: str) -> None:
    [first] = await a_run(tmp_path, bad_at_first(bad))
    take_away_the_results(tmp_path)

    never = always("never asked")
    [again] = await a_run(tmp_path, never, run_id="another")

    assert (first["status"], first["calls"], first["hits"]) == ("ok", 6, 0)
    assert (again["output"], again["hits"], never.requests) == (first["output"], 6, 0)


async def test_replay_plays_the_bad_answer_and_the_re_ask(tmp_path: Path) -> None:
    [first] = await a_run(tmp_path, bad_at_first("{}"))
    told = [(row["id"], row["content"], row["rejected"]) for row in rows_of(tmp_path, "traces")]
    take_away_the_results(tmp_path)

    never = always("never asked")
    [again] = await a_run(tmp_path, never, cache_mode="replay")

    assert (again["output"], never.requests) == (first["output"], 0)
    assert [
        (row["id"], row["content"], row["rejected"]) for row in rows_of(tmp_path, "traces")
    ] == told
    assert told[0] == ("decompose", "{}", "it was an object with no arrays in it, not an array")
    assert [rejected for *_, rejected in told[1:]] == [None] * 5


async def test_what_was_rejected_is_in_the_cost_of_the_topic(tmp_path: Path) -> None:
    [row] = await a_run(tmp_path, bad_at_first("{}"))
    costs = [call["cost"] for call in rows_of(tmp_path, "traces")]
    assert all(cost > 0 for cost in costs)
    assert row["cost"] == pytest.approx(sum(costs))
    assert manifest_of(tmp_path)["journal"]["cost"] == pytest.approx(row["cost"])


async def test_an_answer_that_a_workflow_cannot_parse_does_not_fail_its_topic_for_ever(
    tmp_path: Path,
) -> None:
    (tmp_path / "flow.py").write_text(
        "import json\n\n\nasync def flow(step, topic):\n    return json.loads((await"
        " step.complete('plan', f'You plan research: {topic.text}')).content)\n"
    )
    flow = str(tmp_path / "flow.py:flow")
    [row] = await a_run(tmp_path, always("I would rather not."), workflow=flow)
    assert (row["status"], row["error"]["type"]) == ("failed", "JSONDecodeError")

    up = always(QUESTIONS)
    [row] = await a_run(tmp_path, up, workflow=flow)

    assert (row["output"], len(up.decompositions)) == (["First?", "Second?", "Third?"], 1)
