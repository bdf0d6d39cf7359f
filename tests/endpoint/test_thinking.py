from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.domain.completion import Delta
from harness.endpoint.live_view import LiveView
from harness.endpoint.thinking import split, without_stray_mark


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>Hm.</think>Paris.", "Hm.", "Paris."),
        ("\n <think>\nHm.\n</think>\n\nParis.", "Hm.", "Paris."),
        ("<think></think>\n\nParis.", "", "Paris."),
        ("<think>Hm, and", "Hm, and", ""),
        ("<THINK>Hm.</Think>\nParis.", "Hm.", "Paris."),
        ("[THINK]Hm.[/THINK]Paris.", "Hm.", "Paris."),
        ("<think>a</think> b </think> c", "a", "b </think> c"),
        ("Hm.\n</think>\n\nParis.", "Hm.", "Paris."),
        ("Hm.</think>\nParis.", "Hm.", "Paris."),
        ("Hm.</think>Paris.", "Hm.", "Paris."),
        ("so I am done </think>\n\nParis.", "so I am done", "Paris."),
        ("</think>\n\nParis.", "", "Paris."),
        ("Hm.\n</think>", "Hm.", ""),
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Paris.",
            "Hm.",
            "Paris.",
        ),
        ("<|channel|>analysis<|message|>Hm.<|end|>\n\nParis.", "Hm.", "Paris."),
        (
            "<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>Paris.<|return|>\n",
            "Hm.",
            "Paris.",
        ),
        ("<|channel|>analysis<|message|>Hm, and", "Hm, and", ""),
        ("<|channel|>analysis<|message|>Hm.<|end|><|start|>assis", "Hm.", ""),
        ("<|channel|>final<|message|>Say <|end|> at last.<|end|>", "", "Say <|end|> at last."),
        ("analysisHm.assistantfinalParis.", "Hm.", "Paris."),
        ("<|channel>thought\nHm.<channel|>Paris.", "Hm.", "Paris."),
        ("<|START_THINKING|>Hm.<|END_THINKING|>Paris.", "Hm.", "Paris."),
        ("<|inner_prefix|>Hm.<|inner_suffix|>Paris.", "Hm.", "Paris."),
    ],
)
def test_thinking_at_the_head_is_told_from_the_answer(
    text: str, reasoning: str, answer: str
) -> None:
    assert split(text) == (reasoning, answer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris.",
        "\n\nParis.",
        "Paris. <think>Hm.</think>",
        "Use <think> and </think>\n\nas tags.",
        "The tag </think> ends it.",
        "It ends with `</think>`\n\nNext.",
        'It says "</think>"\n\nNext.',
        "So:\n```\nHm.\n</think>\n```\nNext.",
        "<thinker>Hm.</thinker>",
        "a < b and <b>bold</b>",
        "<|channel|>analysis of it",
        "It begins with <|channel|>analysis<|message|>Hm.<|end|>",
        "analysis: assistantfinal is what is left of the marks",
        "analysisHm. and no end",
        "analysis",
    ],
)
def test_a_text_that_only_talks_of_tags_stays_whole(text: str) -> None:
    assert split(text) == ("", text)


TEXTS = st.sampled_from(
    [
        "<think>",
        "</think>",
        "\n",
        "\n\n",
        "Hm.",
        " so",
        "Paris",
        "`",
        "<",
        "</",
        "think>",
        "[THINK]",
        "[/THINK]",
        "<b>",
    ]
)
CHANNELS = st.sampled_from(
    [
        *(
            "<|channel|>",
            "<|start|>",
            "assistant",
            "analysis",
            "final",
            "commentary",
            "<|message|>",
            "<|end|>",
        ),
        *(
            "<|return|>",
            "<|channel|>final<|message|>",
            "<|channel|>analysis<|message|>",
            "\n",
            "Hm.",
            " so",
            "<|",
        ),
        *("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ]
)


@given(
    st.lists(TEXTS | CHANNELS, max_size=9).map("".join),
    st.sets(st.integers(0, 60), max_size=8),
    st.booleans(),
)
def test_whoever_watches_is_left_with_what_the_text_was_split_into(
    text: str, cuts: set[int], told: bool
) -> None:
    seen: list[Delta] = []
    view = LiveView(seen.append)
    if told:
        view.reasoning("Told apart.")
    edges = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    for start, end in pairwise(edges):
        view.answer(text[start:end])
    view.end()
    starts = [place for place, delta in enumerate(seen) if delta.kind == "restart"]
    left = seen[starts[-1] if starts else 0 :]
    answer = "".join(delta.text for delta in left if delta.kind == "answer")
    reasoning = "".join(delta.text for delta in left if delta.kind == "reasoning")
    if told:
        # The mark that closes what is told apart may stand at the head of the text.
        assert (reasoning, answer.strip()) == ("Told apart.", without_stray_mark(text).strip())
        return
    expected = split(text)
    assert answer.strip("\n ") == expected.answer.strip("\n ")
    assert reasoning.strip() == expected.reasoning.strip()
