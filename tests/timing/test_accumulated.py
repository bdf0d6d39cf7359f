from __future__ import annotations

from itertools import groupby
from operator import attrgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.domain.policy import Limits
from harness.timing import accumulated
from harness.timing.accumulated import Accumulated
from harness.timing.bounds import CallTimes, FailedTimes, bound_of
from harness.timing.losses import losses_of

SECONDS = st.integers(0, 40).map(lambda quarter: quarter / 4)


@st.composite
def calls_of_topics(draw: st.DrawFn) -> list[CallTimes]:
    """Calls of a few topics, those of a topic together."""
    calls = []
    for topic in range(draw(st.integers(0, 6))):
        for call in range(draw(st.integers(1, 4))):
            start_s, waited_s, service_s = draw(SECONDS), draw(SECONDS), draw(SECONDS)
            before = draw(st.lists(st.builds(FailedTimes, elapsed_s=SECONDS), max_size=2))
            in_vain_s = sum(one.elapsed_s for one in before)
            calls.append(
                CallTimes(
                    topic_id=f"t{topic}",
                    id=f"part.{call}/ask",
                    step="ask",
                    start_s=start_s,
                    end_s=start_s + waited_s + in_vain_s + service_s,
                    service_s=service_s,
                    queued_s=waited_s,
                    before=tuple(before),
                    tokens=draw(st.integers(0, 1000)),
                    sent=draw(st.booleans()),
                )
            )
    return calls


def accumulated_of(calls: list[CallTimes]) -> Accumulated:
    found = Accumulated()
    for _, topic in groupby(calls, key=attrgetter("topic_id")):
        found.add(list(topic))
    return found


@settings(max_examples=150)
@given(calls_of_topics(), st.integers(1, 4), st.sampled_from([None, 60, 6000]))
def test_topic_by_topic_comes_to_the_same_bound_and_losses_as_all_at_once(
    calls: list[CallTimes], in_flight: int, per_minute: int | None
) -> None:
    limits = Limits(
        in_flight=in_flight, requests_per_minute=per_minute, tokens_per_minute=per_minute
    )
    wall_s = max((call.end_s for call in calls), default=0.0)
    found, bound = accumulated_of(calls), bound_of(calls, limits)
    assert found.bound(limits) == bound
    assert found.losses(wall_s, bound, limits) == losses_of(calls, wall_s, bound, limits)


def test_more_events_than_are_held_at_once_are_merged_in_the_order_of_time() -> None:
    # Late topics first: each run of events that was sorted lies across all the others.
    many = accumulated.EVENTS_HELD // 4
    calls = []
    for number in range(many):
        start_s = float((number * 7919) % many)
        call = CallTimes(
            topic_id=f"t{number}", id="ask", step="ask", start_s=start_s, end_s=start_s + 1.5,
            service_s=1.5,
        )  # fmt: skip
        calls.append(call)
    limits = Limits(in_flight=4)
    bound = bound_of(calls, limits)
    found = accumulated_of(calls).losses(many + 0.5, bound, limits)
    assert found == losses_of(calls, many + 0.5, bound, limits)
    # By hand: after the first, two calls at a time for half of each second; four places.
    assert sum(found.values()) == pytest.approx(many + 0.5 - 1.5 * many / 4)


def test_a_topic_without_calls_adds_nothing() -> None:
    found, limits = Accumulated(), Limits(in_flight=2)
    found.add([])
    assert found.bound(limits) == bound_of([], limits)
