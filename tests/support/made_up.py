"""Strategies of hypothesis for values of the domain: anything that a server, a user or a workflow
may say.
"""

from __future__ import annotations

from datetime import datetime
from typing import get_args

from hypothesis import strategies as st

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
from harness.errors import FailureKind

# Whole characters, or a lone half of a pair: two halves in a row are one character, in JSON as
# everywhere.
texts = st.text() | st.sampled_from(["\ud83d", "a\udc00b", "\\\ud800", "\x00\u2028\ufeff"])
counts = st.integers(0, 2**53)
seconds = st.floats(0, 1e9)
costs = st.none() | st.floats(0, 1e6)
json_values = st.recursive(
    st.none() | st.booleans() | counts | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(
    min_value=datetime(1970, 1, 2), max_value=datetime(9999, 1, 1), timezones=st.timezones()
)
usages = st.builds(
    Usage, input_tokens=counts, output_tokens=counts, reasoning_tokens=counts, cached_tokens=counts
)
tool_calls = st.lists(st.builds(ToolCall, id=texts, name=texts, arguments=texts), max_size=2).map(
    tuple
)
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
