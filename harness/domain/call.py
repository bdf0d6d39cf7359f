"""Who asks for a completion, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.domain.check import Check
from harness.domain.completion import OnDelta
from harness.domain.purse import Purse


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who asks, and how the asking is done: nothing here changes the answer, so nothing here is part of the key.

    `priority` is the index of the topic: the call of the oldest open topic goes first. `stream` asks for a streamed
    response. `on_delta` is shown the pieces as they arrive, `on_events` is told how many events of a stream have come,
    which costs next to nothing; both must be quick and must not raise. `purse` pays for what the topic may spend at
    most; None: the topic has no cap of its own. `check` is what the step demands of an answer; None: nothing beyond
    what every answer must be.
    """

    run_id: str
    topic_id: str
    span_id: str
    priority: int = 0
    stream: bool = True
    on_delta: OnDelta | None = None
    on_events: Callable[[int], None] | None = field(default=None, compare=False)
    purse: Purse | None = field(default=None, compare=False)
    check: Check | None = field(default=None, compare=False)

    @property
    def owner(self) -> str:
        return f"{self.run_id}/{self.topic_id}/{self.span_id}"
