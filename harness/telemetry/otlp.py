"""Spans and metrics over OTLP/HTTP, by the official SDK: the only module that imports it, where it
is asked for.

A span is told when it is over, with its times and its ids, so it is begun and ended in one go here.
Batching and the thread are the exporter's: it counts what could not be delivered, which the SDK's
own batching does not tell.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from harness._version import __version__
from harness.telemetry import names
from harness.telemetry.connection import Connection
from harness.telemetry.names import INSTRUMENTS, Instrument
from harness.telemetry.values import Measurement, SpanRecord, TopicStory

REQUEST_TIMEOUT_S = 5.0
SCOPE = "harness"
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}


class OtlpSink:
    """Sends to the collector at a URL such as http://127.0.0.1:4318."""

    def __init__(self, url: str, *, run_id: str) -> None:
        base = url.rstrip("/")
        # What the user's own variables say of the process rules (OTEL_SERVICE_NAME,
        # OTEL_RESOURCE_ATTRIBUTES).
        theirs = OTELResourceDetector().detect().attributes
        ours = {"service.name": "harness", "service.version": __version__, names.RUN_ID: run_id}
        resource = Resource.create({**ours, **theirs})
        self._ids, self._ended = _KnownIds(), _Ended()
        tracing = TracerProvider(
            ALWAYS_ON, resource, shutdown_on_exit=False, id_generator=self._ids
        )
        tracing.add_span_processor(self._ended)
        self._tracer = tracing.get_tracer(SCOPE, __version__)
        self._reader = InMemoryMetricReader()
        metering = MeterProvider([self._reader], resource, shutdown_on_exit=False)
        self._record = _recorders(metering.get_meter(SCOPE, __version__))
        self._complaints = _Complaints()
        self._connection = line = Connection()
        self._spans = OTLPSpanExporter(
            f"{base}/v1/traces",
            timeout=REQUEST_TIMEOUT_S,
            compression=Compression.Gzip,
            session=line,
        )
        self._metrics = OTLPMetricExporter(
            f"{base}/v1/metrics",
            timeout=REQUEST_TIMEOUT_S,
            compression=Compression.Gzip,
            session=line,
        )

    def send(self, stories: Sequence[TopicStory]) -> str | None:
        """See `Sink`."""
        for story in stories:
            for measurement in story.measurements:
                self._record[measurement.instrument.name](measurement)
            for record in story.spans:
                self._tell(record)
        ended = self._ended.taken()
        if not ended:  # the SDK is disabled by its own variable
            return None
        return self._why_not(lambda: self._spans.export(ended) is SpanExportResult.SUCCESS)

    def send_metrics(self, levels: Sequence[Measurement]) -> str | None:
        """See `Sink`."""
        for level in levels:
            self._record[level.instrument.name](level)
        data = self._reader.get_metrics_data()
        if data is None:
            return None
        return self._why_not(lambda: self._metrics.export(data) is MetricExportResult.SUCCESS)

    @property
    def troubled(self) -> bool:
        """See `Sink`."""
        return self._connection.trouble is not None

    def give_up(self) -> None:
        """See `Sink`."""
        for end in (self._spans.shutdown, self._metrics.shutdown):  # the first has no types
            end()

    def _why_not(self, export: Callable[[], bool]) -> str | None:
        """Return why an export did not succeed.

        In our words where it is about the connection, else in those of the SDK.
        """
        self._connection.forget()
        with self._complaints:
            taken = export()
        if taken:
            return None
        return self._connection.trouble or self._complaints.first or "no reason was given"

    def _tell(self, record: SpanRecord) -> None:
        context = None
        if record.parent_id is not None:
            above = SpanContext(
                record.trace_id, record.parent_id, is_remote=False, trace_flags=TraceFlags(1)
            )
            context = set_span_in_context(NonRecordingSpan(above))
        self._ids.set(record.trace_id, record.span_id)
        span = self._tracer.start_span(
            record.name, context, _KINDS[record.kind], record.attributes, start_time=record.start_ns
        )
        for event in record.events:
            span.add_event(event.name, event.attributes, event.at_ns)
        if record.failed:
            span.set_status(Status(StatusCode.ERROR, record.why))
        span.end(record.end_ns)


class _KnownIds(IdGenerator):
    """Gives out the ids that were set last."""

    def __init__(self) -> None:
        self._trace_id = self._span_id = 1

    def set(self, trace_id: int, span_id: int) -> None:
        self._trace_id, self._span_id = trace_id, span_id

    def generate_trace_id(self) -> int:
        return self._trace_id

    def generate_span_id(self) -> int:
        return self._span_id


class _Ended(SpanProcessor):
    """Keeps the spans that ended until they are taken."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def taken(self) -> list[ReadableSpan]:
        spans, self._spans = self._spans, []
        return spans


class _Complaints(logging.Handler):
    """Catches what the exporters log while they are asked for something; without a handler, Python
    would print it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first: str | None = None
        self._logger = logging.getLogger("opentelemetry.exporter")

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or record.getMessage()

    def __enter__(self) -> None:
        self.first = None
        self._propagated = self._logger.propagate
        self._logger.addHandler(self)
        self._logger.propagate = False

    def __exit__(self, *raised: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated


def _recorders(meter: Meter) -> dict[str, _Recorder]:
    return {instrument.name: _Recorder(meter, instrument) for instrument in INSTRUMENTS}


class _Recorder:
    """Records the measurements of one instrument."""

    def __init__(self, meter: Meter, instrument: Instrument) -> None:
        told = (instrument.name, instrument.unit, instrument.meaning)
        match instrument.kind:
            case "counter":
                self._add = meter.create_counter(*told).add
            case "gauge":
                self._add = meter.create_gauge(*told).set
            case "histogram":
                buckets = instrument.buckets
                self._add = meter.create_histogram(
                    *told, explicit_bucket_boundaries_advisory=buckets
                ).record

    def __call__(self, measurement: Measurement) -> None:
        self._add(measurement.value, measurement.attributes)
