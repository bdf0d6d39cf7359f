"""The workflow `research`: sub-questions, answers in parallel, a report that cites them.

Each step gets only what it needs: the research steps see the topic and their own question, the
report sees the notes without the reasoning behind them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.domain.completion import Completion, Json
from harness.domain.parsing import parse_string_list
from harness.domain.run import Failed, Ok, Outcome, Output, Topic
from harness.engine.step import Step
from harness.errors import PromptsError, Rejected, TopicFailed
from harness.text.amounts import counted

FILLS = {
    "decompose": frozenset({"topic", "min_questions", "max_questions"}),
    "decompose_again": frozenset({"problem", "min_questions", "max_questions"}),
    "research": frozenset({"topic", "question", "number"}),
    "synthesize": frozenset({"topic", "notes"}),
}
"""The blanks that this workflow fills, by prompt."""

NO_NOTES = "(no notes: this sub-question could not be answered)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearchSettings:
    """The table [workflow].

    A sub-question more than `max_questions` is dropped, whatever a model answers.
    """

    min_questions: int = 3
    max_questions: int = 5
    reasks: int = 2
    min_answers: int = 1

    @classmethod
    def of(cls, step: Step) -> ResearchSettings:
        """Raises PromptsError for an unknown setting or one out of range."""
        return check_settings(dict(step.settings))


def check_settings(table: dict[str, Json]) -> ResearchSettings:
    """The settings in a table, checked. Raises PromptsError."""
    bounds = {
        "min_questions": (1, 50),
        "max_questions": (1, 50),
        "reasks": (0, 10),
        "min_answers": (0, 50),
    }
    for name, value in table.items():
        if name not in bounds:
            raise PromptsError(f"[workflow]: unknown setting {name!r}; known: {', '.join(bounds)}")
        low, high = bounds[name]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise PromptsError(
                f"[workflow]: {name} = {value!r} must be a whole number from {low} to {high}"
            )
    settings = ResearchSettings(
        **{name: value for name, value in table.items() if isinstance(value, int)}
    )
    if settings.min_questions > settings.max_questions:
        raise PromptsError(
            f"[workflow]: min_questions = {settings.min_questions} is greater than "
            f"max_questions = {settings.max_questions}"
        )
    if settings.min_answers > settings.max_questions:
        raise PromptsError(
            f"[workflow]: min_answers = {settings.min_answers} is more than there can be: "
            f"max_questions = {settings.max_questions}"
        )
    return settings


async def research(step: Step, topic: Topic) -> Output:
    """A report on the topic.

    Raises TopicFailed if no sub-questions came, or too few answers to them.
    """
    settings = ResearchSettings.of(step)
    questions = await decompose(step, topic, settings)

    async def answer(part: Step, numbered: tuple[int, str]) -> str:
        number, question = numbered
        prompt = part.prompts["research"]
        values = {"topic": topic.text, "question": question, "number": number}
        completion = await part.complete(
            "research",
            prompt.render_user(values),
            system=prompt.render_system(values),
            options=prompt.options,
        )
        return completion.content

    answers = await step.fan_out("research", list(enumerate(questions, start=1)), answer)
    _check_enough(answers, min(settings.min_answers, len(questions)))
    report = await synthesize(step, topic, questions, answers)
    sections: list[dict[str, Json]] = []
    missing: list[str] = []
    for number, (question, outcome) in enumerate(zip(questions, answers, strict=True), start=1):
        sections.append(_section(number, question, outcome, report))
        if isinstance(outcome, Failed):
            missing.append(str(number))
    degraded = None
    if missing:
        degraded = f"no answer to sub-question {', '.join(missing)} of {len(questions)}"
    return Output(value=report, sections=tuple(sections), degraded=degraded)


def _check_enough(answers: tuple[Outcome[str], ...], needed: int) -> None:
    """Raise TopicFailed if fewer sub-questions than are needed have an answer."""
    failures = [outcome.error.message for outcome in answers if isinstance(outcome, Failed)]
    answered = len(answers) - len(failures)
    if answered >= needed:
        return
    said = f"{answered} of {len(answers)} sub-questions were answered and {needed} are needed"
    if failures:
        said += f"; the first failure: {failures[0]}"
    raise TopicFailed(said)


async def decompose(step: Step, topic: Topic, settings: ResearchSettings) -> tuple[str, ...]:
    """The sub-questions.

    An answer that cannot be used is asked for again, with a word on what was wrong.
    """
    prompt, again = step.prompts["decompose"], step.prompts["decompose_again"]
    numbers = {"min_questions": settings.min_questions, "max_questions": settings.max_questions}
    values = {"topic": topic.text, **numbers}

    def questions(completion: Completion) -> tuple[str, ...]:
        return parse_string_list(
            completion.content, at_least=settings.min_questions, at_most=settings.max_questions
        )

    try:
        completion = await step.complete(
            "decompose",
            prompt.render_user(values),
            system=prompt.render_system(values),
            options=prompt.options,
            accept=questions,
            reasks=settings.reasks,
            again=lambda problem: again.render_user({"problem": problem, **numbers}),
        )
    except Rejected as error:
        raise TopicFailed(
            f"no sub-questions in {counted(len(error.problems), 'answer')}; the last could not be"
            f" used: {error.problems[-1]}"
        ) from error
    found: tuple[str, ...] = completion.value
    return found


async def synthesize(
    step: Step, topic: Topic, questions: tuple[str, ...], answers: tuple[Outcome[str], ...]
) -> str:
    """The report, written from the notes alone."""
    notes: list[str] = []
    for number, (question, outcome) in enumerate(zip(questions, answers, strict=True), start=1):
        text = outcome.value if isinstance(outcome, Ok) else NO_NOTES
        notes.append(f"[{number}] {question}\n{text}")
    prompt = step.prompts["synthesize"]
    values = {"topic": topic.text, "notes": "\n\n".join(notes)}
    completion = await step.complete(
        "synthesize",
        prompt.render_user(values),
        system=prompt.render_system(values),
        options=prompt.options,
    )
    return completion.content


def _section(number: int, question: str, outcome: Outcome[str], report: str) -> dict[str, Json]:
    """Return the row's entry for a sub-question.

    `cited` is whether the report refers to it by its number.
    """
    section: dict[str, Json] = {
        "number": number,
        "question": question,
        "status": "failed",
        "answer": None,
        "error": None,
        "cited": re.search(rf"\[(?:\d+[,\s]+)*{number}(?:[,\s]+\d+)*\]", report) is not None,
    }
    if isinstance(outcome, Ok):
        section.update(status="ok", answer=outcome.value)
    else:
        section["error"] = outcome.error.message
    return section
