"""The likelihoods of tokens, from a setting to a workflow, a row and a cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from command_line import Harness
from listening import ANSWER, listening

LIKELY = [
    {
        "token": "Scatter",
        "logprob": -0.25,
        "top_logprobs": [{"token": "Scatter", "logprob": -0.25}],
    },
    {"token": "ing.", "logprob": -0.5, "top_logprobs": [{"token": "ing.", "logprob": -0.5}]},
]
SURE = """\
async def flow(step, topic):
    answer = await step.complete("ask", topic.text)
    return [[token.token, token.logprob, [other.token for other in token.top]] for token in answer.logprobs]
"""


def test_a_workflow_reads_them_and_they_are_kept_with_the_answer(harness: Harness) -> None:
    Path("sure.py").write_text(SURE)
    Path("harness.toml").write_text("[steps.ask]\nlogprobs = 1\n")
    choice = {**ANSWER["choices"][0], "logprobs": {"content": LIKELY}}
    with listening({**ANSWER, "choices": [choice]}) as server:
        outputs = [run_of(harness, server.url, name) for name in ("first", "again")]
        # One for each topic: the second run's answers came from the cache.
        assert len(server.bodies) == 2

    assert server.sent["logprobs"] is True
    assert server.sent["top_logprobs"] == 1
    assert outputs == [[["Scatter", -0.25, ["Scatter"]], ["ing.", -0.5, ["ing."]]]] * 2
    assert (
        "--- likelihoods of 2 tokens (--json shows them)"
        in harness("show", "again", "sky", "--calls").stdout
    )
    span = json.loads(harness("show", "again", "sky", "--json").stdout)["spans"][0]
    assert span["logprobs"] == LIKELY


def test_a_row_of_an_answer_without_them_has_no_such_field(harness: Harness) -> None:
    Path("sure.py").write_text(SURE)
    with listening() as server:
        assert run_of(harness, server.url, "first") == []
    span = json.loads(harness("show", "first", "sky", "--json").stdout)["spans"][0]
    assert not {"logprobs", "reasoning_logprobs"} & span.keys()
    assert "likelihoods" not in harness("show", "first", "sky", "--calls").stdout


def run_of(harness: Harness, url: str, out: str) -> Any:
    """The output of the first topic."""
    where = ("--base-url", url, "--model", "m", "--workflow", "sure.py:flow", "--out", out)
    done = harness("run", "topics.jsonl", *where, "-q")
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in Path(out, "results.jsonl").read_text().splitlines()]
    return next(row["output"] for row in rows if row["topic_id"] == "sky")
