"""Numbers in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def counted(number: int, noun: str) -> str:
    """`1 topic`, `2 topics`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """`7 h 40`, `3 min 20 s`, `12.3 s` or `250 ms`."""
    if seconds >= 3600:
        minutes = round(seconds / 60)
        return f"{minutes // 60} h {minutes % 60:02}"
    if seconds >= 120:
        whole = round(seconds)
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def listed(words: Sequence[str]) -> str:
    """`failed`, `failed and degraded`, `failed, degraded and unfinished`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def reasoning_tokens_words(usage: Mapping[str, Any]) -> str:
    """How many tokens were reasoning, as a row's usage tells it; "about" where a part of them was judged here."""
    told, estimated = usage["reasoning_tokens"], usage.get("reasoning_estimated") or 0
    return f"about {told + estimated:,}" if estimated else f"{told:,}"
