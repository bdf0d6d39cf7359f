"""Requests that the recording does not know: gathered by what went wrong, so that one changed
prompt is one finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

_ORDER = ("changed", "new step", "unknown topic", "follows")


class Miss(Protocol):
    """One call whose request is not recorded. `text` explains it, in several lines.

    `verdict` is "changed" (the call is recorded with another request), "follows" (it differs only
    by earlier answers), "new step" (the topic has no such call) or "unknown topic" (nothing is
    recorded of the topic).
    """

    @property
    def topic_id(self) -> str: ...
    @property
    def sample(self) -> int: ...
    @property
    def span_id(self) -> str: ...
    @property
    def step(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def verdict(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MissGroup:
    """All misses of one step for one reason, with the first as an example."""

    step: str
    reason: str
    calls: int
    topics: int
    example: Miss


def grouped(misses: Iterable[Miss]) -> tuple[MissGroup, ...]:
    """Return what changed first, what only follows from it last; the steps in the order in which
    they were met.
    """
    groups: dict[tuple[str, str], list[Miss]] = {}
    for miss in misses:
        groups.setdefault((miss.verdict, miss.step), []).append(miss)
    found = [
        MissGroup(
            step=step,
            reason=reason,
            calls=len(group),
            topics=len({miss.topic_id for miss in group}),
            example=group[0],
        )
        for (reason, step), group in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: (*_ORDER, group.reason).index(group.reason)))


def unrecorded_calls(misses: Iterable[Miss]) -> Mapping[tuple[str, int], frozenset[str]]:
    """The ids of the calls, by topic and sample."""
    found: dict[tuple[str, int], set[str]] = {}
    for miss in misses:
        found.setdefault((miss.topic_id, miss.sample), set()).add(miss.span_id)
    return {draw: frozenset(span_ids) for draw, span_ids in found.items()}
