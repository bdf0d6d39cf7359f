"""The wall clock of this machine."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Stamps from the operating system, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)
