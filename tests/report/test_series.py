from __future__ import annotations

from pathlib import Path
from typing import Any

from records import a_result, a_span
from report_runs import Told, a_topic, digested, write_run

from harness.domain.completion import FailedAttempt, Served
from harness.report.digest import Digest
from harness.report.series import POINTS, series_of, shares_of


def digest_of(directory: Path, told: list[Told], **changes: Any) -> Digest:
    _, digest = digested(write_run(directory / "run", told, **changes))
    return digest


def at(series: dict[str, Any], name: str, time_s: float) -> Any:
    """What a curve says of the stretch that holds this instant."""
    return series[name][
        max(place for place, start in enumerate(series["t"]) if start <= time_s + 1e-9)
    ]


def a_call(index: int, start_s: float, end_s: float, **served: Any) -> Told:
    span = a_span(
        f"t{index}",
        start_s=start_s,
        end_s=end_s,
        served=Served(**{"latency_s": end_s - start_s, **served}),
        cost=1.0,
    )
    return Told(a_result(index, calls=1), [span])


def test_calls_in_flight_are_counted_at_each_instant(tmp_path: Path) -> None:
    digest = digest_of(tmp_path, [a_call(0, 0.0, 6.0), a_call(1, 2.0, 4.0)])
    series = series_of(digest, {})
    assert [at(series, "in_flight", time_s) for time_s in (1.0, 3.0, 5.0)] == [1, 2, 1]
    assert len(series["t"]) == POINTS + 1


def test_a_backoff_is_not_in_flight_and_a_429_is_a_refusal(tmp_path: Path) -> None:
    refused = FailedAttempt(
        number=1, kind="rate_limited", message="no", status=429, elapsed_s=1.0, backoff_s=3.0
    )
    digest = digest_of(
        tmp_path, [a_call(0, 0.0, 6.0, latency_s=2.0, attempts=2, failures=(refused,))]
    )
    series = series_of(digest, {})
    assert [at(series, "in_flight", time_s) for time_s in (0.5, 2.0, 5.0)] == [1, 0, 1]
    assert sum(series["refused"]) == 1
    assert at(series, "refused", 1.0) == 1


def test_an_answer_from_the_cache_is_never_in_flight(tmp_path: Path) -> None:
    digest = digest_of(tmp_path, [a_call(0, 0.0, 2.0, source="cache")])
    assert set(series_of(digest, {})["in_flight"]) == {0}


def test_the_cost_adds_up_over_time(tmp_path: Path) -> None:
    digest = digest_of(tmp_path, [a_call(0, 0.0, 1.0), a_call(1, 0.0, 4.0)])
    series = series_of(digest, {})
    assert [at(series, "cost", time_s) for time_s in (0.5, 2.0, 4.0)] == [0.0, 1.0, 2.0]


def test_the_limit_follows_its_history(tmp_path: Path) -> None:
    digest = digest_of(tmp_path, [a_call(0, 0.0, 10.0)])
    series = series_of(digest, {1: [[0.0, 8], [5.0, 3]]})
    assert [at(series, "limit", time_s) for time_s in (1.0, 9.0)] == [8, 3]
    assert set(series_of(digest, {})["limit"]) == {None}


def test_sessions_stand_one_after_another(tmp_path: Path) -> None:
    later = a_call(1, 0.0, 3.0)
    told = [a_call(0, 0.0, 2.0), Told(later.result, later.calls, session=2)]
    digest = digest_of(tmp_path, told, sessions=2)
    series = series_of(digest, {})
    assert series["begun"] == [0.0, 2.0]
    assert series["t"][-1] == 5.0
    assert [at(series, "in_flight", time_s) for time_s in (1.0, 4.0)] == [1, 1]


def test_shares_rise_to_one_at_the_slowest_answer(tmp_path: Path) -> None:
    digest = digest_of(tmp_path, [a_topic(0), a_topic(1), a_call(2, 0.0, 4.0)])
    shares = shares_of(digest)
    assert shares["steps"]["ask"][-1] == shares["steps"]["plan"][-1] == 1.0
    assert shares["steps"]["ask"][0] == 0.0
    assert (shares["s"][0], shares["s"][-1]) == (1.0, 4.0)


def test_a_run_without_calls_has_nothing_to_draw(tmp_path: Path) -> None:
    digest = digest_of(tmp_path, [Told(a_result(0, calls=0))])
    assert series_of(digest, {})["t"] == []
    assert shares_of(digest) == {"s": [], "steps": {}}
