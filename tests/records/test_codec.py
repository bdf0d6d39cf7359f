"""The stored form of our values: readable, in a fixed order, and strict when read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.domain.completion import Completion, FailedAttempt, Served, Usage
from harness.domain.logprobs import Alternative, TokenLogprob
from harness.records.codec import (
    completion_from_json,
    completion_to_json,
    served_to_json,
    usage_to_json,
)
from harness.records.json_text import storable, to_text
from harness.records.request_codec import request_from_canonical
from harness.records.typed import TypedReader

served_from_json = TypedReader(Served).of_value
usage_from_json = TypedReader(Usage).of_value
failed_attempt_from_json = TypedReader(FailedAttempt).of_value

SMALL = Completion(
    model="m", content="天", finish_reason="stop", usage=Usage(input_tokens=1, output_tokens=2)
)
SMALL_TEXT = (
    '{"model":"m","content":"天","finish_reason":"stop",'
    '"usage":{"input_tokens":1,"output_tokens":2,"reasoning_tokens":0,"cached_tokens":0},'
    '"served":{"attempts":1,"latency_s":0.0}}'
)


def test_a_completion_is_stored_as_readable_text_without_what_says_nothing() -> None:
    assert to_text(completion_to_json(SMALL)) == SMALL_TEXT


def test_the_stored_text_is_read_back() -> None:
    assert completion_from_json(json.loads(SMALL_TEXT)) == SMALL


def test_likelihoods_are_stored_in_the_words_of_the_protocol_and_read_back() -> None:
    half = TokenLogprob(token="\ufffd", logprob=-9999.0, raw=b"\xe5")
    likely = TokenLogprob(
        token="天", logprob=-0.5, top=(Alternative("天", -0.5), Alternative("地", -1.0))
    )
    told = replace(SMALL, logprobs=(likely,), reasoning_logprobs=(half,))

    fields = completion_to_json(told)
    top = [{"token": "天", "logprob": -0.5}, {"token": "地", "logprob": -1.0}]
    assert fields["logprobs"] == [{"token": "天", "logprob": -0.5, "top_logprobs": top}]
    assert fields["reasoning_logprobs"] == [{"token": "\ufffd", "logprob": -9999.0, "bytes": [229]}]
    assert completion_from_json(json.loads(to_text(fields))) == told


@pytest.mark.parametrize(
    ("tokens", "complaint"),
    [
        ("ab", "logprobs: must be a list"),
        (["a"], "logprobs.0: .*token must be a JSON object, not str"),
        ([{"token": "a"}], "field 'logprob' of token must be float or int, not absent"),
        (
            [{"token": "a", "logprob": -1, "bytes": ["b"]}],
            "field 'bytes' of token must be a list of numbers",
        ),
        ([{"token": "a", "logprob": -1, "bytes": [300]}], "bytes must be in range"),
        (
            [{"token": "a", "logprob": -1, "top_logprobs": [{"token": 1}]}],
            "field 'token' of alternative must be str",
        ),
    ],
)
def test_likelihoods_of_another_form_are_refused_by_name(tokens: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        completion_from_json({**json.loads(SMALL_TEXT), "logprobs": tokens})


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert completion_from_json(json.loads(SMALL_TEXT) | {"mood": "good"}) == SMALL


def test_numbers_that_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_text({"cost": float("nan")})


def test_half_a_surrogate_pair_becomes_its_escape() -> None:
    assert to_text("a\ud83d") == '"a\\ud83d"'


def test_whole_characters_stay_as_they_are() -> None:
    assert storable("é 天 😀 \u2028") == "é 天 😀 \u2028"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model": 1}, "model: must be a text"),
        ({"content": None}, "content: must be a text"),
        ({"usage": []}, "usage: must be an object"),
        ({"usage": {"input_tokens": True}}, "usage.input_tokens: must be a whole number"),
        ({"usage": {"input_tokens": 1.5}}, "usage.input_tokens: must be a whole number"),
        ({"cost": "free"}, "cost: must be a number"),
        ({"tool_calls": [1]}, "tool_calls.0: must be an object"),
        ({"tool_calls": [{"id": "1"}]}, "tool_calls.0.name: is missing"),
        ({"served": {"latency_s": "1"}}, "served.latency_s: must be a number"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        completion_from_json(json.loads(SMALL_TEXT) | change)


@pytest.mark.parametrize(
    "read", [completion_from_json, usage_from_json, served_from_json, failed_attempt_from_json]
)
def test_what_is_no_object_is_refused(read: Any) -> None:
    with pytest.raises(ValueError, match="must be an object"):
        read([])


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(
        ValueError, match="source: Input should be 'endpoint', 'cache', 'shared' or 'replay'"
    ):
        served_from_json(served_to_json(Served()) | {"source": "thin air"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"endpoint":"e","model":"m"}', "messages: is missing"),
        (
            '{"endpoint":"e","model":"m","messages":[{"role":"robot","content":""}]}',
            "messages.0.role: Input should be",
        ),
        ('{"endpoint":"e","model":"m","messages":[],"sead":1}', "sead: is not known"),
        ('{"endpoint":"e","model":"m","messages":[],"memo":{}}', "memo: is not known"),
        ('{"endpoint":"e","model":"m","messages":[],"stop":[1]}', "stop.0: must be a text"),
        ('{"endpoint":"e","model":"m","messages":[],"effort":"some"}', "effort: Input should be"),
        ("[]", "must be an object"),
        ("{", "Expecting"),
    ],
)
def test_what_is_no_request_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        request_from_canonical(text)


def test_a_completion_forgets_how_it_was_waited_for() -> None:
    waited = Completion(
        model="m",
        content="",
        finish_reason="stop",
        usage=Usage(),
        served=Served(source="shared", queued_s=3.0),
    )
    assert completion_from_json(completion_to_json(waited)).served == Served()


def test_a_usage_that_was_told_says_nothing_of_what_was_not() -> None:
    assert list(usage_to_json(Usage(input_tokens=1))) == [
        "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens",
    ]  # fmt: skip
    untold = Usage(untold=2, reasoning_untold=1)
    assert usage_to_json(untold) == {**usage_to_json(Usage()), "untold": 2, "reasoning_untold": 1}
    assert usage_from_json(usage_to_json(untold)) == untold
