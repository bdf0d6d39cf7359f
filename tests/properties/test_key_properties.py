from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from harness.domain.completion import Message, Request, Tool, Usage
from harness.domain.key import cache_key, canonical_request, request_fields

TEXT = st.text(max_size=40)
NUMBERS = st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=TEXT,
    reasoning=st.none() | TEXT,
    tool_call_id=st.none() | TEXT,
)
REQUESTS = st.builds(
    Request,
    endpoint=TEXT,
    model=TEXT,
    messages=st.lists(MESSAGES, min_size=1, max_size=4).map(tuple),
    max_tokens=st.none() | st.integers(1, 400_000),
    thinking=st.none() | st.booleans(),
    effort=st.sampled_from([None, "none", "low", "high", "max"]),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    response_format=st.sampled_from([None, "text", "json_object"]),
    tools=st.lists(
        st.builds(
            Tool, name=TEXT, description=TEXT, parameters=st.dictionaries(TEXT, JSON, max_size=3)
        ),
        max_size=2,
    ).map(tuple),
    stop=st.lists(TEXT, max_size=3).map(tuple),
    sample=st.integers(0, 5),
)


def turned(value: Any) -> Any:
    """The same JSON value with every mapping in the other order and every whole number as the other
    type.
    """
    if isinstance(value, dict):
        return {name: turned(item) for name, item in reversed(list(value.items()))}
    if isinstance(value, list):
        return [turned(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@given(REQUESTS)
def test_the_order_of_fields_and_the_type_of_whole_numbers_do_not_change_a_key(
    request: Request,
) -> None:
    tools = tuple(replace(tool, parameters=turned(dict(tool.parameters))) for tool in request.tools)
    other = replace(
        request, tools=tools, temperature=turned(request.temperature), top_p=turned(request.top_p)
    )
    assert cache_key(other) == cache_key(request)


@given(REQUESTS)
def test_how_json_escapes_does_not_change_what_a_key_is_made_of(request: Request) -> None:
    text = canonical_request(request)
    # Written with escapes and spaces, read again: the same value, so the same canonical text.
    escaped = json.dumps(json.loads(text), ensure_ascii=True, indent=2)
    again = json.dumps(
        json.loads(escaped), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert again == text
    assert json.loads(text) == request_fields(request)


@given(REQUESTS, st.data())
def test_one_different_character_in_a_message_gives_another_key(
    request: Request, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(request.messages) - 1))
    content = request.messages[number].content
    at = data.draw(st.integers(0, len(content)))
    changed = (
        content[:at] + data.draw(st.characters()) + content[at + data.draw(st.integers(0, 1)) :]
    )
    assume(changed != content)
    messages = list(request.messages)
    messages[number] = replace(messages[number], content=changed)
    assert cache_key(replace(request, messages=tuple(messages))) != cache_key(request)


@given(REQUESTS, REQUESTS)
def test_requests_that_differ_anywhere_have_different_keys(one: Request, other: Request) -> None:
    same = request_fields(one) == request_fields(other)
    assert (cache_key(one) == cache_key(other)) is same


USAGES = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**9),
    output_tokens=st.integers(0, 10**9),
    reasoning_tokens=st.integers(0, 10**9),
    cached_tokens=st.integers(0, 10**9),
)


@given(USAGES, USAGES, USAGES)
def test_usage_adds_like_numbers_do(a: Usage, b: Usage, c: Usage) -> None:
    assert a + Usage() == a
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert (a + b).total_tokens == a.total_tokens + b.total_tokens
