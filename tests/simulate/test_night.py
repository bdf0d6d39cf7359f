from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from batches import manifest_of
from environments import need_time
from nights import OFF_PEAK, predicted, recorded

from harness.simulation.from_run import read_run
from harness.testing.deepseek.fake import FakeDeepSeek
from harness.testing.deepseek.latency import Latency
from harness.testing.transport import FakeTransport


@pytest.mark.parametrize("latency", ["lognormal:5:0.4", "per-token:1:0.02"])
def test_predicted_and_actual_wall_time_agree_within_5_percent(
    tmp_path: Path, latency: str
) -> None:
    if latency.startswith("per-token"):
        need_time("a night token by token")
    # Recorded under one limit; predicted, and run again, under others.
    recorded(tmp_path, 40, latency=latency, in_flight=24)

    for in_flight in (2, 6, 12):
        actual = recorded(tmp_path / f"{in_flight}", 40, latency=latency, in_flight=in_flight)
        assert predicted(tmp_path, 40, in_flight, repeat=12).wall_s.mean == pytest.approx(
            actual.wall_s, rel=0.05
        )


def test_retries_and_their_backoff_are_part_of_the_prediction(tmp_path: Path) -> None:
    faults = "reset=0.15,500=0.1"
    recorded(tmp_path, 40, latency="uniform:4:8", faults=faults, in_flight=24)
    actual = recorded(tmp_path / "again", 40, latency="uniform:4:8", faults=faults, in_flight=6)

    arm = predicted(tmp_path, 40, 6, repeat=12)

    assert arm.wall_s.mean == pytest.approx(actual.wall_s, rel=0.05)
    assert arm.nights[0].traffic.requests > arm.nights[0].books.calls
    assert arm.waits_s()["backoff_s"] > 0


def test_money_agrees_with_that_of_a_run(tmp_path: Path) -> None:
    actual = recorded(tmp_path, 40, latency="fixed:5")

    arm = predicted(tmp_path, 40, 16, repeat=12)

    assert arm.cost is not None
    assert arm.cost.mean == pytest.approx(actual.totals["cost"], rel=0.05)


def test_a_night_across_peak_hours_pays_each_call_at_its_own_hour(tmp_path: Path) -> None:
    recorded(tmp_path, 20, latency="fixed:60")
    # A Monday, one hour before the peak that begins at 06:00 UTC; the night takes some hours.
    before_peak = datetime(2026, 11, 16, 5, 0, tzinfo=UTC)

    off_peak = predicted(tmp_path, 60, 2, start=OFF_PEAK).nights[0]
    across = predicted(tmp_path, 60, 2, start=before_peak).nights[0]

    assert across.wall_s == off_peak.wall_s > timedelta(hours=2).total_seconds()
    assert off_peak.books.peak_cost == 0.0
    assert 0.0 < across.books.peak_cost < across.books.cost
    # Peak rates are twice those of other hours.
    assert across.books.cost == pytest.approx(off_peak.books.cost + across.books.peak_cost / 2)


def test_a_pace_bounds_the_night_from_below(tmp_path: Path) -> None:
    recorded(tmp_path, 10, latency="fixed:1")

    night = predicted(tmp_path, 100, 64, rpm=60).nights[0]

    assert night.wall_s == pytest.approx(night.books.calls, rel=0.02)
    assert night.books.waits.seconds["paced_s"] > 0


def test_a_provider_that_carries_less_refuses_and_the_limiter_learns(tmp_path: Path) -> None:
    recorded(tmp_path, 15, latency="uniform:4:8")

    arm = predicted(tmp_path, 200, 64, provider_limit=10)
    night = arm.nights[0]

    assert night.books.finished == 200
    assert night.traffic.refusals > 0
    assert night.most_in_flight == 10
    assert arm.mean_in_flight.mean > 9.0
    assert predicted(tmp_path, 200, 10, provider_limit=10).nights[0].traffic.refusals == 0


def test_expected_refusals_are_those_of_a_provider_that_names_its_limit(tmp_path: Path) -> None:
    def provider() -> FakeTransport:
        fake = FakeDeepSeek(
            concurrency_limit=10,
            latency=Latency.parse("lognormal:5:0.4"),
            delta_tokens=8,
            log_size=0,
        )
        return FakeTransport(fake)

    recorded(tmp_path, 40, transport=provider(), latency="lognormal:5:0.4", in_flight=64)
    actual = recorded(
        tmp_path / "again", 40, transport=provider(), latency="lognormal:5:0.4", in_flight=20
    )
    limit = read_run(tmp_path / "out", seed=0).provider_limit

    arm = predicted(tmp_path, 40, 20, repeat=4, provider_limit=limit)

    assert limit == 10
    assert arm.refusals.mean == manifest_of(tmp_path / "again")["limits_learned"]["refusals"] > 0
    assert arm.places_at_the_end.mean == 10
    assert arm.wall_s.mean == pytest.approx(actual.wall_s, rel=0.05)


def test_refusals_that_no_limit_explains_are_expected_again_and_slow_the_night_as_they_did(
    tmp_path: Path,
) -> None:
    faults = "429-tpm=0.2"
    recorded(tmp_path, 40, latency="lognormal:5:0.4", faults=faults, in_flight=24)
    actual = recorded(tmp_path / "again", 40, latency="lognormal:5:0.4", faults=faults, in_flight=8)

    arm = predicted(tmp_path, 40, 8, repeat=8)

    assert arm.refusals.mean == pytest.approx(
        manifest_of(tmp_path / "again")["limits_learned"]["refusals"], rel=0.15
    )
    assert arm.wall_s.mean == pytest.approx(actual.wall_s, rel=0.1)


def test_the_bound_is_the_work_on_all_places_or_the_longest_chain_or_the_pace(
    tmp_path: Path,
) -> None:
    # Ten topics: one call of 2 s, a fan-out, one more call of 2 s.
    recorded(tmp_path, 10, latency="fixed:2")

    few, many, paced = (
        predicted(tmp_path, 100, 4).nights[0],
        predicted(tmp_path, 100, 2000, runs=100).nights[0],
        predicted(tmp_path, 100, 2000, runs=100, rpm=60).nights[0],
    )

    assert (few.bound.by, many.bound.by, paced.bound.by) == ("work", "critical path", "pace")
    assert few.bound.seconds == pytest.approx(few.books.calls * 2 / 4)
    assert many.bound.seconds == pytest.approx(6)
    # A call a second, and a second's worth in hand.
    assert paced.bound.seconds == paced.books.calls - 1
    for night in (few, many, paced):
        assert 0.5 < night.bound.seconds / night.wall_s <= 1 + 1e-9


def test_places_that_the_provider_does_not_have_are_no_part_of_the_bound(tmp_path: Path) -> None:
    recorded(tmp_path, 10, latency="fixed:2")

    night = predicted(tmp_path, 100, 64, provider_limit=5).nights[0]

    assert night.bound.seconds == pytest.approx(night.books.calls * 2 / 5)
    assert night.bound.seconds <= night.wall_s


def test_a_budget_that_is_too_small_ends_the_night_early_and_says_so(tmp_path: Path) -> None:
    recorded(tmp_path, 20, latency="fixed:5")

    arm = predicted(tmp_path, 200, 16, budget=0.1)

    assert 0 < arm.nights[0].books.finished < 200
    assert arm.nights[0].books.cost <= 0.1
    assert arm.stopped is not None
    assert "budget" in arm.stopped


def test_a_night_ends_as_a_run_does_with_its_last_topics_side_by_side(tmp_path: Path) -> None:
    recorded(tmp_path, 16, latency="fixed:10")

    ends = [
        predicted(tmp_path, 30, 8, run_calls=calls).nights[0].wall_s for calls in (None, 10_000)
    ]

    assert ends[0] < ends[1] - 9.0


def test_calls_that_failed_for_good_fail_again(tmp_path: Path) -> None:
    recorded(tmp_path, 20, latency="fixed:1", faults="400=0.1")

    night = predicted(tmp_path, 300, 32).nights[0]

    assert 0 < night.books.failed_calls < night.books.calls
    assert night.books.finished == 300


def test_the_same_seed_is_the_same_night(tmp_path: Path) -> None:
    recorded(tmp_path, 20, latency="lognormal:5:0.5", faults="0.1")

    assert (
        predicted(tmp_path, 50, 8, repeat=2).nights == predicted(tmp_path, 50, 8, repeat=2).nights
    )


def test_repeated_nights_differ_as_their_material_does(tmp_path: Path) -> None:
    recorded(tmp_path, 20, latency="lognormal:5:0.5")

    wall = predicted(tmp_path, 50, 8, repeat=3).wall_s

    assert wall.low is not None
    assert wall.high is not None
    assert wall.low < wall.mean < wall.high
