from __future__ import annotations

from typing import Any

import pytest

from harness.cli.usage_words import reasoning_words, tokens_words
from harness.domain.completion import Usage


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        ({}, "889 tokens in, 110 out (40 reasoning)"),
        (
            {"untold": 3},
            "889 tokens in, 110 out (40 reasoning), not told by the server for 3 answers",
        ),
        ({"reasoning_untold": 1}, "889 tokens in, 110 out (40 reasoning, not told for 1 answer)"),
        (
            {"reasoning_tokens": 0, "reasoning_untold": 2},
            "889 tokens in, 110 out (reasoning not told)",
        ),
        ({"reasoning_tokens": 0}, "889 tokens in, 110 out (0 reasoning)"),
        ({"input_tokens": 0, "output_tokens": 0, "untold": 1}, "tokens not told by the server"),
        (
            {"input_tokens": 0, "output_tokens": 0, "untold": 2},
            "tokens not told by the server (2 answers)",
        ),
    ],
)
def test_tokens_are_told_or_it_is_said_that_they_are_not(usage: dict[str, Any], words: str) -> None:
    told = {"input_tokens": 889, "output_tokens": 110, "reasoning_tokens": 40, "cached_tokens": 0}
    assert tokens_words(Usage(**{**told, **usage})) == words


def test_reasoning_that_was_judged_here_is_said_to_be_about() -> None:
    usage = Usage(reasoning_tokens=200, reasoning_untold=1, reasoning_estimated=30)
    assert reasoning_words(usage) == "about 230 reasoning"
