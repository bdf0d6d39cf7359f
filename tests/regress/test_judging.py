"""A model as judge: how it is asked within a run, and what a check makes of its verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import Engine, FakeModel, Outcome, an_answer
from regress_cases import a_call, a_case, a_suite

from harness.domain.completion import Request
from harness.domain.failures import PermanentError
from harness.domain.policy import Limits
from harness.domain.run import Output, Topic
from harness.engine.runner import Workflow
from harness.engine.step import Step
from harness.errors import TopicFailed
from harness.records.stored import stored_result, stored_span
from harness.regress.case import Case
from harness.regress.checks.checks import Draw, Evidence, look
from harness.regress.checks.judging import judged
from harness.regress.suites.suite import Suite

pytestmark = pytest.mark.harness_virtual_time

ON_OUTPUT = "[[check]]\nname = 'fair'\njudge = 'Is it fair to both sides?'\n"
ON_STEP = "[[check]]\nname = 'short notes'\nstep = 'note'\njudge = 'Is it short?'\n"
Verdict = Callable[[str], str | PermanentError]


async def notes(step: Step, topic: Topic) -> Output:
    """Two notes in parallel, then a report."""

    async def note(part: Step, word: str) -> str:
        return (await part.complete("note", f"note on {word}")).content

    await step.fan_out("note", ["salt", "sand"], note)
    return Output(value=(await step.complete("report", "write it up")).content)


def model(verdict: Verdict, asked: list[Request] | None = None) -> FakeModel:
    """Answers `<prompt>!`, and where JSON is wanted what `verdict` says of the text to judge."""

    def script(request: Request) -> Outcome:
        prompt = request.messages[-1].content
        if request.response_format != "json_object":
            return an_answer(f"{prompt}!")
        if asked is not None:
            asked.append(request)
        said = verdict(prompt.partition("Text to judge:\n")[2])
        return an_answer(said) if isinstance(said, str) else said

    return FakeModel(script=script)


async def case_of(suite: Suite, engine: Engine, workflow: Workflow = notes) -> Case:
    """The case that a run of the workflow with its judges leaves."""
    await engine.runner(judged(workflow, suite.criteria, suite.judge)).run(
        [Topic(id="t", text="On salt and sand")]
    )
    calls = [stored_span(span, index=0, session=1) for span in engine.results.spans]
    return Case(
        topic_id="t", sample=0, row=stored_result(engine.results.rows[0], session=1), calls=calls
    )


def says(passed: bool, reason: str = "so it is") -> str:
    return json.dumps({"pass": passed, "reason": reason})


async def test_a_judge_is_asked_about_the_output_as_a_step_of_the_run(tmp_path: Path) -> None:
    asked: list[Request] = []
    suite = a_suite(tmp_path, ON_OUTPUT)
    case = await case_of(suite, Engine(model=model(lambda text: says(True), asked)))

    assert case.row.output == "write it up!"
    assert [call.id for call in case.calls][-1] == "judge.fair/judge"
    [request] = asked
    assert request.max_tokens == 16_384
    assert "Is it fair to both sides?" in request.messages[-1].content
    assert "On salt and sand" in request.messages[-1].content
    assert request.messages[-1].content.endswith("Text to judge:\nwrite it up!")
    assert look(suite.checks[1], case, Evidence()) == Draw(sample=0, state="passed")


async def test_a_judge_of_a_step_is_asked_about_each_of_its_calls(tmp_path: Path) -> None:
    suite = a_suite(tmp_path, ON_STEP)
    case = await case_of(
        suite, Engine(model=model(lambda text: says("sand" not in text, "too sandy")))
    )

    draw = look(suite.checks[1], case, Evidence())

    assert [each.checked for each in draw.failing] == ["note.2/note"]
    assert draw.failing[0].shortfall.message == "the judge says no: too sandy"
    assert {call.id for call in case.calls if call.step == "judge"} == {
        "judge.short-notes/note.1/note/judge",
        "judge.short-notes/note.2/note/judge",
    }


async def test_a_verdict_is_cached_like_every_answer(tmp_path: Path) -> None:
    asked: list[Request] = []
    suite = a_suite(tmp_path, ON_OUTPUT + ON_STEP)
    first = Engine(model=model(lambda text: says(True), asked))
    await case_of(suite, first)
    again = Engine(
        model=model(lambda text: says(False)), cache=first.cache, mode="replay", run_id="again"
    )

    case = await case_of(suite, again)

    assert len(asked) == 3
    assert {call.served.source for call in case.calls} == {"replay"}
    assert [look(check, case, Evidence()).state for check in suite.checks] == ["passed"] * 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"pass": true}', None),
        ('```json\n{"pass": true, "reason": "yes"}\n```', None),
        ('{"pass": false, "reason": "one-sided"}', "the judge says no: one-sided"),
        ('{"pass": false}', "the judge says no: and gives no reason"),
        ("I would say yes", "the judge's verdict cannot be used: it held no JSON array or object"),
        ("[true]", "the judge's verdict cannot be used: it is an array"),
        (
            '{"pass": "yes"}',
            "the judge's verdict cannot be used: it is an object without a true or false 'pass'",
        ),
        (
            '{"passed": true}',
            "the judge's verdict cannot be used: it is an object without a true or false 'pass'",
        ),
    ],
)
def test_a_verdict_that_cannot_be_used_is_a_failed_check(
    tmp_path: Path, content: str, message: str | None
) -> None:
    case = a_case(calls=[a_call("ask"), a_call("judge.fair/judge", content)])
    draw = look(a_suite(tmp_path, ON_OUTPUT).checks[1], case, Evidence())
    assert (draw.failing[0].shortfall.message if draw.failing else None) == message


async def test_a_judge_that_cannot_be_asked_fails_its_check_and_not_the_topic(
    tmp_path: Path,
) -> None:
    suite = a_suite(tmp_path, ON_OUTPUT)
    case = await case_of(
        suite, Engine(model=model(lambda text: PermanentError("refused", kind="content_filter")))
    )
    draw = look(suite.checks[1], case, Evidence())
    assert case.row.status == "ok"
    assert draw.failing[0].shortfall.message == "the judge could not be asked: refused"


async def test_a_verdict_that_was_not_recorded_is_not_checked(tmp_path: Path) -> None:
    first = Engine(model=model(lambda text: says(True)))
    await case_of(a_suite(tmp_path, ON_OUTPUT), first)
    suite = a_suite(tmp_path, ON_OUTPUT.replace("fair to", "honest with"))
    again = Engine(model=model(lambda text: says(True)), cache=first.cache, mode="replay")

    case = await case_of(suite, again)

    assert case.row.status == "ok"
    assert look(suite.checks[1], case, Evidence()) == Draw(
        sample=0, state="not checked", why="its verdict is not recorded"
    )


def test_a_judge_that_nobody_asked_is_a_failed_check(tmp_path: Path) -> None:
    draw = look(a_suite(tmp_path, ON_OUTPUT).checks[1], a_case(calls=[a_call("ask")]), Evidence())
    assert draw.failing[0].shortfall.message == "the judge was not asked"


def test_a_verdict_of_another_check_is_not_taken_for_its_own(tmp_path: Path) -> None:
    case = a_case(
        calls=[a_call("judge.fairer/judge", says(True)), a_call("judge.fair/ask/judge", says(True))]
    )
    draw = look(a_suite(tmp_path, ON_OUTPUT).checks[1], case, Evidence())
    assert draw.failing[0].shortfall.message == "the judge was not asked"


async def test_a_topic_that_failed_asks_no_judge(tmp_path: Path) -> None:
    async def gives_up(step: Step, topic: Topic) -> Output:
        raise TopicFailed("no idea")

    asked: list[Request] = []
    case = await case_of(
        a_suite(tmp_path, ON_OUTPUT), Engine(model=model(lambda text: says(True), asked)), gives_up
    )
    assert case.row.error is not None
    assert (case.row.error.message, asked) == ("no idea", [])


async def test_a_call_that_failed_is_not_judged(tmp_path: Path) -> None:
    def script(request: Request) -> Outcome:
        text = request.messages[-1].content
        return (
            PermanentError("no", kind="bad_request")
            if text == "note on salt"
            else an_answer(says(True))
        )

    case = await case_of(a_suite(tmp_path, ON_STEP), Engine(model=FakeModel(script=script)))
    assert [call.parent for call in case.calls if call.step == "judge"] == [
        "judge.short-notes/note.2/note"
    ]


async def test_judges_are_bounded_by_the_calls_of_a_topic(tmp_path: Path) -> None:
    engine = Engine(model=model(lambda text: says(True)), limits=Limits(max_calls_per_topic=4))
    case = await case_of(a_suite(tmp_path, ON_STEP), engine)
    assert case.row.error is not None
    assert case.row.error.type == "TooManyCalls"


async def test_a_suite_without_judges_leaves_the_workflow_as_it_is(tmp_path: Path) -> None:
    suite = a_suite(tmp_path, "[[check]]\ncontains = 'a'\n")
    assert judged(notes, suite.criteria, suite.judge) is notes
