"""The numbers of a benchmark and of a comparison as values, and their one form as JSON.

`report.json` is written from a `BenchReport` and read back into one. The rule for earlier versions
is that of all our files: a field that came later has a default, and one that is gone is passed
over. Version 1 also had a fit of Amdahl's law and a check of a published example.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from harness.bench.description import About
from harness.domain.policy import Limits
from harness.errors import ResultsError
from harness.records.typed import TypedReader
from harness.timing.bounds import BoundBy
from harness.timing.losses import Cause
from harness.timing.stats import Distribution, Ratio

REPORT_VERSION = 2
_READABLE = (1, REPORT_VERSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanBound:
    """The lower bound on the wall time, and what it is made of, in seconds: means over the
    rounds.
    """

    seconds: float
    by: BoundBy
    work_s: float
    critical_path_s: float
    pace_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """One step of an arm. `calls` is a mean over the rounds.

    Times count from when a call was wanted; those named `sent_…` and `service_s` from when the
    request that was answered left: they are the provider's. `inter_token_s` are the mean seconds
    between two tokens of a call, `output_tokens_per_s` is of one call. Versions before had none of
    these.
    """

    step: str
    calls: float
    calls_per_s: float
    tokens_per_s: float
    queue_wait_s: Distribution | None
    ttft_reasoning_s: Distribution | None
    ttft_answer_s: Distribution | None
    total_s: Distribution | None
    wall_of_a_topic_s: Distribution | None
    sent_ttft_reasoning_s: Distribution | None = None
    sent_ttft_answer_s: Distribution | None = None
    service_s: Distribution | None = None
    inter_token_s: Distribution | None = None
    output_tokens_per_s: Distribution | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFigures:
    """The provider's part in an arm: means over its rounds.

    `refusals` are answers with 429; `wait_s` is how long calls waited in all because the provider
    was away or asked for a pause, or for the pace. `limit` is the least number of calls in flight
    that it said it has room for, or that the round showed; None: none is known. `slots` is how many
    were to be had with it; `bound_s` and `efficiency` are those of so many slots.
    """

    refusals: float
    wait_s: float
    limit: int | None
    slots: float
    bound_s: float
    efficiency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """One arm, as means over its rounds. `failed_calls` is the number in all rounds together.

    `underfed`: it had more calls in flight than there are topics. `cost` is in USD, None: not
    known.
    """

    name: str
    limits: Limits
    swept: bool
    underfed: bool
    wall_s: float
    walls_s: tuple[float, ...]
    calls: float
    failed_calls: int
    calls_per_s: float
    tokens_per_s: float
    input_tokens: float
    cached_tokens: float
    output_tokens: float
    cost: float | None
    speedup: Ratio | None
    topic_speedup: Ratio | None
    bound: MeanBound
    efficiency: float
    losses: Mapping[Cause, float]
    steps: tuple[StepFigures, ...]
    story: str
    output_tokens_per_s: float | None = None
    provider: ProviderFigures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPoint:
    """The throughput of one arm of the sweep."""

    in_flight: int
    calls_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLaw:
    """The universal scalability law through a sweep; see `timing.scaling.Scaling`."""

    gamma: float
    alpha: float
    beta: float
    error: float
    knee: float | None
    peak: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The growth of throughput with calls in flight. `measured_to` is the most of them."""

    points: tuple[SweepPoint, ...]
    usl: FittedLaw
    measured_to: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """All numbers of a benchmark. `notes` say what to know before believing one."""

    version: int = REPORT_VERSION
    benchmark: str
    about: About
    virtual: bool
    repeat: int
    topics: int
    warm_up: str | None
    settings: Mapping[str, Any]
    model: str | None
    endpoint: str
    baseline: str
    arms: tuple[ArmFigures, ...]
    scaling: Sweep | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedArm:
    """One arm in two benchmarks: the numbers of each, the ratio `other / one`, and what it says."""

    name: str
    underfed: bool
    wall_s: tuple[float, float]
    efficiency: tuple[float, float]
    cost: tuple[float | None, float | None]
    ratio: Ratio | None
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One benchmark against another. The pairs are in the order in which they were named."""

    benchmarks: tuple[str, str]
    about: tuple[About, About]
    settings: tuple[Mapping[str, Any], Mapping[str, Any]]
    rounds: int
    arms: tuple[ComparedArm, ...]
    notes: tuple[str, ...]


def as_json(value: Any) -> Any:
    """Return the JSON of a report, of a comparison, or of any part of one.

    Numbers are told to the microsecond, so that no machine's last digit shows. A limit that is not
    set is left out.
    """
    if isinstance(value, float):
        return round(value, 6)
    if is_dataclass(value):
        return _fields_as_json(value)
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def _fields_as_json(value: Any) -> dict[str, Any]:
    found = {}
    for field in fields(value):
        item = getattr(value, field.name)
        if item is not None or not isinstance(value, Limits):
            found[field.name] = as_json(item)
    return found


def bench_report_of(value: Any) -> BenchReport:
    """Read what `as_json` made of a report. Raises ValueError, naming the field, for anything
    else.
    """
    return _READER.of_value(value)


def read_bench_report(path: Path) -> BenchReport:
    """Read a `report.json` of this version or an earlier one. Raises ResultsError."""
    try:
        value = json.loads(path.read_bytes())
        report = bench_report_of(value)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ResultsError(f"{path}: is no report of a benchmark, or damaged: {error}") from error
    if report.version not in _READABLE:
        known = " and ".join(str(version) for version in _READABLE)
        raise ResultsError(
            f"{path}: of version {report.version}, and this harness reads {known}; "
            "`harness bench report DIR` writes it again"
        )
    return report


_READER = TypedReader(BenchReport, special={}, named={})
