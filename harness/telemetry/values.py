"""The spans and measurements of a topic as plain values, before any SDK sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from harness.telemetry.names import Instrument

Attribute: TypeAlias = "str | bool | int | float | tuple[str, ...]"
Attributes: TypeAlias = "Mapping[str, Attribute]"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """Something that happened within a span. Times are nanoseconds since the epoch."""

    name: str
    at_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRecord:
    """One span. `failed`: its status is an error; `why` is said only where content may be."""

    name: str
    kind: Literal["internal", "client"]
    trace_id: int
    span_id: int
    parent_id: int | None
    start_ns: int
    end_ns: int
    attributes: Attributes
    events: tuple[EventRecord, ...] = ()
    failed: bool = False
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value for a metric."""

    instrument: Instrument
    value: float
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStory:
    """All that is told of one topic. `size` is roughly what it takes in memory, in characters."""

    spans: tuple[SpanRecord, ...]
    measurements: tuple[Measurement, ...]
    size: int
