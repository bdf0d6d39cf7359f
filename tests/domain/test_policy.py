from __future__ import annotations

import pytest

from harness.domain.policy import Budget, CacheMode, CachePolicy, Limits, RetryPolicy, within

RETRY = RetryPolicy(base_s=0.5, cap_s=30.0, floor_s=0.05, retry_after_cap_s=120.0)


@pytest.mark.parametrize(
    ("attempt", "draw", "delay_s"),
    [
        (1, 0.0, 0.05),
        (1, 0.5, 0.25),
        (2, 0.5, 0.5),
        (4, 0.5, 2.0),
        (7, 0.5, 15.0),
        (5000, 0.5, 15.0),
    ],
)
def test_the_backoff_is_a_draw_below_a_bound_that_doubles_to_a_cap(
    attempt: int, draw: float, delay_s: float
) -> None:
    assert RETRY.delay_s(attempt=attempt, retry_after_s=None, draw=draw) == delay_s


@pytest.mark.parametrize(
    ("asked_s", "delay_s"), [(10.0, 10.0), (0.001, 0.05), (7200.0, 120.0), (float("inf"), 120.0)]
)
def test_what_the_server_asks_for_is_kept_within_bounds(asked_s: float, delay_s: float) -> None:
    assert RETRY.delay_s(attempt=1, retry_after_s=asked_s, draw=0.0) == delay_s
    assert RETRY.delay_s(attempt=1, retry_after_s=asked_s, draw=1.0) == pytest.approx(delay_s * 1.1)
    assert RETRY.pause_s(streak=9, retry_after_s=asked_s) == delay_s


@pytest.mark.parametrize("asked_s", [None, 0.0, -3.0, float("nan"), float("-inf")])
def test_what_is_no_time_is_not_asked_for(asked_s: float | None) -> None:
    assert RETRY.delay_s(attempt=3, retry_after_s=asked_s, draw=0.5) == 1.0
    assert RETRY.pause_s(streak=3, retry_after_s=asked_s) == 2.0


@pytest.mark.parametrize(
    ("mode", "fresh", "old", "old_own", "stores"),
    [
        ("off", False, False, False, False),
        ("read_write", True, False, True, True),
        ("refresh", False, False, True, True),
        ("replay", True, True, True, False),
    ],
)
def test_which_entries_answer_in_which_mode(
    mode: CacheMode, fresh: bool, old: bool, old_own: bool, stores: bool
) -> None:
    policy = CachePolicy(mode=mode, ttl_s=60.0)
    assert policy.answers(age_s=60.0, owned_by_run=False) is fresh
    assert policy.answers(age_s=60.1, owned_by_run=False) is old
    assert policy.answers(age_s=60.1, owned_by_run=True) is old_own
    assert policy.stores is stores


def test_twice_as_many_topics_as_calls_in_flight_are_open_where_nobody_says_how_many() -> None:
    assert Limits(in_flight=5).open_runs == 10
    assert Limits(in_flight=5, runs=3).open_runs == 3


def test_without_a_ttl_nothing_ages() -> None:
    assert CachePolicy().answers(age_s=1e9, owned_by_run=False)


@pytest.mark.parametrize(
    ("budget", "allowed"),
    [
        (Budget(), True),
        (Budget(cost=2.0), True),
        (Budget(cost=1.99), False),
        (Budget(tokens=9), False),
    ],
)
def test_a_budget_allows_what_stays_within_each_cap(budget: Budget, allowed: bool) -> None:
    assert budget.allows(cost=2.0, tokens=10) is allowed


def test_an_endpoint_has_no_more_calls_in_flight_than_its_run() -> None:
    run = Limits(in_flight=8)
    assert within(run, Limits(in_flight=64, requests_per_minute=60)) == Limits(
        in_flight=8, requests_per_minute=60
    )
    assert within(run, Limits(in_flight=1)) == Limits(in_flight=1)
