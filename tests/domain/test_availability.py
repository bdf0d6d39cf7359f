"""What a run believes about its provider: suspicion, certainty, probes, and the end of an
outage.
"""

from __future__ import annotations

import math

import pytest

from harness.domain.availability import Availability, Outage
from harness.domain.policy import OutagePolicy

POLICY = OutagePolicy(patience_s=600.0, first_s=1.0, longest_s=60.0)


def failed(
    belief: Availability,
    at: float = 100.0,
    *,
    newest: int = 7,
    probed: bool = False,
    asked_s: float | None = None,
    message: str = "503: busy",
    draw: float = 0.0,
) -> Availability:
    return belief.failed(
        at, newest=newest, kind="server", message=message, probed=probed, asked_s=asked_s, draw=draw
    )


def outage_of(belief: Availability) -> Outage:
    assert belief.outage is not None
    return belief.outage


def suspected() -> Availability:
    """A first failure at 100 s, when request 7 was the last that had been sent; the probe is due at
    100.5 s.
    """
    return failed(Availability(policy=POLICY))


def certain() -> Availability:
    """The probe at 100.5 s has failed at 101 s; the next is due at 101.5 s."""
    return failed(suspected().probing(100.5, draw=0.0), 101.0, probed=True, newest=8)


def test_without_an_outage_nothing_waits_and_nothing_ends() -> None:
    belief = Availability(policy=POLICY)
    assert belief.wait_s(5.0) == 0.0
    assert belief.gives_up_at == math.inf
    assert not belief.asks_too_much
    assert belief.probing(5.0, draw=0.5) is belief
    assert belief.alive(3) is belief


def test_without_patience_no_failure_is_an_outage() -> None:
    impatient = Availability(policy=OutagePolicy(patience_s=0.0))
    assert failed(impatient).outage is None


def test_the_first_failure_is_a_suspicion_and_the_first_probe_leaves_soon() -> None:
    belief = suspected()
    outage = outage_of(belief)
    assert (outage.since, outage.after, outage.certain) == (100.0, 7, False)
    assert belief.wait_s(100.0) == 0.5
    assert belief.wait_s(100.5) == 0.0


def test_a_probe_that_fails_makes_it_certain_where_nothing_else_was_heard() -> None:
    outage = outage_of(certain())
    assert outage.certain
    assert (outage.since, outage.probes, outage.failed_probes, outage.looks) == (100.0, 1, 1, 1)


def test_probes_follow_one_another_at_growing_intervals_whether_or_not_they_fail() -> None:
    belief = suspected()
    waits = []
    at = 100.5
    for _ in range(9):
        belief = belief.probing(at, draw=0.0)
        waits.append(belief.wait_s(at))
        at += waits[-1]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]


def test_life_from_an_older_request_lets_one_more_look_go_and_ends_no_suspicion() -> None:
    belief = suspected().alive(7)
    assert belief.outage is not None
    assert belief.wait_s(100.0) == 0.0
    looked = belief.probing(100.1, draw=0.0)
    # The timer goes on as if that look had not been: it was not its turn.
    assert looked.wait_s(100.1) == pytest.approx(0.4)
    assert outage_of(looked).looks == 0
    assert outage_of(looked).probes == 1


def test_where_older_requests_show_life_it_takes_two_failed_probes_and_three_of_four() -> None:
    belief = suspected().alive(7).probing(100.1, draw=0.0)
    once = failed(belief, 100.2, probed=True)
    assert not outage_of(once).certain
    twice = failed(once.alive(6).probing(100.2, draw=0.0), 100.3, probed=True)
    assert outage_of(twice).certain
    undecided = once
    for _ in range(2):
        undecided = undecided.alive(6).probing(100.2, draw=0.0)
    # Two of three have failed.
    assert not outage_of(failed(undecided, 100.3, probed=True)).certain


def test_once_certain_older_requests_let_nothing_go() -> None:
    belief = certain()
    heard = belief.alive(7)
    assert heard.outage is not None
    assert heard.wait_s(101.0) == belief.wait_s(101.0) == 0.5


def test_a_look_that_was_allowed_is_withdrawn_when_the_outage_becomes_certain() -> None:
    allowed = suspected().probing(100.5, draw=0.0).alive(7).probing(100.6, draw=0.0)
    allowed = failed(allowed, 100.7, probed=True).alive(7)
    assert allowed.wait_s(100.8) == 0.0
    assert failed(allowed, 100.8, probed=True).wait_s(100.8) > 0.0


@pytest.mark.parametrize("belief", [suspected(), certain()], ids=["suspected", "certain"])
def test_life_from_a_later_request_ends_it(belief: Availability) -> None:
    assert belief.alive(8).outage is None


def test_a_server_that_asks_for_time_is_certainly_away_until_then() -> None:
    belief = failed(Availability(policy=POLICY), asked_s=300.0)
    assert outage_of(belief).certain
    assert belief.wait_s(100.0) == 300.0
    assert not belief.asks_too_much
    # What another call is told meanwhile shortens nothing.
    assert failed(belief, 110.0, asked_s=5.0).wait_s(110.0) == 290.0


def test_a_server_that_asks_for_more_than_the_patience_asks_too_much() -> None:
    belief = failed(Availability(policy=POLICY), asked_s=601.0)
    assert belief.asks_too_much
    assert belief.gives_up_at == 700.0


def test_what_failed_last_is_what_is_told() -> None:
    outage = outage_of(failed(suspected(), 102.0, message="502: bad gateway"))
    assert (outage.message, outage.since, outage.after) == ("502: bad gateway", 100.0, 7)


def test_a_policy_waits_only_with_patience() -> None:
    assert OutagePolicy().waits
    assert not OutagePolicy(patience_s=0.0).waits


def test_all_calls_are_lost_after_a_silence_that_fits_what_was_seen() -> None:
    policy = OutagePolicy()
    assert policy.quiet_for_s(10.0, 4) is None
    assert policy.quiet_for_s(10.0, 5) == 120.0
    assert policy.quiet_for_s(60.0, 5) == 300.0
    assert OutagePolicy(patience_s=0.0).quiet_for_s(10.0, 5) is None
