from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.domain.policy import Limits
from harness.domain.waits import WAITS as KINDS
from harness.timing.bounds import CallTimes, FailedTimes, bound_of
from harness.timing.losses import CAUSES, Cause, losses_of

CAUSE_OF: dict[str, Cause] = {wait.field: wait.cause for wait in KINDS}
WAITS = tuple(CAUSE_OF)


def a_call(
    id_: str,
    start_s: float,
    service_s: float,
    *,
    topic: str = "t",
    before: tuple[FailedTimes, ...] = (),
    **waits: Any,
) -> CallTimes:
    """A call that met these attempts in vain, then these waits, and then was answered."""
    in_vain_s = sum(one.waited_s + one.elapsed_s + one.backoff_s for one in before)
    end_s = start_s + in_vain_s + sum(waits.values()) + service_s
    for name in WAITS:
        waits[name] = waits.get(name, 0.0) + sum(getattr(one, name) for one in before)
    times: dict[str, Any] = {"start_s": start_s, "end_s": end_s, "service_s": service_s, **waits}
    return CallTimes(topic_id=topic, id=id_, step="ask", before=before, **times)


def lost(calls: list[CallTimes], wall_s: float, limits: Limits) -> dict[str, Any]:
    found = losses_of(calls, wall_s, bound_of(calls, limits), limits)
    return {cause: pytest.approx(seconds) for cause, seconds in found.items() if seconds > 1e-9}


def test_a_night_that_met_its_bound_lost_nothing() -> None:
    assert lost([a_call("a", 0, 5), a_call("b", 5, 5)], 10, Limits(in_flight=1)) == {}


def test_five_calls_three_at_a_time_lose_to_the_limit_of_one_topic() -> None:
    calls = [a_call(f"part.{n}/ask", 0, 10, queued_run_s=0 if n <= 3 else 10) for n in range(1, 6)]
    # Alone they could all have run at once, in 10 s. Of the 20 s, in 10 two calls waited, in 10 two
    # were all there was.
    assert lost(calls, 20, Limits(in_flight=64, per_run=3)) == {
        "per_run": 9.53125,
        "order": 0.46875,
    }


@pytest.mark.parametrize("wait", WAITS)
def test_a_single_call_loses_what_it_waited_for(wait: str) -> None:
    assert lost([a_call("ask", 0, 4, **dict[str, Any]({wait: 3}))], 7, Limits(in_flight=1)) == {
        CAUSE_OF[wait]: 3
    }


def test_a_single_call_loses_its_failed_attempts_and_the_sleep_after_them() -> None:
    calls = [
        a_call(
            "ask",
            0,
            4,
            before=(FailedTimes(paced_s=1, elapsed_s=2, backoff_s=3), FailedTimes(elapsed_s=5)),
        )
    ]
    assert lost(calls, 15, Limits(in_flight=1)) == {"pace": 1, "attempts": 7, "backoff": 3}


def test_a_request_after_which_the_provider_was_waited_for_is_laid_to_the_outage() -> None:
    # It failed after 2 s, waited 8 s and looked in vain for 1 s, waited 4 s; then a failure of its
    # own, and the answer.
    before = (
        FailedTimes(elapsed_s=2),
        FailedTimes(outage_s=8, elapsed_s=1),
        FailedTimes(outage_s=4, elapsed_s=3, backoff_s=1),
    )
    calls = [a_call("ask", 0, 5, before=before)]
    assert lost(calls, 24, Limits(in_flight=1)) == {"outage": 15, "attempts": 3, "backoff": 1}


def test_what_rounding_leaves_of_a_wait_is_no_outage() -> None:
    # A record tells the sum and its parts to the microsecond, so their difference may be one.
    before = (FailedTimes(outage_s=2.0, elapsed_s=3),)
    (call,) = [a_call("ask", 0, 5, before=before)]
    told = replace(call, outage_s=2.000001, end_s=10.000001)
    assert lost([told], 10.000001, Limits(in_flight=1))["attempts"] == pytest.approx(3, abs=1e-5)


def test_an_outage_keeps_all_places_from_work_and_a_probe_one_of_them() -> None:
    # Two places. Both calls fail at 1 s; a looks at 3 s for 1 s, and at 6 s finds the provider
    # back; both end at 8 s.
    calls = [
        a_call(
            "part.1/a",
            0,
            2,
            before=(FailedTimes(elapsed_s=1), FailedTimes(outage_s=2, elapsed_s=1)),
            outage_s=2,
        ),
        a_call("part.2/a", 0, 2, before=(FailedTimes(elapsed_s=1),), outage_s=5),
    ]
    assert lost(calls, 8, Limits(in_flight=2)) == {"outage": 6}


def test_what_one_call_waits_for_is_told_by_when_it_waited() -> None:
    # One place. a fails from 0 to 2 and sleeps to 3; b is served from 2 to 6, and a again from 6 to
    # 8.
    calls = [
        a_call("part.1/a", 0, 2, before=(FailedTimes(elapsed_s=2, backoff_s=1),), queued_run_s=3),
        a_call("part.2/b", 0, 4, queued_run_s=2),
    ]
    # The one place was never free: all that was lost is the attempt in vain, and nothing to the
    # limit of one topic.
    assert lost(calls, 8, Limits(in_flight=1, per_run=1)) == {"attempts": 2}


def test_topics_that_were_not_begun_wait_for_the_limit_on_topics() -> None:
    calls = [a_call("ask", 0, 4, topic="t"), a_call("ask", 4, 4, topic="u")]
    assert lost(calls, 8, Limits(in_flight=2, runs=1)) == {"runs": 2, "order": 2}
    assert lost(calls, 8, Limits(in_flight=2, runs=2)) == {"own_code": 2, "order": 2}


def test_a_failed_attempt_takes_one_place_and_not_those_of_others() -> None:
    calls = [
        a_call("part.1/a", 0, 6, before=(FailedTimes(elapsed_s=2),)),
        a_call("part.2/a", 0, 8),
        a_call("part.3/a", 0, 6, queued_s=8),
    ]
    # Two places, 14 s: the work of 20 s needs 10. One place was wasted for 2 s, and in the end one
    # stood empty for 6.
    assert lost(calls, 14, Limits(in_flight=2, per_run=8)) == {"attempts": 1, "order": 3}


def test_a_slow_provider_is_told_apart_from_work() -> None:
    assert lost([a_call("ask", 0, 6).slowed(1.5)], 6, Limits(in_flight=1)) == {"provider": 2}


def test_time_between_calls_and_before_and_after_them_is_our_own() -> None:
    calls = [a_call("a", 1, 2), a_call("b", 5, 2)]
    assert lost(calls, 8, Limits(in_flight=1)) == {"own_code": 4}


def test_what_the_pace_does_not_allow_is_not_lost() -> None:
    calls = [a_call(f"ask#{n}", 0, 1, topic=str(n), paced_s=3.0 * n) for n in range(5)]
    # Twenty a minute: the last of five leaves at 12 s; its own second is all that the bound leaves
    # out.
    found = lost(calls, 13, Limits(in_flight=8, runs=8, requests_per_minute=20))
    assert sum(value.expected for value in found.values()) == pytest.approx(1)


def test_a_batch_without_calls_lost_all_its_time_to_our_own_code() -> None:
    assert lost([], 3, Limits()) == {"own_code": 3}
    assert lost([], 0, Limits()) == {}


def test_each_wait_is_laid_to_its_own_cause() -> None:
    known = {
        "queued_run_s": "per_run",
        "queued_s": "in_flight",
        "paced_s": "pace",
        "budget_s": "budget",
        "outage_s": "outage",
        "stored_s": "own_code",
    }
    assert {field: CAUSE_OF[field] for field in known} == known


def test_every_cause_has_words() -> None:
    assert {*CAUSE_OF.values(), "attempts", "backoff", "provider", "runs", "order"} == set(CAUSES)


seconds = st.floats(0, 50)
in_vain = st.builds(
    FailedTimes,
    elapsed_s=seconds,
    backoff_s=seconds,
    paced_s=seconds,
    queued_s=seconds,
    outage_s=seconds,
)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[list[CallTimes], float, Limits]:
    """Calls on places, one after another on each: what any engine that keeps its limit could have
    left.
    """
    places = draw(st.integers(1, 4))
    calls: list[CallTimes] = []
    ends = []
    for place in range(places):
        at_s = draw(seconds)
        for number in range(draw(st.integers(0, 4))):
            waits = {name: draw(seconds) for name in draw(st.sets(st.sampled_from(WAITS[:5])))}
            stored = {"stored_s": draw(seconds)} if draw(st.booleans()) else {}
            before = draw(st.lists(in_vain, max_size=2).map(tuple))
            wanted_s = at_s - min(at_s, sum(waits.values()))
            kept, left_s = {}, at_s - wanted_s
            for name, value in waits.items():
                kept[name] = min(value, left_s)
                left_s -= kept[name]
            topic = draw(st.sampled_from("tuv"))
            times: dict[str, Any] = {**kept, **stored}
            call = a_call(
                f"part.{place}/ask#{number}",
                wanted_s,
                draw(seconds),
                topic=topic,
                before=before,
                **times,
            )
            calls.append(call)
            at_s = call.end_s + draw(seconds)
        ends.append(at_s)
    rpm = draw(st.sampled_from((None, 100_000)))
    tpm = draw(st.sampled_from((None, 600)))
    limits = Limits(
        in_flight=places, per_run=2, runs=2, requests_per_minute=rpm, tokens_per_minute=tpm
    )
    return calls, max(ends), limits


@given(schedules())
def test_the_bound_is_never_more_than_the_wall_and_the_losses_add_up_to_the_rest(
    schedule: tuple[list[CallTimes], float, Limits],
) -> None:
    calls, wall_s, limits = schedule
    bound = bound_of(calls, limits)
    losses = losses_of(calls, wall_s, bound, limits)
    assert bound.seconds <= wall_s + 1e-4
    assert all(value >= 0 for value in losses.values())
    assert math.fsum(losses.values()) == pytest.approx(max(0.0, wall_s - bound.seconds), abs=1e-6)
