"""The choice of topics that are run when a run is continued."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

TopicState: TypeAlias = Literal["ok", "degraded", "failed", "unfinished"]
"""The state of a topic: that of its row, or `unfinished` without one."""

REDONE: tuple[TopicState, ...] = ("failed", "degraded", "unfinished")
"""The states of topics that may be run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redo:
    """Topics in one of these states, and where some are named only those of them that are named."""

    states: tuple[TopicState, ...] = ("failed", "unfinished")
    topics: tuple[str, ...] = ()

    @property
    def is_narrow(self) -> bool:
        """Return whether topics may be left as they are that a run would else go on with."""
        return bool(self.topics) or not {"failed", "unfinished"} <= set(self.states)


ALL_LEFT = Redo()
"""The topics that are left of a run: those without a row and those that failed."""
