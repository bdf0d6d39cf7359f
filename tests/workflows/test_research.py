"""The workflow `research` on virtual time, with a model that says what the test wants."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import Engine, FakeModel, Outcome, an_answer

import harness.workflows.research as shipped
from harness.domain.completion import Json, Request
from harness.domain.failures import PermanentError
from harness.domain.run import Topic, TopicResult
from harness.domain.step_options import StepOptions
from harness.errors import PromptsError
from harness.workflows.prompts_file import check_blanks, read_prompts
from harness.workflows.research import FILLS, check_settings, research

PROMPTS = read_prompts(Path(shipped.__file__).with_suffix(".toml"))
pytestmark = pytest.mark.harness_virtual_time

Say = Callable[[Request], Outcome | str]


def step_of(request: Request) -> str:
    system = request.messages[0].content
    if "plan research" in system:
        return "decompose"
    return "research" if "careful researcher" in system else "synthesize"


class Play:
    """A model that answers by step; by default it splits into three, answers each, and cites all of
    them.
    """

    def __init__(self, **says: Say) -> None:
        self.requests: dict[str, list[Request]] = {
            "decompose": [],
            "research": [],
            "synthesize": [],
        }
        self._says: dict[str, Say] = {
            "decompose": lambda request: '["One?", "Two?", "Three?"]',
            "research": lambda request: f"Notes on {request.messages[-1].content.splitlines()[-1]}",
            "synthesize": lambda request: "Report [1] and [2, 3].",
            **says,
        }

    def __call__(self, request: Request) -> Outcome:
        step = step_of(request)
        self.requests[step].append(request)
        said = self._says[step](request)
        return (
            an_answer(said, reasoning=f"secret thoughts on {step}")
            if isinstance(said, str)
            else said
        )


async def run(
    play: Play,
    *,
    settings: Mapping[str, Json] | None = None,
    overrides: Mapping[str, StepOptions] | None = None,
) -> TopicResult:
    engine = Engine(model=FakeModel(latency_s=1.0, script=play))
    context = replace(
        engine.context(),
        prompts=PROMPTS,
        settings={**PROMPTS.settings, **(settings or {})},
        overrides=overrides or {},
        defaults=StepOptions(model="m"),
    )
    await engine.runner(research, context=context).run(
        [Topic(id="t", text="Why is the sky $blue?")]
    )
    return engine.results.rows[0]


def failing_on(word: str) -> Say:
    def say(request: Request) -> Outcome | str:
        text = request.messages[-1].content
        return (
            PermanentError("refused", kind="content_filter")
            if word in text
            else f"Notes: {text[-5:]}"
        )

    return say


def in_turn(*texts: str) -> Say:
    left = list(texts)
    return lambda request: left.pop(0)


async def test_a_topic_is_split_researched_in_parallel_and_written_up() -> None:
    play = Play()
    row = await run(play)
    assert (row.status, row.output, row.calls) == ("ok", "Report [1] and [2, 3].", 5)
    assert row.elapsed_s == 3.0
    assert row.sequential_s == 5.0
    assert [section["question"] for section in row.sections] == ["One?", "Two?", "Three?"]


@pytest.mark.parametrize(
    "answer",
    [
        '```json\n["One?", "Two?", "Three?"]\n```',
        'Certainly! Here they are: ["One?", "Two?", "Three?"] I hope this helps.',
        '{"questions": ["One?", "Two?", "Three?"]}',
        '[" One? ", "", "Two?", "Two?", "Three?"]',
        '[{"question": "One?"}, {"question": "Two?"}, {"question": "Three?"}]',
    ],
    ids=["fenced", "prose", "object", "blanks", "objects"],
)
async def test_a_decomposition_is_found_in_what_models_wrap_it_in(answer: str) -> None:
    row = await run(Play(decompose=lambda request: answer))
    assert [section["question"] for section in row.sections] == ["One?", "Two?", "Three?"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("I cannot do that.", "it held no JSON array or object"),
        ("[1, 2, 3]", "item 1 is a number, not a string"),
        ('["One?"]', "it held 1 item, 3 to 5 are needed"),
        (
            json.dumps([f"Question {number}?" for number in range(10_000)]),
            "it held 10,000 items, 3 to 5 are needed",
        ),
    ],
    ids=["prose", "numbers", "too few", "ten thousand"],
)
async def test_an_unusable_decomposition_is_asked_for_again_with_what_was_wrong(
    answer: str, problem: str
) -> None:
    play = Play(decompose=in_turn(answer, '["One?", "Two?", "Three?"]'))
    row = await run(play)
    assert row.status == "ok"
    again = play.requests["decompose"][1].messages
    assert [message.role for message in again] == ["system", "user", "assistant", "user"]
    assert again[2].content == answer
    assert f"That answer could not be used: {problem}." in again[3].content


async def test_the_asking_again_is_bounded_and_fails_the_topic() -> None:
    play = Play(decompose=lambda request: f"no, said {len(request.messages)} times")
    row = await run(play, settings={"reasks": 1})
    assert row.status == "failed"
    assert row.error is not None
    assert row.error.message == (
        "no sub-questions in 2 answers; the last could not be used: it held no JSON array or object"
    )
    assert len(play.requests["decompose"]) == 2


async def test_more_questions_than_the_cap_are_dropped() -> None:
    play = Play(decompose=lambda request: json.dumps([f"Q{number}?" for number in range(8)]))
    row = await run(play)
    assert len(row.sections) == 5
    assert len(play.requests["research"]) == 5


async def test_a_failed_sub_question_degrades_the_report_and_is_named() -> None:
    play = Play(research=failing_on("Two?"))
    row = await run(play)
    assert row.status == "degraded"
    assert row.error is not None
    assert row.error.message == "no answer to sub-question 2 of 3"
    assert [section["status"] for section in row.sections] == ["ok", "failed", "ok"]
    assert row.sections[1]["error"] == "refused"
    assert "[2] Two?\n(no notes: this sub-question could not be answered)" in _text(
        play.requests["synthesize"][0]
    )


async def test_fewer_answers_than_needed_fail_the_topic() -> None:
    row = await run(Play(research=failing_on("Two?")), settings={"min_answers": 3})
    assert row.status == "failed"
    assert row.error is not None
    assert (
        row.error.message
        == "2 of 3 sub-questions were answered and 3 are needed; the first failure: refused"
    )


async def test_with_no_answer_at_all_the_topic_fails_and_nothing_is_written_up() -> None:
    play = Play(research=failing_on("?"))
    row = await run(play)
    assert row.error is not None
    assert (row.status, row.error.type) == ("failed", "TopicFailed")
    assert play.requests["synthesize"] == []


async def test_more_answers_cannot_be_needed_than_questions_were_asked() -> None:
    row = await run(Play(), settings={"min_answers": 5})
    assert row.status == "ok"


async def test_each_step_sees_only_what_it_needs() -> None:
    play = Play()
    await run(play)
    research_texts = [_text(request) for request in play.requests["research"]]
    assert all("Why is the sky $blue?" in text for text in research_texts)
    assert "Two?" not in research_texts[0]
    synthesis = _text(play.requests["synthesize"][0])
    assert "secret thoughts" not in synthesis
    assert "[3] Three?\nNotes on Three?" in synthesis


async def test_the_sections_say_which_of_them_the_report_cites() -> None:
    row = await run(Play(synthesize=lambda request: "Only [3] and [1, 12] matter."))
    assert [section["cited"] for section in row.sections] == [True, False, True]


async def test_the_options_of_a_step_reach_its_requests() -> None:
    play = Play()
    await run(play)
    decompose, synthesize = play.requests["decompose"][0], play.requests["synthesize"][0]
    assert (decompose.thinking, decompose.max_tokens) == (False, 2048)
    assert (synthesize.thinking, synthesize.max_tokens) == (None, 32768)


async def test_the_settings_of_a_step_rule_over_its_prompts() -> None:
    play = Play()
    chosen = StepOptions(model="other", thinking=True, effort="max", max_tokens=7, temperature=0.5)
    await run(play, overrides={"research": chosen})
    request = play.requests["research"][0]
    assert (request.model, request.thinking, request.effort) == ("other", True, "max")
    assert (request.max_tokens, request.temperature) == (7, 0.5)
    assert play.requests["decompose"][0].model == "m"


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    (
        {"min_question": 3},
        "unknown setting 'min_question'; known: min_questions, max_questions, reasks, min_answers",
    ),
    ({"min_questions": 0}, "min_questions = 0 must be a whole number from 1 to 50"),
    ({"max_questions": 51}, "max_questions = 51 must be a whole number from 1 to 50"),
    ({"reasks": True}, "reasks = True must be a whole number from 0 to 10"),
    ({"reasks": "2"}, "reasks = '2' must be a whole number from 0 to 10"),
    ({"min_questions": 9}, "min_questions = 9 is greater than max_questions = 5"),
    ({"min_answers": 6}, "min_answers = 6 is more than there can be: max_questions = 5"),
]


@pytest.mark.parametrize(
    ("table", "message"), BAD_SETTINGS, ids=[message[:30] for _, message in BAD_SETTINGS]
)
def test_a_bad_setting_of_the_workflow_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(PromptsError) as caught:
        check_settings(table)
    assert str(caught.value) == f"[workflow]: {message}"


def test_the_shipped_prompts_fit_the_workflow() -> None:
    check_blanks("research.toml", PROMPTS, FILLS)
    check_settings(dict(PROMPTS.settings))


def _text(request: Request) -> str:
    return request.messages[-1].content
