"""Fields as the lines that a pipe gets."""

from __future__ import annotations

from collections.abc import Iterable

from harness.render.document import Field, Fields
from harness.render.plain import plain


def lines_of(fields: Iterable[Field]) -> list[str]:
    return plain([Fields(fields=tuple(fields))]).splitlines()
