"""What a step's check rejected is paid, kept with a mark, and no answer in a later session."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from fakes import (
    Engine,
    FakeModel,
    Outcome,
    SlowCache,
    a_request,
    an_answer,
    gathered,
    one_after_another,
    text_of,
)

from harness.cache.memory import MemoryCache
from harness.cache.recorded_first import RecordedFirst
from harness.domain.completion import Completion, Delta, Request
from harness.domain.failures import CacheMiss
from harness.domain.key import cache_key
from harness.domain.parsing import parse_string_list
from harness.domain.policy import CacheMode
from harness.domain.run import Failed, Ok, Topic
from harness.engine.rejecting import rejecting
from harness.engine.step import REPEATS_APART, Step
from harness.engine.trace import Trace
from harness.errors import ParseError, Rejected, RunStopped, StorageError
from harness.ports import Stored

pytestmark = pytest.mark.harness_virtual_time


def good(completion: Completion) -> str:
    """The gate of these tests: an answer is good if it says so."""
    if "good" not in completion.content:
        raise ParseError(f"it was {completion.content}")
    return completion.content.upper()


def anything(completion: Completion) -> str:
    return completion.content


def saying(*answers: str) -> FakeModel:
    """A model that says these one after another, and the last for ever."""
    return FakeModel(script=one_after_another(*map(an_answer, answers)))


def session(
    model: FakeModel, cache: SlowCache, *, run_id: str = "run", mode: CacheMode = "read_write"
) -> Engine:
    return Engine(model=model, cache=cache, run_id=run_id, mode=mode)


async def ask(engine: Engine, topic_id: str = "t", **fields: Any) -> Completion:
    step, _ = engine.step(topic_id)
    return await step.complete("ask", "why?", **{"accept": good, **fields})


def prompts_of(model: FakeModel) -> list[list[str]]:
    return [[message.content for message in request.messages] for request in model.sent]


async def test_an_answer_that_is_accepted_has_the_value_that_the_gate_found() -> None:
    answer = await ask(Engine(model=saying("good")))
    assert (answer.content, answer.value) == ("good", "GOOD")


async def test_a_rejected_answer_is_asked_for_again_with_a_word_on_what_was_wrong() -> None:
    engine = Engine(model=saying("bad", "worse", "good"))
    answer = await ask(engine, again=lambda problem: f"again: {problem}")
    assert answer.value == "GOOD"
    assert prompts_of(engine.model) == [
        ["why?"],
        ["why?", "bad", "again: it was bad"],
        ["why?", "bad", "again: it was bad", "worse", "again: it was worse"],
    ]


async def test_it_is_paid_and_says_in_the_trace_and_in_the_journal_that_it_was_rejected() -> None:
    engine = Engine(model=saying("bad", "good"))
    step, trace = engine.step()
    await step.complete("ask", "why?", accept=good)

    assert [(span.id, span.rejected, span.cost) for span in trace.spans] == [
        ("ask", "it was bad", 150.0),
        ("ask#2", None, 150.0),
    ]
    assert (await engine.cache.spent("run")).cost == 300.0
    assert [resolution.outcome for resolution in engine.cache.resolutions] == ["stored", "stored"]
    [rejection] = engine.cache.rejected
    assert (rejection.owner, rejection.reason) == ("run/t/ask", "it was bad")
    kept = await engine.cache.get(rejection.key, trace.spans[0].request)
    assert kept is not None
    assert (kept.completion.content, kept.rejected) == ("bad", "it was bad")


async def test_the_asking_again_is_bounded_and_all_reasons_are_told() -> None:
    engine = Engine(model=saying("bad", "worse"))
    with pytest.raises(Rejected) as caught:
        await ask(engine, reasks=1)
    assert caught.value.problems == ("it was bad", "it was worse")
    assert str(caught.value) == (
        "all 2 answers were rejected by the check of step 'ask'; the last one because it was worse"
    )


async def test_where_nothing_is_asked_again_one_answer_was_rejected() -> None:
    with pytest.raises(
        Rejected, match=r"^the answer was rejected by the check of step 'ask'; the last one because"
    ):
        await ask(Engine(model=saying("bad")), reasks=0)


async def test_a_model_that_repeats_itself_is_really_asked_each_time() -> None:
    engine = Engine(model=saying("bad"))
    step, trace = engine.step()
    with pytest.raises(Rejected):
        await step.complete("ask", "why?", accept=good, reasks=2)
    assert len(engine.model.sent) == 3
    assert [span.served.source for span in trace.spans] == ["endpoint"] * 3


async def test_each_asking_is_a_call_of_the_topic() -> None:
    engine = Engine(model=saying("bad"))
    step, trace = engine.step()
    with pytest.raises(Rejected):
        await step.complete("ask", "why?", accept=good)
    assert trace.calls == 3


async def test_a_part_whose_answers_are_rejected_fails_alone() -> None:
    engine = Engine(model=FakeModel(script=lambda request: an_answer(text_of(request))))
    step, _ = engine.step()

    async def part(child: Step, word: str) -> str:
        value: str = (await child.complete("part", word, accept=good, reasks=0)).value
        return value

    failed, ok = await step.fan_out("part", ["bad", "good"], part)
    assert isinstance(failed, Failed)
    assert (failed.error.type, failed.error.kind) == ("Rejected", "rejected")
    assert ok == Ok(value="GOOD")


async def test_whoever_watches_is_told_to_forget_what_was_rejected() -> None:
    shown: list[Delta] = []
    await ask(Engine(model=saying("bad", "good")), on_delta=shown.append)
    assert [(delta.kind, delta.text) for delta in shown] == [
        ("answer", "bad"),
        ("restart", ""),
        ("answer", "good"),
    ]


async def test_a_mistake_in_a_gate_is_raised_and_what_was_paid_is_in_the_trace() -> None:
    def gate(completion: Completion) -> str:
        raise ZeroDivisionError

    engine = Engine(model=saying("good"))
    step, trace = engine.step()
    with pytest.raises(ZeroDivisionError):
        await step.complete("ask", "why?", accept=gate)
    assert [(span.content, span.rejected) for span in trace.spans] == [("good", None)]


# Later sessions.


@pytest.mark.parametrize("run_id", ["run", "another"], ids=["resumed", "a new run"])
async def test_in_a_later_session_it_is_asked_for_anew_and_can_succeed(run_id: str) -> None:
    cache = SlowCache()
    with pytest.raises(Rejected):
        await ask(session(saying("bad"), cache))

    later = session(saying("good"), cache, run_id=run_id)
    answer = await ask(later)

    assert (answer.value, prompts_of(later.model)) == ("GOOD", [["why?"]])
    third = session(saying("never asked"), cache, run_id="third")
    assert ((await ask(third)).value, third.model.sent) == ("GOOD", [])


async def test_what_came_of_a_re_ask_is_not_paid_again() -> None:
    cache = SlowCache()
    await ask(session(saying("bad", "worse", "good"), cache))

    later = session(saying("never asked"), cache)
    step, trace = later.step()
    answer = await step.complete("ask", "why?", accept=good)

    assert (answer.value, later.model.sent) == ("GOOD", [])
    assert [(span.served.source, span.rejected) for span in trace.spans] == [
        ("cache", "it was bad"),
        ("cache", "it was worse"),
        ("cache", None),
    ]


async def test_killed_between_the_rejection_and_the_re_ask_it_is_asked_for_anew() -> None:
    cache = SlowCache()
    killed = session(saying("bad", "never"), cache)
    task = asyncio.create_task(ask(killed))
    await asyncio.sleep(1.5)
    task.cancel()
    await gathered(task)
    assert len(killed.model.sent) == 2

    resumed = session(saying("good"), cache)

    assert (await ask(resumed)).value == "GOOD"
    assert prompts_of(resumed.model) == [["why?"]]


async def test_killed_before_it_was_marked_it_is_asked_for_anew_all_the_same() -> None:
    cache = SlowCache(failing={"reject"})
    with pytest.raises(StorageError):
        await ask(session(saying("bad"), cache))
    cache.failing.clear()
    kept = await cache.get(cache_key(as_asked()), as_asked())
    assert kept is not None
    assert kept.rejected is None

    resumed = session(saying("good"), cache)

    assert ((await ask(resumed)).value, len(resumed.model.sent)) == ("GOOD", 1)


def as_asked(**fields: Any) -> Request:
    """The request of `ask`, as the steps of an `Engine` make it."""
    return a_request("why?", max_tokens=1000, **fields)


async def test_a_verdict_that_cannot_be_kept_ends_the_run() -> None:
    engine = session(saying("bad"), SlowCache(failing={"reject"}))
    with pytest.raises(StorageError):
        await ask(engine)
    assert engine.stop.cause is not None
    assert (engine.stop.cause.kind, engine.stop.cause.message) == (
        "storage",
        "reject: the disk is full",
    )


async def test_a_bad_answer_of_an_old_cache_is_asked_for_anew_and_not_re_asked_behind() -> None:
    cache = SlowCache()
    await ask(session(saying("bad"), cache, run_id="old"), accept=anything)
    assert cache.rejected == []

    later = session(saying("bad", "good"), cache)

    assert (await ask(later)).value == "GOOD"
    assert [len(prompts) for prompts in prompts_of(later.model)] == [1, 3]


async def test_the_re_asks_that_an_old_cache_ends_with_are_bounded_too() -> None:
    cache = SlowCache()
    with pytest.raises(Rejected):
        await ask(session(saying("bad"), cache))
    later = session(saying("good"), cache)
    assert (await ask(later, reasks=0)).value == "GOOD"
    assert prompts_of(later.model) == [["why?"]]


async def test_to_a_call_that_demands_nothing_the_mark_counts() -> None:
    cache = SlowCache()
    with pytest.raises(Rejected):
        await ask(session(saying("bad"), cache))
    later = session(saying("anew"), cache)
    assert (await ask(later, accept=None)).content == "anew"
    assert len(later.model.sent) == 1


async def test_a_call_whose_check_accepts_it_may_have_it() -> None:
    cache = SlowCache()
    with pytest.raises(Rejected):
        await ask(session(saying("bad"), cache))
    later = session(saying("never asked"), cache)
    assert ((await ask(later, accept=anything)).content, later.model.sent) == ("bad", [])


async def test_refresh_too_asks_anew_for_what_the_same_run_had_rejected_before() -> None:
    cache = SlowCache()
    with pytest.raises(Rejected):
        await ask(session(saying("bad"), cache, mode="refresh"))
    later = session(saying("good"), cache, mode="refresh")
    assert ((await ask(later)).value, len(later.model.sent)) == ("GOOD", 1)


async def test_without_a_cache_the_re_ask_goes_its_way() -> None:
    engine = session(saying("bad", "good"), SlowCache(), mode="off")
    assert ((await ask(engine)).value, len(engine.model.sent)) == ("GOOD", 2)
    assert [rejection.reason for rejection in engine.cache.rejected] == ["it was bad"]


# One session, several who ask the same.


async def test_within_the_session_an_equal_topic_shares_the_re_ask() -> None:
    engine = Engine(model=saying("bad", "good"))
    answers = [await ask(engine, "a"), await ask(engine, "b")]
    assert [answer.value for answer in answers] == ["GOOD", "GOOD"]
    assert len(engine.model.sent) == 2


async def test_side_by_side_too() -> None:
    engine = Engine(model=saying("bad", "good"))
    answers = await gathered(ask(engine, "a"), ask(engine, "b"), ask(engine, "c"))
    assert [answer.value for answer in answers] == ["GOOD"] * 3
    assert len(engine.model.sent) == 2
    assert len(engine.cache.rejected) == 1


async def test_who_shares_a_request_has_a_verdict_of_its_own() -> None:
    engine = Engine(model=saying("bad", "good"))
    strict, lax = await gathered(ask(engine, "strict"), ask(engine, "lax", accept=anything))
    assert (strict.value, lax.value) == ("GOOD", "bad")
    assert len(engine.model.sent) == 2


async def test_a_follower_that_rejects_leaves_the_answer_to_whom_it_was_for() -> None:
    engine = Engine(model=saying("bad", "good"))
    lax, strict = await gathered(ask(engine, "lax", accept=anything), ask(engine, "strict"))
    assert (lax.value, strict.value) == ("bad", "GOOD")
    assert engine.cache.rejected == []


async def test_a_follower_is_not_given_an_old_answer_that_it_rejects() -> None:
    cache = SlowCache(look_s=1.0)
    await ask(session(saying("bad"), cache, run_id="old"), accept=anything)
    later = session(saying("good"), cache)
    lax, strict = await gathered(ask(later, "lax", accept=anything), ask(later, "strict"))
    assert (lax.value, strict.value) == ("bad", "GOOD")
    assert prompts_of(later.model) == [["why?"]]


async def test_a_follower_of_an_old_answer_that_both_accept_shares_it() -> None:
    cache = SlowCache(look_s=1.0)
    await ask(session(saying("good"), cache, run_id="old"))
    later = session(saying("never asked"), cache)
    answers = await gathered(ask(later, "a"), ask(later, "b"), ask(later, "c", accept=None))
    assert [answer.served.source for answer in answers] == ["cache"] * 3
    assert later.model.sent == []


async def test_another_process_that_waits_shares_the_bad_answer_and_the_re_ask() -> None:
    cache = SlowCache()
    first, second = (
        session(saying("bad", "good"), cache),
        session(saying("never asked"), cache, run_id="other"),
    )
    answers = await gathered(ask(first), ask(second))
    assert [answer.value for answer in answers] == ["GOOD", "GOOD"]
    assert (len(first.model.sent), second.model.sent) == (2, [])


# Replay.


async def test_replay_plays_the_bad_answer_and_the_re_ask_exactly() -> None:
    cache = SlowCache()
    recorded = session(saying("bad", "worse", "good"), cache)
    step, first = recorded.step()
    await step.complete("ask", "why?", accept=good)

    again = session(saying("never asked"), cache, run_id="replay", mode="replay")
    step, second = again.step()
    answer = await step.complete("ask", "why?", accept=good)

    assert (answer.value, again.model.sent) == ("GOOD", [])
    assert [(span.id, span.key, span.content, span.rejected) for span in second.spans] == [
        (span.id, span.key, span.content, span.rejected) for span in first.spans
    ]


async def test_replay_plays_what_ended_in_vain_too() -> None:
    cache = SlowCache()
    with pytest.raises(Rejected):
        await ask(session(saying("bad"), cache))
    with pytest.raises(Rejected):
        await ask(session(saying("good"), cache, mode="replay"))


async def test_in_replay_a_re_ask_that_was_not_recorded_is_a_miss() -> None:
    cache = SlowCache()
    await ask(session(saying("bad"), cache), accept=anything)
    with pytest.raises(CacheMiss):
        await ask(session(saying("good"), cache, mode="replay"))


# A workflow that looks for itself.


async def by_hand(step: Step) -> list[str]:
    """Asks the very same until the answer is good, three times at most."""
    said = []
    for _ in range(3):
        answer = await step.complete("ask", "why?")
        said.append(answer.content)
        if "good" in answer.content:
            break
        await step.reject(answer, f"it was {answer.content}")
    return said


async def test_an_answer_that_the_workflow_rejects_may_be_asked_for_again_in_the_same_words() -> (
    None
):
    engine = Engine(model=saying("bad", "worse", "good"))
    step, trace = engine.step()
    assert await by_hand(step) == ["bad", "worse", "good"]
    assert [span.request.sample for span in trace.spans] == [0, REPEATS_APART, 2 * REPEATS_APART]
    assert [span.rejected for span in trace.spans] == ["it was bad", "it was worse", None]


async def test_replay_finds_each_of_the_equal_askings() -> None:
    cache = SlowCache()
    step, _ = session(saying("bad", "worse", "good"), cache).step()
    await by_hand(step)
    step, _ = session(saying("never asked"), cache, mode="replay").step()
    assert await by_hand(step) == ["bad", "worse", "good"]


async def test_what_a_workflow_rejected_of_an_old_cache_is_asked_for_anew_by_the_next_session() -> (
    None
):
    cache = SlowCache()
    await ask(session(saying("bad"), cache, run_id="old"), accept=None)
    step, _ = session(saying("good"), cache, run_id="second").step()
    assert await by_hand(step) == ["bad", "good"]
    third = session(saying("good at once"), cache, run_id="third")
    step, _ = third.step()
    assert await by_hand(step) == ["good at once"]


async def test_equal_askings_of_two_parts_are_counted_apart() -> None:
    """Which part is first must not decide what the other asks, or a replay would ask something
    else.
    """
    engine = Engine(model=saying("bad", "worse", "good"))
    step, _ = engine.step()
    outcomes = await step.fan_out("part", [0, 1], lambda part, _: by_hand(part))
    assert [outcome.value for outcome in outcomes if isinstance(outcome, Ok)] == [
        ["bad", "worse", "good"]
    ] * 2
    assert len(engine.model.sent) == 3


async def test_only_an_answer_of_this_topic_can_be_rejected() -> None:
    engine = Engine(model=saying("bad"))
    mine, other = engine.step("a")[0], engine.step("b")[0]
    answer = await mine.complete("ask", "why?")
    with pytest.raises(
        ValueError, match="reject takes a completion that `complete` has returned for this topic"
    ):
        await other.reject(answer, "it was bad")
    await other.complete("ask", "who?")
    with pytest.raises(ValueError, match="reject takes a completion"):
        await other.reject(replace(answer, content="of another topic"), "it was bad")


# JSON mode.


async def test_what_is_no_json_is_rejected_and_asked_for_again_with_the_reason() -> None:
    engine = Engine(model=saying("I would rather not.", '```json\n{"a": 1}\n```'))
    step, trace = engine.step()
    answer = await step.complete("ask", "why?", response_format="json_object")
    assert answer.value == {"a": 1}
    assert [span.rejected for span in trace.spans] == ["it held no JSON array or object", None]
    assert trace.spans[0].served.failures == ()
    assert "it held no JSON array or object" in text_of(engine.model.sent[1])


async def test_that_is_bounded_by_the_re_asks_and_not_by_the_attempts() -> None:
    engine = Engine(model=saying("no JSON"))
    step, _ = engine.step()
    with pytest.raises(Rejected):
        await step.complete("ask", "why?", response_format="json_object")
    assert len(engine.model.sent) == 3


async def test_a_run_that_ends_amid_the_asking_again_leaves_its_topic_for_resume() -> None:
    def script(request: Request) -> Outcome:
        engine.stop.set("interrupted", "by a test")
        return an_answer("bad")

    engine = Engine(model=FakeModel(script=script))
    step, trace = engine.step()
    with pytest.raises(RunStopped):
        await step.complete("ask", "why?", accept=good)
    assert trace.stopped
    assert [span.rejected for span in trace.spans] == ["it was bad"]


# A workflow that parses an answer and lets the error pass.


async def reads_a_list(step: Step, topic: Topic) -> list[str]:
    return list(
        parse_string_list((await step.complete("ask", topic.text)).content, at_least=1, at_most=3)
    )


async def test_an_answer_over_which_its_topic_failed_is_asked_for_anew_by_resume() -> None:
    cache = SlowCache()
    failed = session(saying("I would rather not."), cache)
    await failed.runner(rejecting(reads_a_list)).run([Topic(id="t", text="why?")])
    [row] = failed.results.rows
    assert (row.status, row.error and row.error.type) == ("failed", "ParseError")
    assert [span.rejected for span in failed.results.spans] == ["it held no JSON array or object"]

    resumed = session(saying('["because"]'), cache)
    await resumed.runner(rejecting(reads_a_list)).run([Topic(id="t", text="why?")])

    assert [row.output for row in resumed.results.rows] == [["because"]]
    assert len(resumed.model.sent) == 1


async def test_an_answer_over_which_a_part_failed_is_rejected_too() -> None:
    engine = Engine(model=saying("I would rather not."))
    step, trace = engine.step()
    [part] = await step.fan_out(
        "part", ["why?"], lambda child, text: reads_a_list(child, Topic(id="t", text=text))
    )
    assert isinstance(part, Failed)
    assert [span.rejected for span in trace.spans] == ["it held no JSON array or object"]


async def test_an_error_about_another_text_rejects_nothing() -> None:
    async def reads_something_else(step: Step, topic: Topic) -> list[str]:
        await step.complete("ask", topic.text)
        return list(parse_string_list("no answer of a model's", at_least=1, at_most=3))

    engine = Engine(model=saying("I would rather not."))
    await engine.runner(rejecting(reads_something_else)).run([Topic(id="t", text="why?")])
    assert [span.rejected for span in engine.results.spans] == [None]


async def test_a_step_that_nobody_listens_to_tells_its_trace_alone() -> None:
    engine = Engine(model=saying("bad", "good"))
    trace = Trace(on_span=lambda span: None)
    step = Step(
        topic=Topic(id="t", text="t"),
        context=replace(engine.context(), rejections=None),
        completer=engine.completer,
        trace=trace,
    )
    assert (await step.complete("ask", "why?", accept=good)).value == "GOOD"
    assert [span.rejected for span in trace.spans] == ["it was bad", None]
    assert engine.cache.rejected == []


# Recordings that rule over a cache.


def under(recording: MemoryCache, model: FakeModel) -> Engine:
    return Engine(model=model, cache=RecordedOver(recording))


class RecordedOver(SlowCache):
    """A cache under a recording, as `RecordedFirst` is one."""

    def __init__(self, recording: MemoryCache) -> None:
        super().__init__()
        self._first = RecordedFirst(recording, MemoryCache())

    async def get(self, key: str, request: Request) -> Stored | None:
        return await self._first.get(key, request)


async def test_what_a_recording_says_is_played_as_it_is_and_asked_for_again_behind_it() -> None:
    recorded = session(saying("bad"), SlowCache())
    await ask(recorded, accept=anything)
    engine = under(recorded.cache, saying("good"))
    assert (await ask(engine)).value == "GOOD"
    assert [len(prompts) for prompts in prompts_of(engine.model)] == [3]
