"""The finding of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    `advice` is what to do where it is not ok. A note says what is done next.
    """

    name: str
    verdict: Verdict
    said: str
    advice: str = ""


def ok(name: str, said: str) -> Finding:
    return Finding(name=name, verdict="ok", said=said)


def note(name: str, said: str) -> Finding:
    return Finding(name=name, verdict="note", said=said)


def warning(name: str, said: str, advice: str) -> Finding:
    return Finding(name=name, verdict="warning", said=said, advice=advice)


def problem(name: str, said: str, advice: str) -> Finding:
    return Finding(name=name, verdict="problem", said=said, advice=advice)
