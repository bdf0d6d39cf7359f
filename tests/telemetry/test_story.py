from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from records import STARTED_AT, USAGE, a_failed_result, a_hard_won_span, a_result, a_span

from harness.domain.completion import Message, Request, Served, ToolCall, Usage
from harness.domain.run import Failure, Span
from harness.telemetry import names
from harness.telemetry.attributes import asked_of
from harness.telemetry.story import story_of
from harness.telemetry.values import SpanRecord

ORIGIN = STARTED_AT - timedelta(seconds=1)
"""A second before the topic began, as its first call is wanted at second 1."""


def spans_of(*calls: Span, content: bool = False, **fields: Any) -> list[SpanRecord]:
    result = a_result(**{"elapsed_s": 2.0, **fields})
    return list(story_of(result, calls, origin_at=ORIGIN, content=content).spans)


def nanoseconds(after_s: float) -> int:
    return round((ORIGIN.timestamp() + after_s) * 1000) * 1_000_000


def by_name(spans: list[SpanRecord]) -> dict[str, SpanRecord]:
    return {str(span.attributes.get(names.CALL_ID, span.name)): span for span in spans}


def test_a_topic_is_the_root_and_as_long_as_it_took() -> None:
    topic, _ = spans_of(a_span())

    assert (topic.name, topic.kind, topic.parent_id) == (
        "invoke_workflow research",
        "internal",
        None,
    )
    assert (topic.start_ns, topic.end_ns) == (nanoseconds(1), nanoseconds(3))
    assert topic.attributes["gen_ai.operation.name"] == "invoke_workflow"
    assert topic.attributes["gen_ai.workflow.name"] == "research"
    assert topic.attributes["harness.topic.id"] == "t0"
    assert not topic.failed


def test_a_call_is_a_clients_span_at_its_times() -> None:
    topic, call = spans_of(a_span(start_s=1.25, end_s=2.5))

    assert (call.name, call.kind, call.parent_id) == ("chat m", "client", topic.span_id)
    assert (call.start_ns, call.end_ns) == (nanoseconds(1.25), nanoseconds(2.5))
    assert call.trace_id == topic.trace_id


def test_parts_lie_in_parts_and_hold_their_calls() -> None:
    spans = by_name(
        spans_of(
            a_span(span_id="a.1/b.2/ask", parent="a.1/b.2", start_s=1.5, end_s=2.0),
            a_span(span_id="a.1/ask", parent="a.1", start_s=1.0, end_s=1.25),
            a_span(span_id="end", start_s=2.5, end_s=3.0),
        )
    )
    topic, part, inner = spans["invoke_workflow research"], spans["a.1"], spans["b.2"]

    assert part.parent_id == topic.span_id
    assert inner.parent_id == part.span_id
    assert spans["a.1/b.2/ask"].parent_id == inner.span_id
    assert spans["a.1/ask"].parent_id == part.span_id
    assert spans["end"].parent_id == topic.span_id
    assert (part.start_ns, part.end_ns) == (nanoseconds(1.0), nanoseconds(2.0))
    assert (inner.start_ns, inner.end_ns) == (nanoseconds(1.5), nanoseconds(2.0))
    assert part.attributes["harness.part"] == "a.1"


def test_a_clock_that_was_set_back_puts_no_call_outside_its_topic() -> None:
    topic, call = spans_of(a_span(start_s=0.5, end_s=9.0))
    assert (topic.start_ns, topic.end_ns) == (call.start_ns, call.end_ns)


def test_ids_are_distinct_and_the_same_for_the_same_topic() -> None:
    spans, again = spans_of(a_span(), a_span(span_id="b")), spans_of(a_span(), a_span(span_id="b"))

    assert len({span.span_id for span in spans}) == 3
    assert spans == again
    others = (
        spans_of(run_id="other"),
        spans_of(topic_id="other"),
        spans_of(started_at=datetime(2026, 1, 1, tzinfo=UTC)),
    )
    assert len({topic.trace_id for (topic,) in others} | {spans[0].trace_id}) == 4


def test_a_call_says_what_was_asked_and_what_came() -> None:
    request = Request(
        endpoint="deepseek",
        model="deepseek-flash",
        messages=(Message(role="user", content="why?"),),
        max_tokens=100,
        temperature=0.5,
        top_p=0.9,
        stop=("END",),
        thinking=True,
        effort="high",
        response_format="json_object",
    )
    served = Served(latency_s=2.0, ttft_reasoning_s=0.25, ttft_answer_s=1.5)
    _, call = spans_of(a_span(request=request, served=served))

    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "deepseek",
        "gen_ai.request.model": "deepseek-flash",
        "server.address": "api.deepseek.com",
        "server.port": 443,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.request.stream": True,
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "m-1",
        "gen_ai.response.id": "trace",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "harness.run.id": "run",
        "harness.topic.id": "t0",
        "harness.call.id": "ask",
        "harness.call.key": "k" * 64,
        "harness.step": "ask",
        "harness.source": "endpoint",
        "harness.attempts": 1,
        "harness.cost": 0.125,
        "harness.response.fingerprint": "fp",
        "harness.request.thinking": True,
        "harness.request.effort": "high",
        "harness.time_to_first_answer": 1.5,
        "harness.latency": 2.0,
    }


def test_another_server_is_told_in_the_terms_of_its_protocol() -> None:
    request = Request(endpoint="http://127.0.0.1:8000/v1", model="m", messages=())
    found = asked_of(request)
    assert (found["gen_ai.provider.name"], found["server.address"], found["server.port"]) == (
        "openai",
        "127.0.0.1",
        8000,
    )
    assert "server.address" not in asked_of(replace(request, endpoint="mock"))


def test_a_hit_is_no_clients_span_and_counts_no_tokens() -> None:
    _, call = spans_of(a_span(served=Served(source="cache", attempts=0), cost=0.0, saved=0.125))

    assert call.kind == "internal"
    assert call.attributes["harness.source"] == "cache"
    assert call.attributes["harness.saved"] == 0.125
    assert not [name for name in call.attributes if name.startswith("gen_ai.usage.")]


def test_failed_attempts_are_events_and_their_tokens_are_counted() -> None:
    span = a_hard_won_span()
    failure = replace(span.served.failures[0], usage=Usage(input_tokens=10, output_tokens=3))
    span = replace(span, start_s=1.0, end_s=6.0, served=replace(span.served, failures=(failure,)))
    _, call = spans_of(span)
    (event,) = call.events

    # After the waits for a place (0.1 + 0.2), the pace (0.3), the budget (0.4) and the provider
    # (0.7), it took 0.5 s.
    assert event.at_ns == nanoseconds(3.2)
    assert call.attributes["harness.wait.outage"] == 0.7
    assert event.attributes == {
        "harness.attempt.number": 1,
        "error.type": "rate_limited",
        "http.response.status_code": 429,
        "harness.attempt.elapsed": 0.5,
        "harness.wait.backoff": 0.25,
    }
    assert (
        call.attributes["gen_ai.usage.input_tokens"],
        call.attributes["gen_ai.usage.output_tokens"],
    ) == (20, 23)
    assert not call.failed


def test_a_failed_call_has_the_kind_of_its_error_and_no_words() -> None:
    error = Failure(type="TransientError", message="the text of a model", kind="timeout")
    _, call = spans_of(a_span(error=error, usage=Usage(), finish_reason=None, model=None))

    assert (call.failed, call.why) == (True, None)
    assert call.attributes["error.type"] == "timeout"
    assert "text of a model" not in json.dumps(dict(call.attributes))


def test_a_failed_topic_is_an_error_and_a_degraded_one_is_not() -> None:
    failed = story_of(a_failed_result(), (), origin_at=ORIGIN, content=False).spans[0]
    degraded = spans_of(status="degraded", error=Failure(type="Degraded", message="2 of 5"))[0]

    assert (failed.failed, failed.attributes["error.type"]) == (True, "TopicFailed")
    assert not degraded.failed
    assert degraded.attributes["harness.topic.status"] == "degraded"


def test_without_content_no_text_leaves() -> None:
    secret = "what nobody else may read"
    request = Request(endpoint="mock", model="m", messages=(Message(role="user", content=secret),))
    error = Failure(type="E", message=secret)
    call = a_span(request=request, content=secret, reasoning=secret, error=error)
    told = story_of(
        a_failed_result(topic=secret, output=secret, error=error),
        [call],
        origin_at=ORIGIN,
        content=False,
    )

    assert secret not in repr(told)


def test_content_has_the_form_of_the_conventions() -> None:
    tool = ToolCall(id="c1", name="look_up", arguments="{}")
    request = Request(
        endpoint="mock",
        model="m",
        messages=(
            Message(role="system", content="be brief"),
            Message(role="assistant", content="", reasoning="hm", tool_calls=(tool,)),
            Message(role="tool", content="42", tool_call_id="c1"),
        ),
    )
    topic, call = spans_of(
        a_span(request=request, content="because", reasoning="well"), content=True
    )

    assert json.loads(str(call.attributes["gen_ai.input.messages"])) == [
        {"role": "system", "parts": [{"type": "text", "content": "be brief"}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "tool_call", "id": "c1", "name": "look_up", "arguments": "{}"},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "42"}]},
    ]
    assert json.loads(str(call.attributes["gen_ai.output.messages"])) == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "well"},
                {"type": "text", "content": "because"},
            ],
        }
    ]
    assert (topic.attributes["harness.topic.text"], topic.attributes["harness.topic.output"]) == (
        "why?",
        "because",
    )


def test_content_makes_a_story_larger_and_nothing_else_does() -> None:
    def size(text: str, *, content: bool) -> int:
        return story_of(a_result(), [a_span(content=text)], origin_at=ORIGIN, content=content).size

    assert size("x" * 9000, content=True) - size("", content=True) >= 9000
    assert size("x" * 9000, content=False) == size("", content=False)


def values_of(result: Any, *calls: Span) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for measurement in story_of(result, calls, origin_at=ORIGIN, content=False).measurements:
        found.setdefault(measurement.instrument.name, []).append(measurement.value)
    return found


def test_an_answer_adds_its_time_its_tokens_and_its_cost() -> None:
    served = Served(latency_s=2.0, ttft_reasoning_s=0.25, ttft_answer_s=1.5)
    found = values_of(a_result(), a_span(served=served))

    assert found == {
        "gen_ai.invoke_workflow.duration": [3.5],
        "harness.topics": [1],
        "harness.calls": [1],
        "gen_ai.client.inference.duration": [2.0],
        "gen_ai.client.inference.time_to_first_chunk": [0.25],
        "gen_ai.client.inference.usage.input_tokens": [USAGE.input_tokens],
        "gen_ai.client.inference.usage.output_tokens": [USAGE.output_tokens],
        "gen_ai.client.inference.usage.cache_read.input_tokens": [USAGE.cached_tokens],
        "gen_ai.client.inference.usage.reasoning.output_tokens": [USAGE.reasoning_tokens],
        "gen_ai.client.inference.operation.input_tokens": [USAGE.input_tokens],
        "gen_ai.client.inference.operation.output_tokens": [USAGE.output_tokens],
        "harness.cost": [0.125],
    }


def test_each_request_has_a_time_the_failed_ones_with_their_cause() -> None:
    story = story_of(a_result(), [a_hard_won_span()], origin_at=ORIGIN, content=False)
    times = [m for m in story.measurements if m.instrument is names.REQUEST_DURATION]

    assert [(time.value, time.attributes.get("error.type")) for time in times] == [
        (0.5, "rate_limited"),
        (2.0, None),
    ]


def test_a_hit_adds_a_call_and_no_tokens() -> None:
    found = values_of(a_result(), a_span(served=Served(source="cache", attempts=0), cost=0.0))
    assert set(found) == {"gen_ai.invoke_workflow.duration", "harness.topics", "harness.calls"}


def test_a_call_that_was_never_sent_adds_no_tokens() -> None:
    refused = a_span(
        error=Failure(type="TopicBudgetExceeded", message="no"),
        served=Served(source="replay", attempts=0),
        cost=0.0,
    )
    assert set(values_of(a_result(), refused)) == {
        "gen_ai.invoke_workflow.duration",
        "harness.topics",
        "harness.calls",
    }
