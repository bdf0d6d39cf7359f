"""Latencies and faults as functions of content."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from harness.errors import SettingsError
from harness.testing import FakeDeepSeek, Fault, FaultPlan, Latency

DIGESTS = [number.to_bytes(32, "big") for number in range(2000)]


@pytest.mark.parametrize(
    "text", ["none", "fixed:0.2", "uniform:8:12", "lognormal:5:0.4", "per-token:0.5:0.02"]
)
def test_a_latency_is_written_as_it_is_read(text: str) -> None:
    assert str(Latency.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "fixed",
        "fixed:x",
        "fixed:-1",
        "fixed:nan",
        "fixed:1:2",
        "uniform:12:8",
        "lognormal:5",
        "fixed:inf",
    ],
)
def test_a_latency_that_makes_no_sense_is_explained(text: str) -> None:
    with pytest.raises(SettingsError, match="latency"):
        Latency.parse(text)


def test_a_duration_is_spread_over_the_tokens_of_an_answer() -> None:
    timing = Latency.parse("fixed:10").timing(DIGESTS[0], 91)
    assert timing.first_s == pytest.approx(1)
    assert timing.first_s + 90 * timing.token_s == pytest.approx(10)


def test_uniform_stays_in_its_range_and_fills_it() -> None:
    drawn = [Latency.parse("uniform:8:12").timing(digest, 1).first_s for digest in DIGESTS]
    assert 8 <= min(drawn) < 8.05
    assert 11.95 < max(drawn) <= 12
    assert statistics.mean(drawn) == pytest.approx(10, abs=0.1)


def test_lognormal_has_its_median_and_its_spread() -> None:
    drawn = sorted(Latency.parse("lognormal:5:0.4").timing(digest, 1).first_s for digest in DIGESTS)
    assert drawn[1000] == pytest.approx(5, rel=0.05)
    # One standard deviation up: exp(0.4) = 1.49 times the median.
    assert drawn[1683] == pytest.approx(7.46, rel=0.05)


def test_a_latency_depends_on_content_alone(ask: Any) -> None:
    latency = Latency.parse("uniform:1:100")
    alone, after = FakeDeepSeek(latency=latency), FakeDeepSeek(latency=latency)
    ask(after, "something else")
    assert ask(alone, "tides").duration_s == ask(after, "tides").duration_s
    assert ask(alone, "tides").duration_s != ask(alone, "moons").duration_s


def test_a_script_names_requests_by_their_text() -> None:
    plan = FaultPlan.script({"tides": [Fault.RESET, None, Fault.UNAVAILABLE]})
    met = [plan.choose(digest=b"", text=b"about tides", asked=asked) for asked in (1, 2, 3, 4)]
    assert met == [Fault.RESET, None, Fault.UNAVAILABLE, None]
    assert plan.choose(digest=b"", text=b"about moons", asked=1) is None


def test_rates_are_met_and_retries_get_through() -> None:
    plan = FaultPlan.random({Fault.RESET: 0.2, Fault.RATE_TPM: 0.1}, at_most=2)
    first = [plan.choose(digest=digest, text=b"", asked=1) for digest in DIGESTS]
    second = [plan.choose(digest=digest, text=b"", asked=2) for digest in DIGESTS]
    assert first.count(Fault.RESET) / 2000 == pytest.approx(0.2, abs=0.03)
    assert first.count(Fault.RATE_TPM) / 2000 == pytest.approx(0.1, abs=0.02)
    assert first != second
    assert all(plan.choose(digest=digest, text=b"", asked=3) is None for digest in DIGESTS)


def test_a_plan_can_be_written_on_a_command_line() -> None:
    assert FaultPlan.parse("429-tpm=0.1,reset=0.05") == FaultPlan.random(
        {Fault.RATE_TPM: 0.1, Fault.RESET: 0.05}
    )
    assert FaultPlan.parse("0.05") == FaultPlan.storm(0.05)
    assert FaultPlan.parse("none").is_empty


@pytest.mark.parametrize(
    "text", ["reset=2", "nonsense=0.1", "reset=x", "reset=-0.1", "reset=0.9,stall=0.9", "2"]
)
def test_a_plan_that_makes_no_sense_is_explained(text: str) -> None:
    with pytest.raises(SettingsError, match="faults"):
        FaultPlan.parse(text)
