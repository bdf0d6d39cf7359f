"""The measurements that a finished topic adds to the metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.domain.run import Span, TopicResult
from harness.telemetry import names
from harness.telemetry.attributes import asked_of, first_chunk_s, paid_usage
from harness.telemetry.values import Attribute, Measurement


def measurements_of(result: TopicResult, spans: Sequence[Span]) -> tuple[Measurement, ...]:
    """The topic's own and those of its calls."""
    of_topic: dict[str, Attribute] = {
        names.OPERATION: names.INVOKE_WORKFLOW,
        names.WORKFLOW: result.workflow,
    }
    ended = dict(of_topic)
    if result.status == "failed" and result.error is not None:
        ended[names.ERROR_TYPE] = result.error.kind or result.error.type
    return (
        Measurement(names.WORKFLOW_DURATION, result.elapsed_s, ended),
        Measurement(
            names.TOPIC_COUNT,
            1,
            {names.WORKFLOW: result.workflow, names.TOPIC_STATUS: result.status},
        ),
        *(measurement for span in spans for measurement in _of_call(span)),
    )


def _of_call(span: Span) -> Iterator[Measurement]:
    asked = asked_of(span.request)
    answered = dict(asked)
    if span.model:
        answered[names.RESPONSE_MODEL] = span.model
    yield Measurement(
        names.CALL_COUNT, 1, {**asked, names.STEP: span.step, names.SOURCE: span.served.source}
    )
    for failure in span.served.failures:
        yield Measurement(
            names.REQUEST_DURATION, failure.elapsed_s, {**asked, names.ERROR_TYPE: failure.kind}
        )
    if span.served.source == "endpoint" and span.error is None:
        yield Measurement(names.REQUEST_DURATION, span.served.latency_s, answered)
    if (first := first_chunk_s(span)) is not None:
        yield Measurement(names.FIRST_CHUNK, first, answered)
    if (paid := paid_usage(span)) is not None:
        text = {**answered, names.MODALITY: "text"}
        yield Measurement(names.INPUT_USAGE, paid.input_tokens, text)
        yield Measurement(names.OUTPUT_USAGE, paid.output_tokens, text)
        yield Measurement(names.CACHE_READ_USAGE, paid.cached_tokens, text)
        yield Measurement(names.REASONING_USAGE, paid.reasoning_tokens, text)
        yield Measurement(names.INPUT_OF_CALL, paid.input_tokens, answered)
        yield Measurement(names.OUTPUT_OF_CALL, paid.output_tokens, answered)
    if span.cost:
        yield Measurement(names.COST_COUNT, span.cost, {**asked, names.STEP: span.step})
