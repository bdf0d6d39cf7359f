"""Why a call was a hit, or why it was asked, told from its row and the cache."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes import an_answer
from records import STARTED_AT, a_result
from run_directories import asking, said

from harness.domain.completion import Request, Served
from harness.domain.key import cache_key
from harness.domain.recorded_call import RecordedCall
from harness.domain.run import Failure, Span
from harness.errors import ResultsError
from harness.records.rows import span_to_row
from harness.records.stored import span_of, stored_result, stored_span
from harness.regress.comparing.call_story import CallStory, story_of

EARLIER = datetime(2026, 11, 15, 8, 0, tzinfo=UTC)
PLAN, OTHER = "It was the monks of Bath who built it.", "Nobody knows who built the bath."
HIT = Served(source="cache", attempts=0)


def stored(span_id: str, request: Request, content: str = PLAN, **fields: Any) -> RecordedCall:
    return RecordedCall(
        **{
            "topic_id": "t0",
            "span_id": span_id,
            "key": cache_key(request),
            "request": request,
            "completion": an_answer(content, cost=0.25),
            "run_id": "before",
            "created_at": EARLIER,
            **fields,
        }
    )


def told(
    *spans: Span, recorded: tuple[RecordedCall, ...] = (), mode: str = "read_write", **given: Any
) -> CallStory:
    """The story of the last of these calls of a topic, in a cache that holds all that was
    `recorded`.
    """
    calls = [stored_span(span, index=0, session=1) for span in spans]
    key = calls[-1].key
    payers = [one for one in recorded if one.key == key]
    return story_of(
        calls[-1],
        row=stored_result(a_result(0), session=1),
        calls=calls,
        recorded=recorded,
        payer=payers[-1] if payers else None,
        mode=mode,
        ttl_s=given.get("ttl_s"),
    )


def test_a_hit_names_who_had_paid_and_when() -> None:
    story = told(
        said("plan", "Plan.", PLAN, served=HIT, saved=0.25),
        recorded=(stored("plan", asking("Plan.")),),
    )
    assert story.outcome == "hit"
    assert story.lines() == [
        "t0/plan: a hit, as the cache knew the answer to this very request",
        f"  key {story.key}",
        "  paid for by plan of topic 't0' in run before, 2026-11-15 08:00:00 UTC, $0.2500",
        "  saved $0.2500",
    ]


def test_a_hit_of_what_the_run_itself_had_paid_says_so() -> None:
    own = stored("plan", asking("Plan."), run_id="run")
    assert "(this run)" in told(said("plan", "Plan.", PLAN, served=HIT), recorded=(own,)).lines()[2]


def test_a_hit_whose_answer_is_gone_or_was_replaced_says_so() -> None:
    gone = told(said("plan", "Plan.", PLAN, served=HIT))
    assert "the answer is not in the cache any more" in gone.lines()[-1]
    anew = stored("plan", asking("Plan."), created_at=STARTED_AT.replace(day=20))
    replaced = told(said("plan", "Plan.", PLAN, served=HIT), recorded=(anew,))
    assert replaced.lines()[2].startswith(
        "  since then replaced by the answer to plan of topic 't0'"
    )


def test_a_shared_answer_names_the_call_that_was_asking() -> None:
    later = STARTED_AT.replace(year=STARTED_AT.year + 1)  # it was stored after this call began
    payer = stored("plan", asking("Plan."), topic_id="t9", run_id="run", created_at=later)
    story = told(
        said("plan", "Plan.", PLAN, served=Served(source="shared", attempts=0)), recorded=(payer,)
    )
    assert (
        story.lines()[0]
        == "t0/plan: shared: the same request was being asked at that moment, so it was sent once"
    )
    assert story.lines()[2].startswith("  paid for by plan of topic 't9' in run run")


def test_the_first_call_ever_of_a_topic_or_a_step_says_so() -> None:
    assert told(said("plan", "Plan.", PLAN)).lines() == [
        "t0/plan: asked: nothing had been stored for this topic before",
        f"  key {cache_key(asking('Plan.'))}",
    ]
    story = told(said("ask", "Why?", PLAN), recorded=(stored("plan", asking("Plan.")),))
    assert (
        story.lines()[0]
        == "t0/ask: asked: nothing had been stored for this step before, only for plan"
    )


def test_a_call_that_was_asked_is_compared_with_what_was_stored_before_it() -> None:
    story = told(said("plan", "Plan this.", PLAN), recorded=(stored("plan", asking("Plan that.")),))
    assert story.lines() == [
        (
            "t0/plan: asked: compared with the nearest request that was stored before, message 1"
            " (user) changed"
        ),
        f"  key {story.key}",
        (
            "  nearest: plan of topic 't0' in run before, 2026-11-15 08:00:00 UTC, $0.2500 "
            f"(key {cache_key(asking('Plan that.'))[:12]}…); its messages are 40% alike"
        ),
        "  message 1 (user) changed: Plan [-that-]{+this+}.",
    ]


@pytest.mark.parametrize(
    "fields",
    [{"run_id": "run"}, {"created_at": STARTED_AT.replace(day=20)}],
    ids=["of this run", "later"],
)
def test_what_was_stored_by_the_run_itself_or_later_explains_nothing(
    fields: dict[str, Any],
) -> None:
    story = told(
        said("plan", "Plan this.", PLAN), recorded=(stored("plan", asking("Plan that."), **fields),)
    )
    assert "nothing had been stored for this topic before" in story.lines()[0]


def test_a_call_whose_prompt_holds_another_answer_is_not_to_blame() -> None:
    story = told(
        said("plan", "Plan.", OTHER, at_s=1.0, served=HIT),
        said("ask", f"Check: {OTHER}", "no", at_s=5.0),
        recorded=(stored("plan", asking("Plan.")), stored("ask", asking(f"Check: {PLAN}"), "yes")),
    )
    assert (
        story.lines()[0]
        == "t0/ask: asked: its request differs from what was stored before only by the answers of"
        " plan, so this step is not to blame"
    )


def test_an_answer_that_was_too_old_is_told_from_one_that_was_not_there() -> None:
    story = told(
        said("plan", "Plan.", PLAN), recorded=(stored("plan", asking("Plan.")),), ttl_s=60.0
    )
    assert (
        story.lines()[0]
        == "t0/plan: asked: the answer that was there was too old, or not allowed to be used"
        " (read_write, ttl 60 s)"
    )


@pytest.mark.parametrize("mode", ["off", "refresh"])
def test_a_mode_in_which_nothing_answers_is_named(mode: str) -> None:
    story = told(
        said("plan", "Plan.", PLAN), recorded=(stored("plan", asking("Plan.")),), mode=mode
    )
    assert (
        f"the run's cache mode is {mode}, in which nothing that was stored before answers"
        in story.lines()[0]
    )


def test_a_call_that_failed_says_why_it_failed_and_why_it_was_asked() -> None:
    failure = Failure(type="PermanentError", message="refused", kind="content_filter")
    story = told(said("plan", "Plan.", "", error=failure))
    assert (
        story.lines()[0]
        == "t0/plan: asked, and failed (content_filter: refused): nothing had been stored for this"
        " topic before"
    )


def test_a_miss_of_a_replay_is_explained_by_all_that_is_recorded() -> None:
    miss = Failure(type="CacheMiss", message="unknown")
    later = stored("plan", asking("Plan that."), created_at=STARTED_AT.replace(day=20))
    story = told(
        said("plan", "Plan this.", "", error=miss, served=Served(source="replay", attempts=0)),
        recorded=(later,),
        mode="replay",
    )
    assert (
        story.lines()[0]
        == "t0/plan: not answered: the run replays, and compared with the nearest request that was"
        " stored before, message 1 (user) changed"
    )


def test_an_answer_of_an_earlier_version_of_the_cache_has_no_call() -> None:
    old = stored("", asking("Plan."), topic_id="", completion=an_answer(PLAN))
    story = told(said("plan", "Plan.", PLAN, served=HIT), recorded=(old,))
    assert (
        story.lines()[2]
        == "  paid for by a call that is not known any more in run before, 2026-11-15 08:00:00 UTC"
    )


def test_a_damaged_request_is_named() -> None:
    row = span_to_row(said("plan", "Plan.", PLAN), index=0, session=1)
    line = json.dumps({**row, "request": {"model": "m"}}).encode()
    with pytest.raises(
        ResultsError, match=r"a call of topic 't0' is damaged: request\.endpoint: is missing"
    ):
        span_of(line, Path("traces.jsonl"), 0)


def test_a_story_goes_out_as_json() -> None:
    known = told(
        said("plan", "Plan this.", PLAN), recorded=(stored("plan", asking("Plan that.")),)
    ).as_json()
    assert json.loads(json.dumps(known))["explanation"]["verdict"] == "changed"
    assert (known["outcome"], known["payer"], known["policy"]) == ("asked", None, "read_write")
    hit = told(
        said("plan", "Plan.", PLAN, served=HIT), recorded=(stored("plan", asking("Plan.")),)
    ).as_json()
    assert hit["payer"] == {
        "topic_id": "t0",
        "span_id": "plan",
        "key": cache_key(asking("Plan.")),
        "run_id": "before",
        "created_at": "2026-11-15T08:00:00+00:00",
        "cost": 0.25,
    }
    assert hit["explanation"] is None
