from __future__ import annotations

import hashlib

import pytest

from harness.domain.completion import JsonSchema, Message, Request, Tool, ToolCall
from harness.domain.key import (
    KEY_VERSION,
    cache_key,
    canonical_request,
    key_of_canonical,
    request_fields,
)

SMALL = Request(endpoint="mock", model="m", messages=(Message(role="user", content='Why "π"?\n'),))


def test_the_canonical_text_is_sorted_dense_and_readable() -> None:
    assert canonical_request(SMALL) == (
        '{"endpoint":"mock","messages":[{"content":"Why \\"π\\"?\\n","role":"user"}],"model":"m"}'
    )


def test_the_key_can_be_checked_by_hand() -> None:
    by_hand = hashlib.sha256(f"{KEY_VERSION}\n{canonical_request(SMALL)}".encode()).hexdigest()
    assert cache_key(SMALL) == key_of_canonical(canonical_request(SMALL)) == by_hand


def test_everything_that_is_set_is_in_it() -> None:
    call = ToolCall(id="1", name="look", arguments='{"at": "moon"}')
    request = Request(
        endpoint="mock",
        model="m",
        messages=(
            Message(role="assistant", content="", reasoning="hm", tool_calls=(call,)),
            Message(role="tool", content="grey", tool_call_id="1"),
        ),
        max_tokens=10,
        thinking=False,
        effort="low",
        temperature=1.0,
        top_p=0.95,
        response_format="json_object",
        tools=(
            Tool(
                name="look",
                description="d",
                parameters={"n": [1.0, 1.5, True, None, "x"], "o": {"k": 2.0}},
            ),
        ),
        stop=("a", "b"),
        sample=3,
    )
    assert request_fields(request) == {
        "endpoint": "mock",
        "model": "m",
        "messages": [
            {
                "role": "assistant",
                "content": "",
                "reasoning": "hm",
                "tool_calls": [{"id": "1", "name": "look", "arguments": '{"at": "moon"}'}],
            },
            {"role": "tool", "content": "grey", "tool_call_id": "1"},
        ],
        "max_tokens": 10,
        "thinking": False,
        "effort": "low",
        "temperature": 1,
        "top_p": 0.95,
        "response_format": "json_object",
        "tools": [
            {
                "name": "look",
                "description": "d",
                "parameters": {"n": [1, 1.5, True, None, "x"], "o": {"k": 2}},
            }
        ],
        "stop": ["a", "b"],
        "sample": 3,
    }


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_has_no_key(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        cache_key(Request(endpoint="mock", model="m", messages=(), temperature=number))


def test_half_a_surrogate_pair_has_a_key_too() -> None:
    assert (
        len(
            cache_key(
                Request(
                    endpoint="mock", model="m", messages=(Message(role="user", content="\ud800"),)
                )
            )
        )
        == 64
    )


def test_a_key_is_computed_once() -> None:
    request = Request(endpoint="mock", model="m", messages=())
    assert cache_key(request) == cache_key(request)
    request.memo["key"] = "remembered"
    assert cache_key(request) == "remembered"


def test_further_fields_are_in_it_where_they_are_set() -> None:
    request = Request(
        endpoint="mock",
        model="m",
        messages=(),
        response_format=JsonSchema(name="city", schema={"minimum": 1.0}),
        seed=0,
        logprobs=0,
        service_tier="flex",
        presence_penalty=1.0,
        frequency_penalty=0.0,
        extra_body={"top_k": 4.0},
        form={"cap": "max_tokens"},
    )
    assert request_fields(request) == {
        "endpoint": "mock",
        "model": "m",
        "messages": [],
        "response_format": {"name": "city", "schema": {"minimum": 1}, "strict": True},
        "seed": 0,
        "logprobs": 0,
        "service_tier": "flex",
        "presence_penalty": 1,
        "frequency_penalty": 0,
        "extra_body": {"top_k": 4},
        "form": {"cap": "max_tokens"},
    }


def test_keys_of_requests_without_the_fields_that_came_later_are_what_they_were() -> None:
    call = ToolCall(id="1", name="look", arguments='{"at": "moon"}')
    full = Request(
        endpoint="http://h:8000/v1",
        model="m",
        messages=(
            Message(role="system", content="s"),
            Message(role="assistant", content="", reasoning="hm", tool_calls=(call,)),
            Message(role="tool", content="grey", tool_call_id="1"),
        ),
        max_tokens=10,
        thinking=False,
        effort="low",
        temperature=1.0,
        top_p=0.95,
        response_format="json_object",
        tools=(Tool(name="look", description="d", parameters={"n": [1.0, 1.5, True, None, "x"]}),),
        stop=("a", "b"),
        sample=3,
    )
    assert cache_key(SMALL) == "0d1fc8f0f552346609ac83cd6cd9908e4bf5df62d88e6b4bcc7049c3e29cbf91"
    assert cache_key(full) == "b388647538aaece7a6b09030b31001991cbeff060a9bcb890769fced261cac82"
