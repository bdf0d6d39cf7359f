from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from harness.domain.outage_words import (
    LISTED,
    PastOutage,
    down_words,
    is_told,
    outage_lines,
    past_words,
    queue_words,
)
from harness.text.amounts import round_duration

NIGHT = datetime(2026, 11, 21, 3, 12, 40, tzinfo=UTC)
TODAY = date(2026, 11, 21)


def an_outage(**values: Any) -> PastOutage:
    return PastOutage(
        **{
            "since": NIGHT,
            "until": NIGHT + timedelta(minutes=19),
            "seconds": 1140.0,
            "probes": 14,
            "kind": "connection",
            "message": "connection refused",
            **values,
        }
    )


def down(**values: Any) -> str:
    given = {
        "since": NIGHT,
        "certain": True,
        "probes": 9,
        "next_look_s": 40.2,
        "message": "connection\nrefused",
    }
    return down_words(**{**given, "patience_s": 18_700.0, **values})


def test_an_outage_that_goes_on_is_told_with_its_begin_its_probes_and_what_comes() -> None:
    assert (
        down()
        == "provider down since 03:12, 9 probes, next look in 40 s (waits up to 5 h 12 more):"
        " connection refused"
    )


def test_a_probe_that_is_due_or_under_way_is_a_look_now() -> None:
    assert "1 probe, looking now (" in down(probes=1, next_look_s=0.2)


def test_a_suspicion_is_not_called_an_outage() -> None:
    assert down(certain=False).startswith("no answer from the provider since 03:12, ")


@pytest.mark.parametrize(
    ("certain", "for_s", "told"), [(True, 0.0, True), (False, 4.9, False), (False, 5.0, True)]
)
def test_a_suspicion_is_told_after_some_seconds(certain: bool, for_s: float, told: bool) -> None:
    assert is_told(certain=certain, for_s=for_s) is told


def test_outages_that_were_are_told_a_line_each() -> None:
    assert outage_lines([], TODAY) == []
    assert outage_lines([an_outage()], TODAY) == [
        "1: 03:12 to 03:31 (19 min, 14 probes): connection refused"
    ]
    brief = an_outage(until=NIGHT + timedelta(seconds=75), seconds=75.0, probes=1)
    assert outage_lines([an_outage(), brief], TODAY) == [
        "2, 20 min in all:",
        "03:12 to 03:31 (19 min, 14 probes): connection refused",
        "03:12 to 03:13 (75 s, 1 probe): connection refused",
    ]


def test_of_many_outages_the_last_are_listed_and_all_are_counted() -> None:
    lines = outage_lines([an_outage(probes=number) for number in range(LISTED + 2)], TODAY)
    assert lines[0] == "7, 2 h 13 in all, the last 5 of them:"
    assert [line.split(", ")[1].split(" ")[0] for line in lines[1:]] == ["2", "3", "4", "5", "6"]


def test_a_day_that_is_not_today_is_named() -> None:
    assert past_words(an_outage(), date(2026, 11, 22)).startswith("2026-11-21 03:12 to 03:31 (")
    late = an_outage(since=NIGHT - timedelta(hours=4), seconds=15_540.0)
    assert past_words(late, TODAY).startswith("2026-11-20 23:12 to 03:31 (4 h 19, ")


def test_an_outage_that_outlived_its_session_has_no_end() -> None:
    assert past_words(an_outage(until=None), TODAY).startswith(
        "03:12 to the end of the session (19 min"
    )


def test_a_queue_is_told_with_what_avoids_it() -> None:
    assert (
        queue_words(4) == "the server seems to work on 4 at a time; --in-flight 4 avoids the queue"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (119.4, "119 s"), (119.6, "2 min"), (3540, "59 min"), (18_720, "5 h 12")],
)
def test_a_duration_is_as_exact_as_a_reader_of_a_clock(seconds: float, said: str) -> None:
    assert round_duration(seconds) == said


def test_an_outage_of_one_endpoint_of_several_is_told_with_its_name() -> None:
    words = down_words(
        since=datetime(2026, 11, 16, 3, 12, tzinfo=UTC),
        certain=True,
        probes=9,
        next_look_s=40,
        message="refused",
        patience_s=60,
        endpoint="local",
    )
    assert (
        words
        == "local down since 03:12, 9 probes, next look in 40 s (waits up to 60 s more): refused"
    )
    assert queue_words(1, "local").endswith("in_flight = 1 in [endpoints.local] avoids the queue")
    past = past_words(an_outage(endpoint="local"), TODAY)
    assert past == "local: 03:12 to 03:31 (19 min, 14 probes): connection refused"
