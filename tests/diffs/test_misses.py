"""Why a request was never recorded, in words and as data."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from fakes import a_request, an_answer

from harness.diffs.misses import Explanation, explain, likeness_words
from harness.domain.completion import Message, Request
from harness.domain.key import cache_key
from harness.domain.recorded_call import RecordedCall

THEN = datetime(2026, 11, 21, tzinfo=UTC)
PLAN, NOTES, OTHER = (
    "One: who was it? Two: why?",
    "It was the monks of Bath.",
    "Nobody knows to this day.",
)


def recorded(span_id: str, request: Request, content: str, **fields: Any) -> RecordedCall:
    known = {"topic_id": "t", "key": cache_key(request), "run_id": "run-1", "created_at": THEN}
    return RecordedCall(
        **{
            **known,
            "span_id": span_id,
            "request": request,
            "completion": an_answer(content),
            **fields,
        }
    )


RECORDED = (
    recorded("plan", a_request("Plan it."), PLAN),
    recorded("part.1/ask", a_request(f"Plan: {PLAN} Part 1."), NOTES),
    recorded("part.2/ask", a_request(f"Plan: {PLAN} Part 2."), NOTES),
)


def explained(span_id: str, request: Request, **given: Any) -> Explanation:
    return explain(
        **{
            "request": request,
            "topic_id": "t",
            "span_id": span_id,
            "recorded": RECORDED,
            "earlier": {},
            **given,
        }
    )


def test_a_topic_of_which_nothing_is_recorded_is_unknown() -> None:
    found = explained("plan", a_request("Plan it."), recorded=())
    assert (found.verdict, found.nearest, found.recorded_steps) == ("unknown topic", None, ())
    assert (
        found.text()
        == f"step 'plan' of topic 't' (plan, key {found.key[:12]}…): nothing is recorded for this"
        " topic; record it, or correct its id"
    )


def test_a_step_of_which_nothing_is_recorded_is_new() -> None:
    found = explained("review", a_request("Review it."))
    assert (found.verdict, found.recorded_steps) == ("new step", ("ask", "plan"))
    assert "nothing is recorded for this step, only for ask, plan" in found.text()


def test_a_prompt_that_changed_is_to_blame() -> None:
    found = explained("plan", a_request("Plan them.", max_tokens=7))
    assert found.verdict == "changed"
    assert found.nearest is RECORDED[0]
    lines = found.text().splitlines()
    assert (
        lines[0] == f"step 'plan' of topic 't' (plan, key {found.key[:12]}…): not recorded, because"
        " max_tokens and message 1 (user) changed; take that back, or record the new answers"
    )
    assert (
        lines[1]
        == f"  nearest: plan, key {RECORDED[0].key[:12]}…, recorded 2026-11-21 (run-1); its"
        " messages are 40% alike"
    )
    assert lines[2:] == [
        "  max_tokens: recorded not set, wanted 7",
        "  message 1 (user) changed: Plan [-it-]{+them+}.",
    ]


def test_a_call_that_only_has_another_answer_in_its_prompt_follows() -> None:
    found = explained("part.1/ask", a_request(f"Plan: {OTHER} Part 1."), earlier={"plan": OTHER})
    assert (found.verdict, found.change.follows) == ("follows", ("plan",))
    assert found.nearest is RECORDED[1]
    first, _, last = found.text().splitlines()
    assert (
        "this step is not to blame: its request differs only by the answers of plan; look there"
        " first" in first
    )
    assert last == "  message 1 (user) changed: by the answers of plan"


def test_the_recorded_call_of_the_same_id_is_nearest_and_then_one_of_the_same_step() -> None:
    moved = a_request(f"Plan: {PLAN} Part 2.", max_tokens=1)
    found = explained("part.1/ask", moved, earlier={"plan": PLAN})
    assert (found.nearest, found.verdict) == (RECORDED[1], "changed")
    new = explained("part.3/ask", a_request(f"Plan: {OTHER} Part 3."), earlier={"plan": OTHER})
    assert (new.nearest, new.verdict) == (RECORDED[1], "follows")


def test_a_call_that_was_never_recorded_follows_nothing_where_the_answers_before_it_are_the_recorded_ones() -> (
    None
):
    found = explained("part.3/ask", a_request(f"Plan: {PLAN} Part 3."), earlier={"plan": PLAN})
    assert (found.verdict, found.nearest) == ("new step", None)
    assert "nothing is recorded for this call, only for others of its step" in found.text()


def test_of_several_recordings_of_a_call_the_likest_is_nearest_and_then_the_latest() -> None:
    older = recorded("plan", a_request("Plan all of it, now."), PLAN)
    newer = recorded(
        "plan", a_request("Plan it.", max_tokens=1), PLAN, created_at=THEN.replace(hour=1)
    )
    found = explained(
        "plan", a_request("Plan it.", max_tokens=2), recorded=(older, newer, RECORDED[0])
    )
    assert found.nearest is newer


def test_a_request_that_is_recorded_says_so() -> None:
    found = explained("plan", a_request("Plan it."))
    assert (found.verdict, found.likeness) == ("recorded", 1.0)
    assert "this very request is recorded" in found.text()


def test_what_a_model_said_within_a_conversation_is_named_without_a_call() -> None:
    def talk(reasoning: str) -> Request:
        return Request(
            endpoint="mock",
            model="m",
            messages=(
                Message(role="user", content="why?"),
                Message(role="assistant", reasoning=reasoning),
            ),
        )

    found = explained("plan", talk("so"), recorded=[recorded("plan", talk("or"), PLAN)])
    assert "differs only by what the model said before" in found.text()
    assert found.text().splitlines()[2] == "  message 2 (assistant, reasoning) changed"


def test_a_long_value_and_a_long_change_are_cut() -> None:
    found = explained("plan", a_request("x" * 5_000, stop=("y" * 200,)))
    assert len(found.text()) < 1_500
    assert 'stop: recorded not set, wanted ["yyyy' in found.text()


def test_an_explanation_goes_out_as_json() -> None:
    known = explained("plan", a_request("Plan them.", max_tokens=7)).as_json()
    assert json.loads(json.dumps(known)) == {
        "topic_id": "t",
        "span_id": "plan",
        "step": "plan",
        "key": cache_key(a_request("Plan them.", max_tokens=7)),
        "verdict": "changed",
        "nearest": {
            "span_id": "plan",
            "key": RECORDED[0].key,
            "run_id": "run-1",
            "created_at": "2026-11-21T00:00:00+00:00",
        },
        "likeness": 0.4,
        "fields": [{"name": "max_tokens", "recorded": None, "wanted": 7}],
        "messages": [
            {
                "position": 1,
                "role": "user",
                "part": "content",
                "kind": "changed",
                "own": True,
                "diff": {
                    "complete": True,
                    "segments": [
                        {"kind": "equal", "text": "Plan "},
                        {"kind": "replaced", "old": "it", "new": "them"},
                        {"kind": "equal", "text": "."},
                    ],
                },
            }
        ],
        "follows": [],
        "recorded_steps": ["ask", "plan"],
    }
    assert explained("x", a_request("?"), recorded=()).as_json()["nearest"] is None


def test_a_prompt_that_changed_everywhere_is_shown_by_its_ends() -> None:
    old = "\n\n".join(
        f"Paragraph {number} says this of {number * 7} others." for number in range(300)
    )
    before = recorded("plan", a_request(old), PLAN)
    shown = explained("plan", a_request(old.replace("this", "that")), recorded=[before]).text()
    assert "Paragraph 0 says [-this-]{+that+}" in shown
    assert "Paragraph 299 says [-this-]{+that+}" in shown
    assert len(shown) < 5_000


def test_messages_that_differ_are_never_said_to_be_all_alike() -> None:
    assert [likeness_words(one) for one in (0.0, 0.989, 0.9999, 1.0)] == [
        "0%",
        "98%",
        "99%",
        "100%",
    ]
