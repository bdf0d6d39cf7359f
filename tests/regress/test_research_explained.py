"""The workflow `research` with its own prompts: whatever changes in them is found, and what follows
is not blamed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes import Engine, FakeModel, Outcome, an_answer

import harness.workflows.research as shipped
from harness.diffs.misses import Explanation, explain
from harness.domain.completion import Request
from harness.domain.prompts import Prompts
from harness.domain.recorded_call import RecordedCall
from harness.domain.run import Span, Topic
from harness.domain.step_options import StepOptions
from harness.workflows.prompts_file import read_prompts
from harness.workflows.research import research

pytestmark = pytest.mark.harness_virtual_time

PROMPTS = read_prompts(Path(shipped.__file__).with_suffix(".toml"))
QUESTIONS = (
    "How do barrages turn tides into power?",
    "What did La Rance cost?",
    "Who opposes the Severn barrage?",
)
TOPIC = "Tidal barrages: what do they cost, and whom?"


@dataclass(frozen=True)
class Model:
    """Splits into these questions, after refusing `refusals` times, and says the same of a question
    every time.
    """

    questions: Sequence[str] = QUESTIONS
    refusals: int = 0

    def __call__(self, request: Request) -> Outcome:
        asked = request.messages[-1].content
        if "JSON array" in asked:
            said = len([one for one in request.messages if one.role == "assistant"])
            text = (
                f"```json\n{json.dumps(self.questions)}\n```"
                if said >= self.refusals
                else "I will not do that."
            )
            return an_answer(text)
        if "Research notes" in asked:
            return an_answer(f"# Report of {len(asked)} characters\n\nIt says so [1].\n")
        question = asked.splitlines()[-1]
        return an_answer(
            f"On this question, {question.lower()} much was written.\n\nNothing of it is certain.\n"
        )


async def spans_of(
    model: Model = Model(), prompts: Prompts = PROMPTS, topic: str = TOPIC
) -> list[Span]:
    """The calls of one topic."""
    engine = Engine(model=FakeModel(script=model))
    context = replace(
        engine.context(),
        prompts=prompts,
        settings=PROMPTS.settings,
        defaults=StepOptions(model="m", max_tokens=9),
    )
    await engine.runner(research, context=context).run([Topic(id="tides", text=topic)])
    return engine.results.spans


def recorded(spans: Sequence[Span]) -> list[RecordedCall]:
    return [
        RecordedCall(
            topic_id=span.topic_id,
            span_id=span.id,
            key=span.key,
            request=span.request,
            completion=an_answer(span.content),
            run_id="before",
            created_at=datetime(2026, 11, 21, tzinfo=UTC),
        )
        for span in spans
    ]


def explained(before: Sequence[Span], after: Sequence[Span]) -> Mapping[str, Explanation]:
    """Why the calls that were not recorded before were not, by their ids."""
    known = {span.key for span in before}
    return {
        span.id: explain(
            request=span.request,
            topic_id=span.topic_id,
            span_id=span.id,
            recorded=recorded(before),
            earlier={other.id: other.content for other in after if other.end_s <= span.start_s},
        )
        for span in after
        if span.key not in known
    }


def edited(name: str, **texts: Any) -> Prompts:
    return replace(PROMPTS, prompts={**PROMPTS.prompts, name: replace(PROMPTS[name], **texts)})


WORDS = [
    ("decompose", "system", "thorough", "complete"),
    ("decompose", "user", "cover", "exhaust"),
    ("decompose_again", "user", "prose", "preamble"),
    ("research", "system", "careful", "meticulous"),
    ("research", "user", "context", "background"),
    ("synthesize", "system", "final", "last"),
    ("synthesize", "user", "introduction", "abstract"),
]


@pytest.mark.parametrize(
    ("name", "part", "old", "new"), WORDS, ids=[f"{name} {part}" for name, part, *_ in WORDS]
)
async def test_a_word_changed_in_a_prompt_is_found_as_just_that_word(
    name: str, part: str, old: str, new: str
) -> None:
    text = getattr(PROMPTS[name], part)
    assert text.count(old) == 1
    model = Model(refusals=1 if name == "decompose_again" else 0)
    found = explained(
        await spans_of(model), await spans_of(model, edited(name, **{part: text.replace(old, new)}))
    )
    step = name.removesuffix("_again")
    blamed = {span: one for span, one in found.items() if one.verdict == "changed"}
    assert blamed
    assert {one.step for one in blamed.values()} == {step}
    for one in blamed.values():
        own = [message for message in one.change.messages if message.own]
        assert [message.role for message in own] == [part]
        assert [(was.old, was.new) for was in own[0].diff.segments if was.kind != "equal"] == [
            (old, new)
        ]
        assert f"[-{old}-]{{+{new}+}}" in one.text()


async def test_other_sub_questions_make_the_later_steps_follow_and_nobody_to_blame() -> None:
    changed = Model(
        questions=(*QUESTIONS[:1], "What did the barrage at La Rance cost in 1966?", QUESTIONS[2])
    )
    found = explained(await spans_of(), await spans_of(changed))
    assert {span: one.verdict for span, one in found.items()} == {
        "research.2/research": "follows",
        "synthesize": "follows",
    }
    assert found["research.2/research"].change.follows == ("decompose",)
    assert set(found["synthesize"].change.follows) == {"decompose", "research.2/research"}


@pytest.mark.parametrize("number", [4, 5])
async def test_more_sub_questions_than_recorded_follow(number: int) -> None:
    more = Model(
        questions=(*QUESTIONS, "Which fish pass the sluices?", "Who owns the sea bed?")[:number]
    )
    found = explained(await spans_of(), await spans_of(more))
    assert {one.verdict for one in found.values()} == {"follows"}
    assert set(found) == {
        *(f"research.{new}/research" for new in range(4, number + 1)),
        "synthesize",
    }


async def test_fewer_sub_questions_than_recorded_follow() -> None:
    more = Model(questions=(*QUESTIONS, "Which fish pass the sluices?"))
    found = explained(await spans_of(more), await spans_of())
    assert {span: one.verdict for span, one in found.items()} == {"synthesize": "follows"}


async def test_sub_questions_in_another_order_follow() -> None:
    found = explained(await spans_of(), await spans_of(Model(questions=QUESTIONS[::-1])))
    assert {one.verdict for one in found.values()} == {"follows"}
    assert found["synthesize"].change.follows == ("decompose",)


async def test_an_answer_that_had_to_be_asked_for_again_is_followed_by_the_asking_again() -> None:
    found = explained(await spans_of(), await spans_of(Model(refusals=1)))
    assert {span: one.verdict for span, one in found.items()} == {"decompose#2": "follows"}
    assert found["decompose#2"].change.follows == ("decompose",)


async def test_a_changed_prompt_is_blamed_although_the_answers_in_it_changed_too() -> None:
    prompts = edited(
        "synthesize", user=PROMPTS["synthesize"].user.replace("a conclusion", "an outlook")
    )
    found = explained(
        await spans_of(),
        await spans_of(Model(questions=(*QUESTIONS[:2], "Who fishes there?")), prompts),
    )
    assert found["research.3/research"].verdict == "follows"
    one = found["synthesize"]
    assert one.verdict == "changed"
    shown = one.text()
    assert "and [-a conclusion-]{+an outlook+}. Cite" in shown
    assert "fishes" not in shown


async def test_another_model_or_cap_is_named_for_every_step() -> None:
    before = await spans_of()
    after = [
        replace(span, request=replace(span.request, model="n"), key=f"new {span.id}")
        for span in before
    ]
    for one in explained(before, after).values():
        assert one.verdict == "changed"
        assert [(field.name, field.recorded, field.wanted) for field in one.change.fields] == [
            ("model", "m", "n")
        ]
        assert "because model changed" in one.text()


async def test_another_text_of_the_topic_is_its_own_change() -> None:
    found = explained(await spans_of(), await spans_of(topic=TOPIC.replace("cost", "kill")))
    assert {one.verdict for one in found.values()} == {"changed"}
