"""Amounts as they are written for people: money, counts, times. One rule for each, everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def money(cost: float | None, *, unknown: str = "not known") -> str:
    """Write USD: `$1,234.50`, `$0.0123`; `unknown` where it is None.

    Cents from one dollar on. Below, four digits, for calls cost fractions of a cent, and amounts in
    a column then stand under each other. What is more than nothing is never written as nothing:
    `$0.000031`, two figures of it.
    """
    if cost is None:
        return unknown
    digits = 2 if abs(cost) >= 0.99995 else 4
    if cost and abs(cost) < 0.00005:
        digits = 1 - math.floor(math.log10(abs(cost)))
    return f"${cost:,.{digits}f}"


@dataclass(frozen=True, slots=True)
class Cents:
    """Writes amounts that stand beside each other with equally many digits, so that they add up as
    they are read.
    """

    digits: int

    @classmethod
    def beside(cls, largest: float) -> Cents:
        """Return the digits for amounts of which this is the largest, in USD."""
        if largest < 1:
            return cls(4)
        return cls(3) if largest < 10 else cls(2)

    def of(self, value: float) -> str:
        """Write one of the amounts, in USD."""
        return f"${self.rounded(value):,.{self.digits}f}"

    def rounded(self, value: float) -> float:
        """Round one of the amounts as it is written."""
        return round(value, self.digits)


def counted(number: int, noun: str) -> str:
    """Write a count with its noun: `1 topic`, `2 topics`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Sequence[str]) -> str:
    """Write a list: `failed`, `failed and degraded`, `failed, degraded and unfinished`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def duration(seconds: float) -> str:
    """Write a time that was measured or is expected: `7 h 40`, `3 min 20 s`, `12.3 s`, `250 ms`."""
    if seconds >= 3600:
        minutes = round(seconds / 60)
        return f"{minutes // 60} h {minutes % 60:02}"
    if seconds >= 120:
        whole = round(seconds)
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def round_duration(seconds: float) -> str:
    """Write a time as exactly as a reader of a clock is: `40 s`, `19 min`, `5 h 12`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 3600:
        return f"{round(whole / 60)} min"
    return duration(whole)


def clock(seconds: float) -> str:
    """Write a time that goes on as a clock shows it: `02:03`, or `1:02:03` from an hour on.

    Days are counted as hours.
    """
    hours, rest = divmod(round(seconds), 3600)
    minutes = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{minutes}" if hours else minutes


def elapsed(seconds: float) -> str:
    """Write a time that went by: `12.3 s`, and from two minutes on as `clock` does."""
    return f"{seconds:.1f} s" if seconds < 120 else clock(seconds)
