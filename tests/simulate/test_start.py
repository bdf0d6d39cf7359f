from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from harness.errors import SettingsError
from harness.simulation.start import start_of

ZONE = timezone(timedelta(hours=2), "THERE")
NOW = datetime(2026, 11, 16, 21, 30, tzinfo=ZONE)


def start(text: str | None) -> datetime:
    return start_of(text, NOW, lambda local: local.replace(tzinfo=ZONE))


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        (None, NOW),
        ("22:00", datetime(2026, 11, 16, 22, 0, tzinfo=ZONE)),
        ("6:05", datetime(2026, 11, 17, 6, 5, tzinfo=ZONE)),
        ("21:30", NOW),
        ("2026-12-24T23:00", datetime(2026, 12, 24, 23, 0, tzinfo=ZONE)),
        ("2026-12-24 23:00+00:00", datetime(2026, 12, 24, 23, 0, tzinfo=UTC)),
    ],
)
def test_a_time_of_day_is_the_next_one_there_is(text: str | None, begins: datetime) -> None:
    assert start(text) == begins


@pytest.mark.parametrize("text", ["24:00", "22:60", "ten", "", "22", "22:00:61"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--start"):
        start(text)
