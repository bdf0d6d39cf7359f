"""Files and bodies as nobody should write them: each is read, or refused with an error of ours."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.cache.cassette import recording_of_line
from harness.domain.completion import Completion
from harness.domain.failures import CompletionError
from harness.endpoint import foreign_json, payload
from harness.endpoint.assembly import Assembly
from harness.endpoint.chat_answer import StreamFault
from harness.endpoint.error_mapping import Origin, reported_error, status_error
from harness.endpoint.sse import SSEParser
from harness.errors import SettingsError
from harness.settings import load_settings
from harness.settings.model import field_names
from harness.testing.virtual_time import EPOCH

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)

# --- bodies of responses

NAMES = [
    *(
        "choices",
        "message",
        "delta",
        "content",
        "reasoning_content",
        "reasoning",
        "finish_reason",
        "usage",
        "model",
    ),
    *(
        "tool_calls",
        "function",
        "name",
        "arguments",
        "index",
        "id",
        "error",
        "code",
        "system_fingerprint",
    ),
    *(
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "prompt_cache_hit_tokens",
    ),
    *(
        "completion_tokens_details",
        "reasoning_tokens",
        "refusal",
        "type",
        "text",
        "thinking",
        "reasoning_details",
    ),
    *(
        "cost",
        "total_tokens",
        "input_tokens",
        "timings",
        "content_filter_results",
        "native_finish_reason",
    ),
]
bodies: st.SearchStrategy[Any] = st.recursive(
    json_values,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=25,
)
choices = st.fixed_dictionaries({"message": bodies, "delta": bodies, "finish_reason": bodies})
responses = st.fixed_dictionaries(
    {"choices": st.lists(choices, max_size=2) | bodies},
    optional={"usage": bodies, "model": bodies, "error": bodies},
)


@given(st.binary() | (bodies | responses).map(lambda value: json.dumps(value).encode()))
@example(b'{"choices":[{"message":{"tool_calls":[{"function":{"name":1e999}}]}}]}')
@example(b'{"choices":[{"message":{}}],"usage":{"prompt_tokens":-5,"completion_tokens":true}}')
@example(b'{"choices":{"a":1}}')
@example(b"[" * 100_000)
@example(b"9" * 10_000)
def test_any_body_is_a_completion_or_one_of_our_errors(body: bytes) -> None:
    with suppress(foreign_json.MalformedError, StreamFault):
        assembly = Assembly(clock=lambda: 0.0)
        assembly.whole(payload.objects_in(body))
        assert isinstance(assembly.answer.completion(trace_id=None), Completion)


@given(
    st.lists(
        st.binary(max_size=40)
        | responses.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n")
    )
)
def test_any_stream_is_a_completion_or_one_of_our_errors(pieces: list[bytes]) -> None:
    parser, assembly = SSEParser(), Assembly(clock=lambda: 0.0)
    try:
        for piece in pieces:
            assembly.feed(parser.feed(piece))
        assembly.feed(parser.close())
        assembly.flush()
    except (foreign_json.MalformedError, StreamFault):
        partial = assembly.partial(trace_id=None)
        assert partial is None or isinstance(partial, Completion)
    else:
        assert isinstance(assembly.answer.completion(trace_id=None), Completion)


words = st.sampled_from(
    ["invalid api key", "quota exceeded", "per day", "overloaded", "model not found", "flagged"]
)
reports = st.recursive(
    words | json_values,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*NAMES, "detail", "details", "metadata", "raw", "status", "type"]),
            inner,
        )
    ),
    max_leaves=20,
)


@given(
    st.integers(min_value=300, max_value=600),
    st.binary() | reports.map(lambda value: json.dumps(value).encode()),
)
@example(500, b'{"error":' + b"[" * 50_000)
@example(400, b'{"error":{"code":' + b"9" * 5000 + b"}}")
@example(429, b'{"error":{"message":"' + b"{" * 3000 + b'"}}')
@example(502, b"<html" + b"<!--" * 9000)
def test_any_refusal_is_one_of_our_errors(status: int, body: bytes) -> None:
    origin = Origin(who="who", now=EPOCH, headers={}, sent=b"why?")
    error = status_error(status=status, body=body, origin=origin)
    assert (error.status, error.begun, error.billed) == (status, False, "no")
    assert str(error).startswith("who answered ")
    assert len(str(error)) < 1000


@given(st.dictionaries(st.sampled_from([*NAMES, "message", "detail"]), reports))
def test_any_report_under_200_is_one_of_our_errors(fields: dict[str, Any]) -> None:
    error = reported_error(fields, origin=Origin(who="who", now=EPOCH, headers={}))
    assert isinstance(error, CompletionError)
    assert len(str(error)) < 1000


# --- cassettes

REQUEST = {"endpoint": "mock", "model": "m", "messages": [{"role": "user", "content": "why?"}]}
LINE: dict[str, Any] = {
    "cassette": 2,
    "topic": "t",
    "call": "ask",
    "key": "0" * 64,
    "recorded": "2026-11-20",
    "harness": "1",
    "digest": "0" * 64,
    "request": REQUEST,
    "completion": {"model": "m", "content": "because"},
}


@st.composite
def cassette_lines(draw: st.DrawFn) -> bytes:
    line = {**LINE, **draw(st.dictionaries(st.sampled_from(list(LINE)), json_values, max_size=3))}
    if draw(st.booleans()):
        parts = draw(
            st.dictionaries(
                st.sampled_from([*REQUEST, "tools", "stop", "sample", "effort"]), json_values
            )
        )
        line["request"] = {**REQUEST, **parts}
    return json.dumps(line).encode()


@given(st.binary() | cassette_lines())
@example(b'{"cassette":2,"key":' + b"9" * 5000 + b"}")
@example(json.dumps({**LINE, "request": {**REQUEST, "temperature": 1e308}}).encode())
@example(b"\xff\xfe{")
def test_any_cassette_is_read_or_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        recording_of_line(line)


@pytest.mark.parametrize("depth", [50, 300, 480, 600, 900, 5000])
def test_a_cassette_that_is_nested_deep_is_refused(depth: int) -> None:
    tool = {"name": "f", "description": "", "parameters": {"a": "DEEP"}}
    line = json.dumps({**LINE, "request": {**REQUEST, "tools": [tool]}})
    with pytest.raises(ValueError, match=r"."):
        recording_of_line(line.replace('"DEEP"', "[" * depth + "]" * depth).encode())


# --- settings

SIGNS = [
    "=",
    '"',
    "'",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ".",
    ",",
    "'''",
    "#",
    "\n",
    "\r\n",
    "\x00",
    "\u2028",
    "\ufeff",
]
WORDS = [
    "1",
    "-1",
    "1e999",
    "nan",
    "inf",
    "true",
    '"x"',
    "0x",
    "1979-05-27",
    "[steps.a]",
    "[prices.m]",
]
toml_words = st.sampled_from([*field_names(), *SIGNS, *WORDS])
settings_files = st.lists(toml_words, max_size=25).map(" ".join).map(str.encode) | st.binary(
    max_size=60
)
settings_lines = st.lists(
    st.tuples(
        st.sampled_from(field_names()),
        json_values.map(lambda value: json.dumps(value, allow_nan=True)),
    )
).map(lambda pairs: "\n".join(f"{name} = {value}" for name, value in pairs).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(settings_files | settings_lines)
@example(b"a = " + b"[" * 10_000)
@example(b"in_flight = " + b"9" * 5000)
def test_any_settings_file_is_read_or_refused(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(written)
    with suppress(SettingsError):
        load_settings({}, config=path, environ={})
