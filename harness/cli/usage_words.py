"""Tokens in words: what a server counted, and what it did not tell."""

from __future__ import annotations

from harness.domain.completion import Usage
from harness.text.amounts import counted


def tokens_words(usage: Usage) -> str:
    """`889 tokens in, 110 out (40 reasoning)`; for answers that no server counted, that."""
    if is_untold(usage):
        return f"tokens not told by the server{_for_answers(usage.untold)}"
    words = (
        f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out ({reasoning_words(usage)})"
    )
    return words + untold_words(usage)


def is_untold(usage: Usage) -> bool:
    """Return whether there are answers, and no number of any."""
    return usage.untold > 0 and not usage.total_tokens


def untold_words(usage: Usage) -> str:
    """`, not told by the server for 3 answers`; empty where all was told."""
    untold = usage.untold
    return f", not told by the server for {counted(untold, 'answer')}" if untold else ""


def reasoning_words(usage: Usage, of: str = "") -> str:
    """`40 reasoning`; `about 40 reasoning` where a part of it was judged here, for want of a count.
    `of` goes between.

    Where there is reasoning and neither a count nor a judgement of it, that is said instead.
    """
    told, untold = usage.reasoning_tokens, usage.reasoning_untold
    if usage.reasoning_estimated:
        return f"about {told + usage.reasoning_estimated:,}{of} reasoning"
    if not untold:
        return f"{told:,}{of} reasoning"
    if not told:
        return "reasoning not told"
    return f"{told:,}{of} reasoning, not told for {counted(untold, 'answer')}"


def _for_answers(untold: int) -> str:
    return f" ({counted(untold, 'answer')})" if untold > 1 else ""
