"""Tokens in words: what a server counted, and what it did not tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.text.amounts import counted


def tokens_words(usage: Mapping[str, Any]) -> str:
    """`889 tokens in, 110 out (40 reasoning)`; for answers that no server counted, that."""
    if is_untold(usage):
        return f"tokens not told by the server{_for_answers(usage['untold'])}"
    words = (
        f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out"
        f" ({reasoning_words(usage)})"
    )
    return words + untold_words(usage)


def is_untold(usage: Mapping[str, Any]) -> bool:
    """Return whether there are answers, and no number of any."""
    return bool(usage.get("untold", 0)) and not usage["input_tokens"] + usage["output_tokens"]


def untold_words(usage: Mapping[str, Any]) -> str:
    """`, not told by the server for 3 answers`; empty where all was told."""
    untold = usage.get("untold", 0)
    return f", not told by the server for {counted(untold, 'answer')}" if untold else ""


def reasoning_words(usage: Mapping[str, Any], of: str = "") -> str:
    """`40 reasoning`; `about 40 reasoning` where a part of it was judged here, for want of a count.
    `of` goes between.

    Where there is reasoning and neither a count nor a judgement of it, that is said instead.
    """
    told, untold = usage["reasoning_tokens"], usage.get("reasoning_untold", 0)
    estimated = usage.get("reasoning_estimated") or 0
    if estimated:
        return f"about {told + estimated:,}{of} reasoning"
    if untold and not told:
        return "reasoning not told"
    return f"{told:,}{of} reasoning" + (
        f", not told for {counted(untold, 'answer')}" if untold else ""
    )


def _for_answers(untold: int) -> str:
    return f" ({counted(untold, 'answer')})" if untold > 1 else ""
