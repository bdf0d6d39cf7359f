from __future__ import annotations

import asyncio
from dataclasses import replace

import anyio
import pytest
from fakes import a_call, a_request

from harness.domain.call import Call
from harness.domain.completion import FailedAttempt, Usage
from harness.domain.failures import CompletionError, PermanentError, TransientError
from harness.domain.policy import RetryPolicy
from harness.simulation.endpoint import FittedEndpoint
from harness.simulation.fit import Sample, fit_steps
from harness.simulation.recorded import RecordedCall

pytestmark = pytest.mark.harness_virtual_time

USAGE = Usage(input_tokens=10, output_tokens=100)
CALL = RecordedCall(
    step="ask",
    key="",
    request=a_request(),
    usage=USAGE,
    duration_s=3.0,
    ttft_s=None,
    failures=(),
    error=None,
    sent=True,
    after=(),
    gap_s=0.0,
)
RESET = FailedAttempt(
    number=1, kind="connection", message="reset", elapsed_s=0.5, usage=None, cost=None
)
CUT = FailedAttempt(number=2, kind="length", message="cut", elapsed_s=4.0, usage=USAGE, cost=0.25)
REFUSED = FailedAttempt(
    number=1, kind="rate_limited", message="slow down", status=429, usage=Usage()
)
FITS = fit_steps([Sample(step="ask", output_tokens=100, duration_s=3.0)])


def an_endpoint(
    call: RecordedCall, *, limit: int | None = None, refusal_s: float = 0.0
) -> FittedEndpoint:
    def found(_: Call) -> RecordedCall:
        return call

    return FittedEndpoint(
        found, FITS, seed=0, limit=limit, refusal_s=refusal_s, retry=RetryPolicy()
    )


def now() -> float:
    return asyncio.get_running_loop().time()


async def the_error(endpoint: FittedEndpoint) -> CompletionError:
    with pytest.raises(CompletionError) as raised:
        await endpoint.complete(a_request(), a_call(span_id="0"))
    return raised.value


async def test_an_answer_takes_its_time_and_has_the_recorded_tokens() -> None:
    endpoint, began = an_endpoint(CALL), now()

    answer = await endpoint.complete(a_request(), a_call(span_id="0"))

    assert now() - began == answer.served.latency_s == 3.0
    assert answer.usage == USAGE
    assert endpoint.traffic.busy_s == 3.0
    assert list(endpoint.answered_tokens) == [110]


async def test_a_call_meets_its_recorded_failures_in_their_order_and_then_its_answer() -> None:
    endpoint, began = an_endpoint(replace(CALL, failures=(RESET,))), now()

    error = await the_error(endpoint)

    assert (type(error), error.kind, error.billed) == (TransientError, "connection", "unknown")
    assert now() - began == 0.5
    assert (await endpoint.complete(a_request(), a_call(span_id="0"))).usage == USAGE


async def test_a_call_that_failed_for_good_is_permanent_at_its_last_failure_only_and_costs_what_it_cost() -> (
    None
):
    endpoint = an_endpoint(replace(CALL, failures=(RESET, CUT), error="PermanentError"))

    first, last = await the_error(endpoint), await the_error(endpoint)

    assert isinstance(first, TransientError)
    assert isinstance(last, PermanentError)
    assert (last.billed, last.partial and last.partial.usage) == ("yes", USAGE)


async def test_a_call_that_was_given_up_fails_however_often_it_is_tried() -> None:
    endpoint = an_endpoint(replace(CALL, failures=(RESET,), error="TransientError"))

    assert {(await the_error(endpoint)).kind for _ in range(7)} == {"connection"}


async def test_recorded_refusals_are_met_again_where_no_limit_explains_them() -> None:
    endpoint = an_endpoint(replace(CALL, failures=(REFUSED,)))

    error = await the_error(endpoint)

    assert (error.kind, error.status, error.billed, str(error)) == (
        "rate_limited",
        429,
        "no",
        "slow down",
    )
    assert endpoint.traffic.refusals == 1


async def test_under_a_limit_only_the_limit_refuses() -> None:
    endpoint = an_endpoint(replace(CALL, failures=(REFUSED, RESET)), limit=1)

    assert (await the_error(endpoint)).kind == "connection"
    assert (await endpoint.complete(a_request(), a_call(span_id="0"))).usage == USAGE
    assert endpoint.traffic.refusals == 0


@pytest.mark.parametrize(
    ("slept_s", "asked_s"),
    [
        (0.4, None),  # full jitter sleeps up to 0.5 s after the first failure
        (21.0, pytest.approx(20.0)),  # nobody sleeps so long unless asked to
    ],
)
async def test_a_sleep_that_is_longer_than_the_backoff_was_asked_for(
    slept_s: float, asked_s: float | None
) -> None:
    error = await the_error(
        an_endpoint(replace(CALL, failures=(replace(REFUSED, backoff_s=slept_s),)))
    )

    assert isinstance(error, TransientError)
    assert error.retry_after_s == asked_s


async def test_beyond_its_limit_it_refuses_after_the_recorded_time_and_names_the_limit() -> None:
    endpoint, began = an_endpoint(CALL, limit=1, refusal_s=0.25), now()

    async with anyio.create_task_group() as group:
        group.start_soon(
            endpoint.complete, a_request(), a_call(topic_id="other", priority=1, span_id="0")
        )
        await asyncio.sleep(0)
        error = await the_error(endpoint)
        assert now() - began == 0.25

    assert isinstance(error, TransientError)
    assert (error.status, error.concurrency_limit) == (429, 1)
    assert (endpoint.traffic.requests, endpoint.traffic.refusals, endpoint.traffic.busy_s) == (
        2,
        1,
        3.0,
    )


async def test_the_same_place_draws_the_same_time_under_every_limit() -> None:
    fits = fit_steps(
        Sample(step="ask", output_tokens=100, duration_s=float(took)) for took in range(1, 60)
    )

    async def times(limit: int | None) -> list[float]:
        endpoint = FittedEndpoint(
            lambda _: CALL, fits, seed=4, limit=limit, refusal_s=0.0, retry=RetryPolicy()
        )
        return [
            (
                await endpoint.complete(a_request(), a_call(priority=topic, span_id="0"))
            ).served.latency_s
            for topic in range(20)
        ]

    assert await times(1) == await times(None)
    assert len(set(await times(1))) > 5
