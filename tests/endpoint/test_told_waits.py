"""Where a server tells how long to wait, in every form; and nothing that is no wait is taken for
one.
"""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest
from _chat import NOON, Server
from hypothesis import example, given
from hypothesis import strategies as st

from harness.domain.failures import TransientError
from harness.endpoint import told_waits
from harness.endpoint.error_report import report_of_body

NOON_S = NOON.timestamp()
DATE = "Mon, 16 Nov 2026 12:00:30 GMT"


def body(message: str = "slow down", **fields: Any) -> bytes:
    return json.dumps({"error": {"message": message, **fields}}).encode()


HEADERS: list[tuple[dict[str, str], float | None]] = [
    ({"retry-after": "3"}, 3.0),
    ({"retry-after": " 1.5 "}, 1.5),
    ({"retry-after": "20s"}, 20.0),
    ({"retry-after": "86400"}, 86_400.0),
    ({"retry-after": str(int(NOON_S) + 90)}, 90.0),
    ({"retry-after": "2026-11-16T12:01:00Z"}, 60.0),
    ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
    ({"retry-after": DATE}, 30.0),
    ({"retry-after": DATE, "date": "Mon, 16 Nov 2026 12:00:20 GMT"}, 10.0),
    ({"retry-after": DATE, "date": "today"}, 30.0),
    # Behind a gateway
    ({"llm_provider-retry-after": "7"}, 7.0),
    ({"llm_provider-retry-after": "7", "retry-after": "2"}, 2.0),
    ({"x-ms-retry-after-ms": "1500"}, 1.5),
    ({"x-upstream-retry-after-ms": "1500", "x-upstream-retry-after": "9"}, 1.5),
    # Resets
    ({"x-ratelimit-reset": "12"}, 12.0),
    ({"x-ratelimit-reset": "12.5"}, 12.5),
    ({"x-ratelimit-reset": str(int(NOON_S) + 60)}, 60.0),
    ({"x-ratelimit-reset": str((int(NOON_S) + 60) * 1000)}, 60.0),
    ({"x-ratelimit-reset": "2026-11-16T12:02:00Z"}, 120.0),
    ({"x-ratelimit-reset": "2026-11-16T13:00:00+01:00"}, 0.0),
    ({"x-ratelimit-reset": "2026-11-16 12:02:00"}, 120.0),
    ({"x-ratelimit-reset-requests": "1m30s"}, 90.0),
    ({"x-ratelimit-reset-tokens": "6h0m0s"}, 21_600.0),
    ({"x-ratelimit-reset-tokens": "120ms"}, 0.12),
    ({"x-ratelimit-reset-tokens": "7.66s"}, 7.66),
    ({"x-ratelimit-reset-requests-day": "33011.38"}, 33_011.38),
    ({"x-rate-limit-reset": "4"}, 4.0),
    ({"ratelimit-reset": "4"}, 4.0),
    ({"llm_provider-x-ratelimit-reset-tokens": "4s"}, 4.0),
    ({"anthropic-ratelimit-requests-reset": "2026-11-16T12:00:09Z"}, 9.0),
    ({"x-ratelimit-reset": "12", "retry-after": "2"}, 2.0),
    # None
    ({"retry-after": "Mon, 16 Nov 2026 11:59:00 GMT"}, None),
    ({"x-ratelimit-reset": str(int(NOON_S) - 1)}, None),
    ({"x-ratelimit-reset": "2026-11-16T11:59:59Z"}, None),
    ({"x-ratelimit-reset": "-4"}, None),
    ({"x-ratelimit-reset": "NaN"}, None),
    ({"x-ratelimit-reset": "inf"}, None),
    ({"x-ratelimit-reset": "1m tomorrow"}, None),
    ({"x-ratelimit-limit": "50", "x-ratelimit-remaining": "0"}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": "3 attempts"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), HEADERS, ids=lambda value: str(value)[:60])
async def test_a_wait_in_a_header_is_found(headers: dict[str, str], seconds: float | None) -> None:
    error = await Server([b""], status=429, headers=headers).failure()
    assert isinstance(error, TransientError)
    assert error.retry_after_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        # The one of which nothing remains, though the other takes longer.
        (
            {
                "reset-requests": "5s",
                "remaining-requests": "0",
                "reset-tokens": "60s",
                "remaining-tokens": "900",
            },
            5.0,
        ),
        # Both are exhausted: the one that takes longer.
        (
            {
                "reset-requests": "5s",
                "remaining-requests": "0",
                "reset-tokens": "60s",
                "remaining-tokens": "0",
            },
            60.0,
        ),
        # Nothing is exhausted, but the request was larger than what remains of the tokens.
        (
            {
                "reset-requests": "90s",
                "remaining-requests": "499",
                "limit-requests": "500",
                "reset-tokens": "20s",
                "remaining-tokens": "300",
                "limit-tokens": "30000",
            },
            20.0,
        ),
        # Nothing tells which: the longest, as a wait that is too short costs an attempt.
        ({"reset-requests": "5s", "reset-tokens": "60s"}, 60.0),
        # A minute is exhausted, the day is not.
        (
            {
                "reset-requests-day": "33011",
                "remaining-requests-day": "14000",
                "reset-tokens-minute": "11",
                "remaining-tokens-minute": "-20",
            },
            11.0,
        ),
    ],
)
async def test_of_several_limits_the_one_that_refused_is_waited_for(
    headers: dict[str, str], seconds: float
) -> None:
    named = {f"x-ratelimit-{name}": value for name, value in headers.items()}
    error = await Server([b""], status=429, headers=named).failure()
    assert error.retry_after_s == seconds


async def test_a_reset_is_no_wait_where_the_refusal_is_about_something_else() -> None:
    error = await Server([b""], status=503, headers={"x-ratelimit-reset": "60"}).failure()
    assert error.retry_after_s is None


BODIES: list[tuple[bytes, float | None]] = [
    (body(details=[{"retryDelay": "3.2s"}]), 3.2),
    (b"[" + body(details=[{"retryDelay": "3.2s"}]) + b"]", 3.2),
    (body(retry_after=20), 20.0),
    (body(retry_after="20"), 20.0),
    (body(retryAfter="1m"), 60.0),
    (body(retry_after_ms=250), 0.25),
    (body(retryAfterMs="250"), 0.25),
    (body(retry_after_seconds=4), 4.0),
    (body(resets_at=NOON_S + 30), 30.0),
    (body(reset_at="2026-11-16T12:00:40Z"), 40.0),
    (body(resetAt=(NOON_S + 30) * 1000), 30.0),
    (body(resets_in_seconds=15), 15.0),
    (body(quotaResetDelay="3h20m15.5s"), 12_015.5),
    (body(metadata={"headers": {"X-RateLimit-Reset": str(int(NOON_S + 6) * 1000)}}), 6.0),
    (body(metadata={"headers": {"Retry-After": 8}}), 8.0),
    (body(metadata={"retry_after_seconds": 8}), 8.0),
    (json.dumps({"message": "x", "retry_after": 2.5}).encode(), 2.5),
    # In words
    (body("Please try again in 1.5s."), 1.5),
    (body("Please try again in 20s"), 20.0),
    (body("Please try again in 6m0s. Visit us."), 360.0),
    (body("Please try again in 7.66s, or"), 7.66),
    (body("try again in 2h"), 7200.0),
    (body("retry in 12 seconds"), 12.0),
    (body("Retry after 1 minute and 5 seconds"), 65.0),
    (body("Please wait 43 seconds before retrying"), 43.0),
    (body("please try again after 1 seconds"), 1.0),
    (body("Your limit resets in 2 hours, 5 minutes."), 7500.0),
    (body("It will be available again at 2026-11-16 12:10 UTC"), 600.0),
    (body("retry after 30."), 30.0),
    (b"Slow down. Retry-After: 9", 9.0),
    (body("an upstream said {'retryDelay': '32s'}"), 32.0),
    (body("请在 15 秒后重试"), 15.0),
    # None
    (body("gave up after 3 attempts; retry after 3 attempts"), None),
    (body("try again later"), None),
    (body(retry_after=-4), None),
    (body(retry_after=float("nan")), None),
    (body(retry_after=True), None),
    (body(retry_after=None), None),
    (body(retry_after=[4]), None),
    (body(resets_at=NOON_S - 30), None),
    (body(request={"retry_after": 4}), None),
    (body(input="try again in 4s"), None),
]


@pytest.mark.parametrize(("said", "seconds"), BODIES, ids=lambda value: str(value)[:80])
async def test_a_wait_in_a_body_is_found(said: bytes, seconds: float | None) -> None:
    error = await Server([said], status=429).failure()
    assert error.retry_after_s == pytest.approx(seconds)


async def test_a_date_counts_from_the_servers_own_clock() -> None:
    """Ours, or theirs, may be an hour wrong: the wait is the same."""
    headers = {
        "date": "Mon, 16 Nov 2026 11:00:00 GMT",
        "x-ratelimit-reset": str(int(NOON_S) - 3600 + 45),
    }
    error = await Server([b""], status=429, headers=headers).failure()
    assert error.retry_after_s == 45.0


NAMES = [
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-reset",
    "x-ratelimit-remaining",
    "date",
    "a-retry-after",
]
values = (
    st.text(max_size=30) | st.floats().map(str) | st.integers().map(str) | st.datetimes().map(str)
)


@given(st.dictionaries(st.sampled_from(NAMES), values), st.binary(max_size=80), st.booleans())
@example({"retry-after": "9" * 400}, b"", True)
@example({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, b"", True)
@example(
    {"retry-after": "9999-12-31T23:59:59-23:59", "date": "Mon, 01 Jan 0001 00:00:00 +2359"},
    b"",
    True,
)
@example({"x-ratelimit-reset": "1e19"}, b"", True)
@example({}, b'{"error":{"retry_after":' + b"9" * 5000 + b"}}", True)
@example({}, b'{"retry_after":1e999,"message":"try again in 999999999999h"}', True)
@example({}, b'{"resets_at":"0001-01-01T00:00:00+23:59"}', True)
def test_any_bytes_are_no_wait_or_a_number_of_seconds(
    headers: dict[str, str], said: bytes, limited: bool
) -> None:
    report = report_of_body(said)
    for seconds in (
        told_waits.wait_s(report, headers, now=NOON, limited=limited),
        told_waits.longest_wait_s(report, headers, now=NOON),
    ):
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(st.integers(min_value=0, max_value=10**8))
def test_an_instant_and_what_is_left_until_it_are_the_same_wait(left_s: int) -> None:
    until = NOON + timedelta(seconds=left_s)
    report = report_of_body(b"")
    for told in (
        str(left_s),
        str(int(until.timestamp())),
        str(int(until.timestamp()) * 1000),
        until.isoformat(),
    ):
        assert (
            told_waits.wait_s(report, {"x-ratelimit-reset": told}, now=NOON, limited=True) == left_s
        )
