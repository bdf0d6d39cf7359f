"""Who is asked before money is spent, and what happens where nobody can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import Harness, problem_of
from terminals import on_a_terminal

from harness.cli.consent import consent_of, question_of
from harness.runs.estimating import Estimate, StepEstimate
from harness.settings import Settings

PRICED = {"llama": {"input": 0.5, "output": 1.5}}
OWN = {"base_url": "http://127.0.0.1:8000/v1", "model": "llama"}


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def estimate(topics: int, *, cost: float | None, cost_at_most: float | None) -> Estimate:
    step = StepEstimate(
        step="a", calls=250, input_tokens=1, output_tokens=1, cost=cost, cost_at_most=cost_at_most
    )
    return Estimate(topics=topics, bad_lines=0, sample=1, steps=(step,), wall_s=1.0, latency="none")


@pytest.mark.parametrize("someone_there", [True, False])
@pytest.mark.parametrize(
    "chosen",
    [
        {"yes": True},
        {"endpoint": "mock"},
        {"budget": 1.0},
        {"budget_tokens": 5},
        {"run_calls": 5},
        {"cache_mode": "replay"},
        OWN,
        {**OWN, "prices": {"another": {"input": 1.0, "output": 1.0}}},
    ],
    ids=[
        "yes",
        "mock",
        "budget",
        "budget_tokens",
        "run_calls",
        "replay",
        "own server",
        "another's price",
    ],
)
def test_some_settings_say_enough(chosen: dict[str, Any], someone_there: bool) -> None:
    assert consent_of(settings(**chosen), someone_there=someone_there) == "given"


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"endpoint": "openai", "model": "some-model"},
        {"base_url": "https://api.deepseek.com/v1", "model": "deepseek-flash"},
        {**OWN, "prices": PRICED},
        {**OWN, "model": "other", "steps": {"research": {"model": "llama"}}, "prices": PRICED},
    ],
    ids=["deepseek", "openai", "deepseek by its URL", "own price", "own price of a step's model"],
)
def test_what_is_paid_for_is_asked_about_or_refused(chosen: dict[str, Any]) -> None:
    assert consent_of(settings(**chosen), someone_there=True) == "to be asked for"
    assert consent_of(settings(**chosen), someone_there=False) == "missing"


@pytest.mark.parametrize("chosen", [{"quiet": True}, {"json": True}], ids=["quiet", "json"])
def test_words_for_machines_agree_only_where_somebody_is(chosen: dict[str, Any]) -> None:
    assert consent_of(settings(**chosen), someone_there=True) == "given"
    assert consent_of(settings(**chosen), someone_there=False) == "missing"


def test_the_question_names_the_money() -> None:
    question = question_of(estimate(50, cost=1.5, cost_at_most=20.0))
    assert (
        "50 topics, about 250 calls: likely some $1.50, $20.00 if each answer were as long as it"
        " may be" in question
    )


def test_small_money_is_not_called_nothing() -> None:
    assert "1 topic, about 250 calls: likely some $0.0024, $0.0500 if" in question_of(
        estimate(1, cost=0.0024, cost_at_most=0.05)
    )


def test_the_question_says_where_no_price_is_known() -> None:
    assert "at prices that are not known" in question_of(estimate(50, cost=None, cost_at_most=None))


@pytest.mark.parametrize("quiet", [(), ("-q",), ("--json",)], ids=["", "quiet", "json"])
@pytest.mark.parametrize(
    "command",
    [("run", "topics.jsonl"), ("record", "topics.jsonl", "--cassette", "made.jsonl")],
    ids=["run", "record"],
)
def test_a_paid_run_without_a_terminal_is_refused_before_anything_is_written(
    harness: Harness,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    quiet: tuple[str, ...],
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-test")

    refused = harness(*command, *quiet, "--out", "out")

    problem = problem_of(refused)
    assert "would spend money at deepseek" in problem
    assert "--yes" in problem
    assert "--budget" in problem
    assert not Path("out").exists()
    assert not Path(".harness").exists()


def test_a_missing_key_is_said_before_a_missing_yes(harness: Harness) -> None:
    assert "set DEEPSEEK_API_KEY" in problem_of(harness("run", "topics.jsonl"))


def test_a_run_that_agreed_once_is_resumed_without_a_word(harness: Harness, a_run: Path) -> None:
    assert harness("resume", str(a_run), "-q").exit_code == 0


@pytest.mark.system
@pytest.mark.parametrize("typed", ["\n", "n\n", "\x04"], ids=["enter", "no", "end of input"])
def test_whatever_is_no_yes_sends_nothing(tmp_path: Path, typed: str) -> None:
    with on_a_terminal(tmp_path, "run", "topics.jsonl", "--out", "out") as terminal:
        terminal.until_it_shows("Begin? [y/N]")
        terminal.type(typed)
        assert terminal.ended() == 130

    assert "2 topics, about 13 calls: likely some $" in terminal.shown
    assert "nothing was sent" in terminal.shown
    assert not (tmp_path / "out").exists()


COUNTED_FLOW = """\
import asyncio
from pathlib import Path

with Path("executed.txt").open("a") as executed:
    executed.write("once\\n")

ONE_AT_A_TIME = asyncio.Semaphore(1)


async def asked(step, name, topic):
    async with ONE_AT_A_TIME:
        return (await step.complete(name, topic.text)).content


async def flow(step, topic):
    return await asyncio.gather(asked(step, "first", topic), asked(step, "second", topic))
"""
OWN_FLOW = ("--endpoint", "mock", "--workflow", "flow.py:flow", "-q")


@pytest.mark.parametrize("agreed", [(), ("--yes",)], ids=["on the mock", "by --yes"])
def test_an_authors_file_is_executed_once_by_a_run(
    harness: Harness, agreed: tuple[str, ...]
) -> None:
    Path("flow.py").write_text(COUNTED_FLOW)

    done = harness("run", "topics.jsonl", *OWN_FLOW, *agreed, "--out", "out")

    assert done.exit_code == 0, done.output
    assert Path("executed.txt").read_text() == "once\n"


def test_an_authors_file_is_executed_once_by_a_resume(harness: Harness) -> None:
    Path("flow.py").write_text(COUNTED_FLOW)
    assert harness("run", "topics.jsonl", *OWN_FLOW, "--limit", "1", "--out", "out").exit_code == 0
    Path("executed.txt").unlink()

    done = harness("resume", "out", "--limit", "2", "-q")

    assert done.exit_code == 0, done.output
    assert Path("executed.txt").read_text() == "once\n"


def test_a_rehearsal_has_an_execution_of_its_own(harness: Harness) -> None:
    """A module's semaphore is bound to the event loop in which somebody first waited for it."""
    Path("flow.py").write_text(COUNTED_FLOW)

    done = harness("record", "topics.jsonl", *OWN_FLOW, "--cassette", "made.jsonl", "--out", "out")

    assert done.exit_code == 0, done.output
    assert Path("executed.txt").read_text() == "once\n" * 2
