"""Who gives an answer, by what its response says: told late, in some chunks only, or more than
once.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from _chat import CANARY, DONE, USAGE, Server, chunk, plain, streaming

from harness.domain.completion import Answerer, Completion
from harness.records.codec import completion_from_json, completion_to_json


def named(*said: tuple[str | None, str | None]) -> list[bytes]:
    """A stream whose chunks say these models and fingerprints; the last two are its end and its
    usage.
    """
    every: list[dict[str, Any]] = [
        {"model": model, "system_fingerprint": fingerprint} for model, fingerprint in said
    ]
    *texts, end, usage = every
    return [
        *(chunk({"content": f"word {number} "}, **who) for number, who in enumerate(texts)),
        chunk({}, finish_reason="stop", **end),
        chunk(choices=[], usage=USAGE, **usage),
        DONE,
    ]


def who(answer: Completion) -> tuple[str, str | None, tuple[Answerer, ...]]:
    return answer.model, answer.fingerprint, answer.earlier


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([("m", "a")] * 5, ("m", "a", ())),
        ([("m", None)] * 5, ("m", None, ())),
        ([("", None)] * 4 + [("late", "b")], ("late", "b", ())),
        ([(None, None)] * 5, ("", None, ())),
        ([("m", None), ("m", "a"), ("m", None), ("m", "a"), ("m", None)], ("m", "a", ())),
        ([("m", "a"), ("m", "b"), ("m", "b"), ("m", "b"), ("m", "b")], ("m", "b", (Answerer("m", "a"),))),
        ([("m", "a"), ("m", "a"), ("m", "b"), ("m", "a"), ("m", "a")], ("m", "a", (Answerer("m", "b"),))),
        ([("m", "a"), ("m", "a"), ("m", "a"), ("m", "a"), ("m", "b")], ("m", "b", (Answerer("m", "a"),))),
        ([("m", "a"), ("m", "a"), ("m", "a"), ("n", None), ("n", None)], ("n", None, (Answerer("m", "a"),))),
        ([("m", "a"), ("n", "b"), ("m", "c"), ("n", "b"), ("m", "c")],
         ("m", "c", (Answerer("m", "a"), Answerer("n", "b")))),
    ],
)  # fmt: skip
async def test_a_stream_is_from_whom_it_names_last_and_keeps_whom_it_named_before(
    said: list[tuple[str | None, str | None]],
    told: tuple[str, str | None, tuple[Answerer, ...]],
    watched: bool,
) -> None:
    answer = await streaming(*named(*said)).answer(
        on_delta=(lambda delta: None) if watched else None
    )
    assert who(answer) == told
    assert answer.content == "word 0 word 1 word 2 "


async def test_a_whole_answer_is_from_whom_it_names() -> None:
    assert who(await Server([plain()]).answer(stream=False)) == ("deepseek-flash", "fp", ())


async def test_a_key_that_is_echoed_as_a_model_is_not_kept() -> None:
    answer = await streaming(
        *named(*[(f"m {CANARY}", "a")] * 2, *[("n", f"b {CANARY}")] * 3)
    ).answer()
    assert CANARY not in json.dumps(completion_to_json(answer))


async def test_whom_a_stream_named_before_is_kept_with_the_answer() -> None:
    answer = await streaming(*named(("m", "a"), *[("m", "b")] * 4)).answer()
    kept = json.loads(json.dumps(completion_to_json(answer)))
    assert kept["earlier"] == [{"model": "m", "fingerprint": "a"}]
    assert completion_from_json(kept).answerers == (Answerer("m", "a"), Answerer("m", "b"))
    with pytest.raises(ValueError, match="model"):
        completion_from_json({**kept, "earlier": [{"fingerprint": "a"}]})
