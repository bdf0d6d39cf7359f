"""Every value comes back from its JSON as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.cache_entry import entry_of, instant, stamp
from harness.adapters.cassettes.cassette import entry_of_recording, line_of, recording_of_entry, recording_of_line
from harness.domain.completion import (
    Answerer,
    Completion,
    Effort,
    FailedAttempt,
    Message,
    Request,
    Role,
    Served,
    Source,
    Tool,
    ToolCall,
    Usage,
)
from harness.domain.key import cache_key, canonical_request
from harness.errors import FailureKind
from harness.records import codec
from harness.records.json_text import storable, to_text
from harness.records.request_codec import request_from_canonical

# Whole characters, or a lone half of a pair: two halves in a row are one character, in JSON as everywhere.
texts = st.text() | st.sampled_from(["\ud83d", "a\udc00b", "\\\ud800", "\x00\u2028\ufeff"])
counts = st.integers(0, 2**53)
seconds = st.floats(0, 1e9)
costs = st.none() | st.floats(0, 1e6)
json_values = st.recursive(
    st.none() | st.booleans() | counts | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 1, 1), timezones=st.timezones())
usages = st.builds(Usage, input_tokens=counts, output_tokens=counts, reasoning_tokens=counts, cached_tokens=counts)
tool_calls = st.lists(st.builds(ToolCall, id=texts, name=texts, arguments=texts), max_size=2).map(tuple)
failures = st.builds(
    FailedAttempt, number=counts, kind=st.sampled_from(get_args(FailureKind)), message=texts, status=st.none() | counts,
    elapsed_s=seconds, backoff_s=seconds, queued_run_s=seconds, queued_s=seconds, paced_s=seconds, budget_s=seconds,
    outage_s=seconds, stored_s=seconds, usage=st.none() | usages, cost=costs, content=texts, reasoning=texts,
)  # fmt: skip
serveds = st.builds(
    Served, source=st.sampled_from(get_args(Source)), attempts=counts,
    failures=st.lists(failures, max_size=2).map(tuple),
    queued_run_s=seconds, queued_s=seconds, paced_s=seconds, budget_s=seconds, outage_s=seconds,
    ttft_reasoning_s=st.none() | seconds, ttft_answer_s=st.none() | seconds, latency_s=seconds, stored_s=seconds,
)  # fmt: skip
answerers = st.lists(st.builds(Answerer, texts, texts), max_size=2).map(tuple)
completions = st.builds(
    Completion, model=texts, content=texts, finish_reason=texts, usage=usages, fingerprint=st.none() | texts,
    earlier=answerers,
    reasoning=texts, tool_calls=tool_calls, trace_id=st.none() | texts, cost=costs, owner=texts, served=serveds,
)  # fmt: skip
messages = st.builds(
    Message, role=st.sampled_from(get_args(Role)), content=texts, reasoning=st.none() | texts, tool_calls=tool_calls,
    tool_call_id=st.none() | texts,
)  # fmt: skip
parameters = st.dictionaries(texts, json_values, max_size=3)
requests = st.builds(
    Request, endpoint=texts, model=texts, messages=st.lists(messages, max_size=3).map(tuple),
    max_tokens=st.none() | counts, thinking=st.none() | st.booleans(),
    effort=st.none() | st.sampled_from(get_args(Effort)), temperature=st.none() | seconds, top_p=st.none() | seconds,
    response_format=st.sampled_from([None, "text", "json_object"]),
    tools=st.lists(st.builds(Tool, name=texts, description=texts, parameters=parameters), max_size=2).map(tuple),
    stop=st.lists(texts, max_size=2).map(tuple), sample=counts,
)  # fmt: skip


@given(completions)
def test_a_completion_round_trips_as_it_is_kept(completion: Completion) -> None:
    text = to_text(codec.completion_to_json(completion))
    assert codec.completion_from_json(json.loads(text.encode())) == codec.kept(completion)


@given(completions)
def test_equal_completions_have_equal_texts(completion: Completion) -> None:
    text = to_text(codec.completion_to_json(completion))
    again = codec.completion_from_json(json.loads(text))
    assert to_text(codec.completion_to_json(again)) == text


@given(serveds)
def test_served_round_trips_with_all_its_failures(served: Served) -> None:
    text = to_text(codec.served_to_json(served))
    assert codec.served_from_json(json.loads(text.encode())) == served


@given(requests)
def test_a_request_comes_back_from_its_canonical_form_with_its_key(request: Request) -> None:
    again = request_from_canonical(storable(canonical_request(request)))
    assert canonical_request(again) == canonical_request(request)
    assert cache_key(again) == cache_key(request)


@given(requests, completions, texts, texts, moments)
def test_a_recording_round_trips_through_its_line_and_through_a_cache(
    request: Request, completion: Completion, topic_id: str, span_id: str, moment: datetime
) -> None:
    key = cache_key(request)
    entry = entry_of(key, request, completion, run_id="r", created_at=moment, topic_id=topic_id, span_id=span_id)
    recording = recording_of_entry(entry, harness="1.2")
    line = line_of(recording).encode()
    assert b"\n" not in line
    assert recording_of_line(line) == recording
    assert recording_of_entry(entry_of_recording(recording), harness="1.2") == recording


@given(moments, moments)
def test_stamps_sort_as_their_instants_do(one: datetime, other: datetime) -> None:
    assert instant(stamp(one)) == one.astimezone(UTC)
    assert (stamp(one) < stamp(other)) == (one.astimezone(UTC) < other.astimezone(UTC))
