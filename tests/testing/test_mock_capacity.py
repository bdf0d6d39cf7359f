"""The mock as a server that queues, held against queueing theory."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from batches import a_topic_file, a_workflow, run

from harness.records.run import Run
from harness.testing.deepseek.fake import FakeDeepSeek
from harness.testing.deepseek.latency import Latency
from harness.testing.deepseek.server_state import Places
from harness.testing.transport import FakeTransport


def test_the_first_to_come_is_the_first_to_be_served() -> None:
    places = Places(2)

    waits = [places.wait_s(0.0, takes_s=seconds) for seconds in (3.0, 5.0, 1.0, 1.0)]

    # Both places are taken at 0; one is free at 3, and again at 4.
    assert waits == [0.0, 0.0, 3.0, 4.0]
    assert places.wait_s(20.0, takes_s=1.0) == 0.0


def mean_wait_s(places: Places, rate: float, service: list[float], seed: int) -> float:
    """The mean wait of requests that come at random, so many a second on average."""
    draws = random.Random(seed)
    at_s, waits = 0.0, []
    for takes_s in service:
        at_s += draws.expovariate(rate)
        waits.append(places.wait_s(at_s, takes_s=takes_s))
    return math.fsum(waits) / len(waits)


def erlang_c(servers: int, load: float) -> float:
    """The share of requests that wait in M/M/c (A. K. Erlang, 1917); `load` is λ / μ."""
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(load**n / math.factorial(n) for n in range(servers)) + last)


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.5), (4, 3.0), (16, 13.0)])
def test_the_mean_wait_of_random_service_is_that_of_m_m_c(servers: int, rate: float) -> None:
    draws = random.Random(1)
    service = [draws.expovariate(1.0) for _ in range(200_000)]

    found = mean_wait_s(Places(servers), rate, service, seed=2)

    expected = erlang_c(servers, rate) / (servers - rate)
    # Waits in a queue depend on those before: of so many draws the mean still varies by some
    # hundredths.
    assert found == pytest.approx(expected, rel=0.06)


def test_the_mean_wait_of_fixed_service_is_half_of_that() -> None:
    found = mean_wait_s(Places(1), 0.5, [1.0] * 200_000, seed=3)

    # Pollaczek and Khinchine: ρ / (2 (1 − ρ)) of the time of one service.
    assert found == pytest.approx(0.5 / (2 * (1 - 0.5)), rel=0.04)


@pytest.mark.harness_virtual_time
async def test_calls_beyond_the_capacity_wait_in_silence_and_none_is_refused(
    tmp_path: Path,
) -> None:
    fake = FakeDeepSeek(capacity=2, latency=Latency.parse("fixed:4"), delta_tokens=50, log_size=0)

    report = await run(
        tmp_path,
        a_topic_file(tmp_path, 6),
        transport=FakeTransport(fake),
        workflow=a_workflow(tmp_path),
        in_flight=6,
    )

    assert report.limiter.refusals == 0
    ends = sorted(round(span.end_s, 6) for span in Run.open(tmp_path / "out").spans())
    assert ends == [4, 4, 8, 8, 12, 12]
