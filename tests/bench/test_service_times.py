"""The provider's own times beside those that the topic felt, and its share in an arm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from benches import PARALLEL, SEQUENTIAL, a_bench, a_call, a_round, known
from nights import recorded

from harness.bench.bench_report import StepFigures
from harness.bench.description import Met
from harness.bench.measured import Measured, measured_from_span
from harness.bench.numbers import report_of
from harness.bench.provider_share import met_in_round
from harness.bench.tables import csv_of, markdown_of
from harness.records.run import Run
from harness.testing.deepseek.fake import FakeDeepSeek
from harness.testing.deepseek.latency import Latency
from harness.testing.transport import FakeTransport


def step_of(*calls: Measured) -> StepFigures:
    """The figures of the step of `batch-2`, with these calls in it."""
    return report_of(a_bench([*a_round()[:2], *calls])).arms[1].steps[0]


def waiting(topic: str = "t", **fields: Any) -> Measured:
    """Wanted at 0, sent at 3, its first token at 4, whole at 9."""
    return a_call("batch-2", topic, 0, 9, queued_s=3, **{"ttft_answer_s": 4.0, **fields})


def test_times_from_sent_leave_out_the_wait_that_those_from_wanted_have() -> None:
    step = step_of(waiting("t"), waiting("u"))

    assert (known(step.total_s).p50, known(step.service_s).p50) == (9, 6)
    assert (known(step.ttft_answer_s).p50, known(step.sent_ttft_answer_s).p50) == (4, 1)


def test_the_time_between_tokens_is_that_after_the_first_by_their_number() -> None:
    # Ten tokens: the first a second after it was sent, the other nine in five more.
    step = step_of(waiting("t"), waiting("u"))

    assert known(step.inter_token_s).p50 == pytest.approx(5 / 9)
    assert known(step.output_tokens_per_s).p50 == pytest.approx(10 / 6)


def test_what_was_not_streamed_has_no_time_between_tokens() -> None:
    step = step_of(waiting("t", ttft_answer_s=None), waiting("u", ttft_answer_s=None))

    assert step.inter_token_s is None
    assert known(step.service_s).count == 2


def test_a_call_that_failed_or_came_from_a_cache_has_no_times_of_the_provider() -> None:
    step = step_of(
        a_call("batch-2", "t", 0, 4, failed=True, service_s=0.0, ttft_answer_s=None),
        a_call("batch-2", "u", 0, 4),
    )

    assert known(step.service_s).count == 1
    assert known(step.total_s).count == 2


def test_percentiles_are_told_in_all_forms() -> None:
    report = report_of(a_bench([*a_round()[:2], waiting("t"), waiting("u")]))

    header = csv_of(report).splitlines()[0].split(",")
    for name in ("service", "sent_ttft_answer", "inter_token", "total"):
        for share in ("p50", "p90", "p95", "p99"):
            assert f"{name}_{share}_s" in header
    assert "| batch-2 | ask | total | 6.00 / 6.00 / 6.00 / 6.00 | 9.00 / 9.00" in markdown_of(
        report
    )


def test_the_bound_with_a_hidden_limit_is_that_of_its_slots() -> None:
    # Two calls of 4 s and 6 s on a provider with room for one: 10 s is the least possible.
    calls = [
        *a_round()[:2],
        a_call("batch-2", "t", 0, 4),
        a_call("batch-2", "u", 0, 10, queued_s=4),
    ]
    met = (Met(arm="batch-2", round=1, refusals=3, limit=1),)

    parallel = report_of(a_bench(calls, met=met)).arms[1]

    assert parallel.efficiency == pytest.approx(0.6)
    found = known(parallel.provider)
    assert (found.refusals, found.limit, found.slots) == (3, 1, 1)
    assert (found.bound_s, found.efficiency) == (10, 1.0)
    assert "| batch-2 | 3 | 0 ms | 1 | 1 of 2 | 10.0 s | 100% |" in markdown_of(
        report_of(a_bench(calls, met=met))
    )


def test_without_refusals_all_slots_were_to_be_had_and_no_table_says_so() -> None:
    report = report_of(a_bench(a_round()))

    found = known(report.arms[1].provider)
    assert (found.refusals, found.slots, found.efficiency) == (0, 2, report.arms[1].efficiency)
    assert "slots to be had" not in markdown_of(report)


def test_the_limit_that_a_round_showed_is_found(tmp_path: Path) -> None:
    fake = FakeDeepSeek(
        concurrency_limit=5,
        announce_limit=False,
        latency=Latency.parse("lognormal:5:0.4"),
        delta_tokens=50,
        log_size=0,
    )
    recorded(tmp_path, 20, transport=FakeTransport(fake), latency="lognormal:5:0.4", in_flight=32)

    met = known(met_in_round(Run.open(tmp_path / "out"), arm="batch-32", number=1))

    assert met.refusals > 0
    assert (met.limit, met.named) == (5, False)


@dataclass
class Referee(httpx2.AsyncBaseTransport):
    """The mock, and the time of each of its pieces on the way to the client.

    `streams` are the times after the request at which pieces with a token, and the end, went out.
    """

    inner: FakeTransport
    streams: list[list[float]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        loop = asyncio.get_running_loop()
        began = loop.time()
        response = await self.inner.handle_async_request(request)
        times: list[float] = []
        self.streams.append(times)

        async def watched() -> AsyncIterator[bytes]:
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            async for data in response.stream:
                text = data.decode()
                if '"reasoning_content":"' in text or '"content":"' in text:
                    times.append(loop.time() - began)
                yield data

        return httpx2.Response(
            response.status_code, headers=response.headers, stream=_Stream(watched())
        )


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


@pytest.mark.parametrize("latency", ["fixed:1", "lognormal:1:0.6", "per-token:0.5:0.01"])
def test_the_figures_are_those_of_the_servers_own_log(tmp_path: Path, latency: str) -> None:
    fake = FakeDeepSeek(latency=Latency.parse(latency), log_size=0)
    referee = Referee(FakeTransport(fake))
    recorded(tmp_path, 2, transport=referee, latency=latency, in_flight=3)

    run = Run.open(tmp_path / "out")
    calls = [measured_from_span(span, arm="a", round_=1, origin_s=0.0) for span in run.spans()]

    streams = [times for times in referee.streams if times]
    assert len(calls) == len(streams) > 10
    ours = sorted(
        min(one for one in (call.sent_ttft_reasoning_s, call.sent_ttft_answer_s) if one is not None)
        for call in calls
    )
    assert ours == pytest.approx(sorted(times[0] for times in streams), abs=3e-6)
    assert sorted(known(call.service_s) for call in calls) == pytest.approx(
        sorted(times[-1] for times in streams), abs=3e-6
    )
    assert sorted(known(call.inter_token_s) for call in calls) == pytest.approx(
        sorted((times[-1] - times[0]) / (len(times) - 1) for times in streams), abs=3e-6
    )


def test_arms_of_the_same_calls_have_the_same_times_from_sent() -> None:
    report = report_of(a_bench([*a_round(), *a_round(2)], repeat=2))

    sequential, parallel = report.arms
    assert sequential.name == SEQUENTIAL.name
    assert parallel.name == PARALLEL.name
    assert sequential.steps[0].service_s == parallel.steps[0].service_s
