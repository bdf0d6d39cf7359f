"""A draw of a topic: the material of checks and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.records.stored import StoredResult, StoredSpan, result_row, span_row

Row = dict[str, Any]
"""A row of `results.jsonl` or `traces.jsonl`, as docs/formats.md describes it."""


def answers_before(call: StoredSpan, calls: Sequence[StoredSpan]) -> dict[str, str]:
    """Return the answers that a topic had when one of its calls was wanted, by the ids of the calls
    that gave them.
    """
    return {one.id: one.content for one in calls if one.end_s <= call.start_s and one is not call}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One draw of one topic: its row, and its calls in the order in which they were wanted.

    `topic_id` is the dataset's id without the number of the draw; `sample` counts draws from 0.
    """

    topic_id: str
    sample: int
    row: StoredResult
    calls: Sequence[StoredSpan]

    def of_step(self, step: str) -> tuple[StoredSpan, ...]:
        """Return the calls of a step, by its name."""
        return tuple(call for call in self.calls if call.step == step)

    def as_rows(self) -> CaseRows:
        """Return the case in the form that a user's own code is given."""
        return CaseRows(
            topic_id=self.topic_id,
            sample=self.sample,
            row=result_row(self.row),
            calls=[span_row(call) for call in self.calls],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRows:
    """A case for a test or a check of a user: rows as they stand in the files of a run.

    Whoever has it may change it.
    """

    topic_id: str
    sample: int
    row: Row
    calls: list[Row]

    def of_step(self, step: str) -> tuple[Mapping[str, Any], ...]:
        """Return the calls of a step, by its name."""
        return tuple(call for call in self.calls if call["step"] == step)
