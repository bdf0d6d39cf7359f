from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from harness.domain.pace import Bucket, Pace, Window
from harness.domain.policy import Limits, RetryPolicy

News = st.one_of(
    st.tuples(st.just("success")),
    st.tuples(st.just("pause")),
    st.tuples(st.just("full"), st.floats(0.0, 1.0)),
    st.tuples(st.just("slack"), st.floats(0.0, 1.0)),
    st.tuples(
        st.just("refusal"),
        st.integers(-1, 3000),
        st.none() | st.integers(-3, 3000),
        st.booleans(),
        st.integers(0, 5),
    ),
)


@given(maximum=st.integers(1, 2000), news=st.lists(News, max_size=60))
def test_a_window_never_has_less_than_one_place_or_more_than_its_maximum(
    maximum: int, news: list[tuple[object, ...]]
) -> None:
    window, now, newest = Window.opening(maximum), 0.0, 0
    for item in news:
        before = window
        match item:
            case ("success",):
                window = window.succeeded()
                assert window.size >= before.size
            case ("pause",):
                window = window.paused()
                assert window.slots <= before.slots or before.opened < Window.RAMP_START
            case ("full" | "slack" as kind, float(passed)):
                now += passed
                window = window.seen(now, full=kind == "full")
                assert window.slots <= 2 * before.slots
            case ("refusal", int(others), int() | None as named, bool(by_rate), int(late)):
                newest += 1
                number = max(1, newest - late)
                window = window.refused(
                    number=number, newest=newest, others=others, named=named, by_rate=by_rate
                )
                assert window.slots <= before.slots or before.is_opening
                assert window.size <= before.size
        assert 1 <= window.slots <= maximum


@given(maximum=st.integers(1, 2000), others=st.integers(0, 2000), named=st.integers(1, 2000))
def test_a_named_limit_is_never_passed_by_the_window_that_heard_it(
    maximum: int, others: int, named: int
) -> None:
    window = Window.opening(maximum).refused(
        number=1, newest=1, others=others, named=named, by_rate=False
    )
    assert window.slots <= named


@given(maximum=st.integers(1, 300), carried=st.integers(1, 300))
def test_whatever_was_refused_the_window_comes_back_to_its_maximum(
    maximum: int, carried: int
) -> None:
    window = Window.opening(maximum).refused(
        number=1, newest=1, others=carried, named=None, by_rate=False
    )
    for _ in range(20_000):
        if window.slots == maximum:
            break
        window = window.succeeded()
    assert window.slots == maximum


@given(
    per_minute=st.floats(0.5, 1e6),
    gaps=st.lists(st.floats(0.0, 120.0) | st.just(0.0), min_size=1, max_size=80),
)
def test_the_rate_over_any_window_is_at_most_the_limit_and_a_burst(
    per_minute: float, gaps: list[float]
) -> None:
    bucket, now, sent = Bucket.full(per_minute), 0.0, []
    for gap in gaps:
        now += gap
        now += bucket.wait_s(now)
        bucket = bucket.filled(now).taken(1)
        sent.append(now)
    burst = max(1.0, per_minute / 60)
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            allowed = (sent[last] - sent[first]) * per_minute / 60 + burst
            assert last - first + 1 <= allowed * (1 + 1e-9) + 1e-6


@given(costs=st.lists(st.integers(0, 50_000), min_size=1, max_size=50), tpm=st.integers(60, 10**6))
def test_tokens_that_are_corrected_keep_to_the_rate_in_the_long_run(
    costs: list[int], tpm: int
) -> None:
    pace, now, used = Pace.of(Limits(tokens_per_minute=tpm)), 0.0, 0
    for cost in costs:
        now += pace.wait_s(now)
        # What went before this call fits into the time that has passed and one burst.
        assert used <= now * tpm / 60 + max(1.0, tpm / 60) + 1
        pace = pace.sent(now, tokens=1000).corrected(cost - 1000)
        used += cost


@given(
    attempt=st.integers(1, 10**6),
    asked_s=st.none() | st.floats(allow_nan=True, allow_infinity=True),
    draw=st.floats(0.0, 1.0, exclude_max=True),
)
def test_a_delay_is_within_its_bounds_whatever_a_server_says(
    attempt: int, asked_s: float | None, draw: float
) -> None:
    policy = RetryPolicy()
    for delay_s in (
        policy.delay_s(attempt=attempt, retry_after_s=asked_s, draw=draw),
        policy.pause_s(streak=attempt, retry_after_s=asked_s),
    ):
        assert math.isfinite(delay_s)
        assert policy.floor_s <= delay_s <= policy.retry_after_cap_s * 1.1
