"""How amounts are written for people: one rule, everywhere."""

from __future__ import annotations

import math


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
