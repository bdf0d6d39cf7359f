"""The time at which a simulated run begins: a time of day as a person says it, in their own
zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from harness.errors import SettingsError


def start_of(
    text: str | None, now: datetime, zoned: Callable[[datetime], datetime] = datetime.astimezone
) -> datetime:
    """The start: `22:00` is the next such time of day, a date may go before it, and None is `now`.

    `now` has its zone; `zoned` gives a time without a zone the local one, by default that of this
    machine. Raises SettingsError for anything else.
    """
    if text is None:
        return now
    if match := re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*", text):
        hour, minute = int(match[1]), int(match[2])
        if hour < 24 and minute < 60:
            today = now.replace(tzinfo=None, hour=hour, minute=minute, second=0, microsecond=0)
            begins = zoned(today)
            if begins >= now:
                return begins
            return zoned(today + timedelta(days=1))
    else:
        try:
            said = datetime.fromisoformat(text.strip())
        except ValueError:
            said = None
        if said is not None:
            if said.tzinfo is not None:
                return said
            return zoned(said)
    raise SettingsError(
        f"--start {text}: expected a time of day such as 22:00, or a date and time such as"
        " 2026-11-16T22:00"
    )
