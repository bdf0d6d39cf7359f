"""What checks and comparisons look at: the rows of one topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
"""A row of `results.jsonl` or `traces.jsonl` as docs/formats.md describes it."""


def answers_before(call: Row, calls: Sequence[Row]) -> dict[str, str]:
    """The answers that a topic had when one of its calls was wanted, by the ids of the calls that gave them."""
    return {one["id"]: one["content"] for one in calls if one["end_s"] <= call["start_s"] and one is not call}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One draw of one topic: its row, and the rows of its calls in the order in which they were wanted.

    `topic_id` is the dataset's id without the number of the draw; `sample` counts draws from 0.
    """

    topic_id: str
    sample: int
    row: Row
    calls: Sequence[Row]

    def of_step(self, step: str) -> tuple[Row, ...]:
        """The calls of a step, by its name."""
        return tuple(call for call in self.calls if call["step"] == step)
