"""Reasoning that its server did not count, from the answer to the row, `show` and the summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from command_line import Harness
from listening import listening

USAGE = {"prompt_tokens": 3, "completion_tokens": 10, "total_tokens": 13}
THOUGHT = "Let me see, that is"
ONE_CALL = (
    "async def flow(step, topic):\n    return (await step.complete('ask', topic.text)).content\n"
)


def test_it_is_judged_by_its_share_of_the_text_and_said_to_be_about_so_much(
    harness: Harness,
) -> None:
    done = run(
        harness,
        {"content": "One two three four.", "reasoning": "One two three four."},
        "stop",
        usage=USAGE,
    )

    assert "about 10 of them reasoning" in " ".join(done.stdout.split())
    [row, _] = rows("results")
    assert (row["usage"]["reasoning_tokens"], row["usage"]["reasoning_estimated"]) == (0, 5)
    assert "10 tokens out, about 5 reasoning" in harness("show", "out", row["topic_id"]).stdout


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (USAGE, "(about 10 of 10 tokens, as counted here)"),
        ({}, "(about 5 tokens, as counted here)"),
    ],
)
def test_a_cap_that_ends_inside_the_thinking_says_so(
    harness: Harness, usage: dict[str, int], told: str
) -> None:
    done = run(harness, {"content": "", "reasoning": THOUGHT}, "length", usage=usage)

    said = f"was used up by the reasoning {told} before the answer began"
    assert done.exit_code == 1
    [row, _] = rows("results")
    assert said in row["error"]["message"]
    [span, _] = rows("traces")
    assert (span["error"]["kind"], span["reasoning"]) == ("length", THOUGHT)
    assert said in " ".join(harness("show", "out", row["topic_id"]).stdout.split())
    assert "length" in done.stdout


def run(harness: Harness, message: dict[str, str], reason: str, *, usage: dict[str, int]) -> Result:
    """Two topics, each answered so."""
    Path("one.py").write_text(ONE_CALL)
    Path("harness.toml").write_text("[steps.ask]\nmax_tokens = 10\n")
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    with listening({"model": "m", "choices": [choice], "usage": usage}) as server:
        return harness(
            *("run", "topics.jsonl", "--base-url", server.url, "--model", "m"),
            *("--workflow", "one.py:flow", "--out", "out"),
        )


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("out", f"{name}.jsonl").read_text().splitlines()]
