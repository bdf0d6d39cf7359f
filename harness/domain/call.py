"""The call that asks for a completion: by whom, and in which way."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.domain.answer_check import Check
from harness.domain.attempt import Attempt
from harness.domain.completion import OnDelta
from harness.domain.ledger import Ledger
from harness.domain.tracker import UNWATCHED, Tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The asker of a completion, and the way of asking: nothing here changes the answer, so nothing
    here is part of the key.

    `priority` is the index of the topic: the call of the oldest open topic goes first. `endpoint`
    is the name of the endpoint that is asked, "" for the run's own. `stream` asks for a streamed
    response. `on_delta` is shown the pieces as they arrive; it may not be slow or raise.
    `topic_ledger` pays for what the topic may spend at most; None: the topic has no cap of its own.
    `check` is what the step demands of an answer; None: nothing beyond what every answer must be.
    `attempt` is the one that is made now, each retry has one of its own. `tracker` is told where
    the call is.
    """

    run_id: str
    topic_id: str
    span_id: str
    priority: int = 0
    endpoint: str = ""
    stream: bool = True
    on_delta: OnDelta | None = None
    topic_ledger: Ledger | None = field(default=None, compare=False)
    check: Check | None = field(default=None, compare=False)
    attempt: Attempt = field(default_factory=Attempt, compare=False, repr=False)
    tracker: Tracker = field(default=UNWATCHED, compare=False, repr=False)

    @property
    def owner(self) -> str:
        return f"{self.run_id}/{self.topic_id}/{self.span_id}"
