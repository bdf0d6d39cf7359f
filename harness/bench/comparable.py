"""The check that measurements are of the same work.

What is not is refused: a number would look right and mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.bench.files import Bench
from harness.bench.measured import Measured
from harness.errors import ResultsError

_SAME_WORK = (
    *("dataset", "prompts", "workflow", "workflow_settings"),
    *("endpoint", "endpoints", "model", "thinking", "effort", "steps"),
)


def check_arms(bench: Bench) -> None:
    """Raise ResultsError unless each arm has each round, of the same topics, prompts and models."""
    rounds = by_round(bench.calls)
    first = bench.arms[0].name
    numbers = range(1, bench.description.repeat + 1)
    if strays := sorted(
        rounds.keys() - {(arm.name, number) for arm in bench.arms for number in numbers}
    ):
        raise ResultsError(
            f"{bench.path}: has calls of {strays[0][0]}, round {strays[0][1]}, which it does not"
            " name"
        )
    for number in numbers:
        for arm in bench.arms:
            one, other = rounds.get((first, number)), rounds.get((arm.name, number))
            if not one or not other:
                missing = first if not one else arm.name
                raise ResultsError(
                    f"{bench.path}: round {number} of {missing} has no timings; run the benchmark"
                    " again"
                )
            where = f"{bench.path}: {arm.name} cannot be compared with {first} in round {number}"
            _same(where, "topics", _topics(one), _topics(other))
            _same(where, "models", {call.model for call in one}, {call.model for call in other})
            _same(where, "first prompts", _first_keys(one), _first_keys(other))


def check_benches(one: Bench, other: Bench) -> None:
    """Raise ResultsError unless both measured the same topics, prompts and model; nothing else need
    be equal.
    """
    for name in _SAME_WORK:
        a, b = (bench.description.identity.get(name) for bench in (one, other))
        if a != b:
            raise ResultsError(
                f"{one.path} and {other.path} cannot be compared: they differ in {name}"
                f" ({_short(a)} and {_short(b)})"
            )
    where = f"{one.path} and {other.path} cannot be compared"
    _same(where, "topics", _topics(one.calls), _topics(other.calls))
    if one.description.virtual != other.description.virtual:
        raise ResultsError(f"{where}: one of them is on virtual time")
    if one.description.endpoint == "mock":
        _check_mock(where, one.description.settings, other.description.settings)
    if not {arm.name for arm in one.arms} & {arm.name for arm in other.arms}:
        raise ResultsError(f"{where}: they have no arm in common")


def _check_mock(where: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    for name in ("latency", "faults", "seed"):
        if one.get(name) != other.get(name):
            raise ResultsError(
                f"{where}: the mock's {name} was {one.get(name)} and {other.get(name)}"
            )


def by_round(calls: Iterable[Measured]) -> dict[tuple[str, int], list[Measured]]:
    """Group the calls by arm and round."""
    found: dict[tuple[str, int], list[Measured]] = {}
    for call in calls:
        found.setdefault((call.arm, call.round), []).append(call)
    return found


def _topics(calls: Iterable[Measured]) -> set[str]:
    return {call.times.topic_id for call in calls}


def _first_keys(calls: Iterable[Measured]) -> set[str]:
    first: dict[str, Measured] = {}
    for call in calls:
        known = first.get(call.times.topic_id)
        if known is None or (call.times.start_s, call.times.id) < (
            known.times.start_s,
            known.times.id,
        ):
            first[call.times.topic_id] = call
    return {call.key for call in first.values()}


def _same(where: str, what: str, one: set[Any], other: set[Any]) -> None:
    if one != other:
        odd = sorted(str(item) for item in one ^ other)
        raise ResultsError(
            f"{where}: their {what} differ (such as {_short(odd[0])}, {len(odd)} in all)"
        )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:36] + "…"
