"""The events of a call for a display: the stage that it is at, and its result."""

from __future__ import annotations

from typing import Literal, TypeAlias

from harness.domain.failures import CompletionError

Stage: TypeAlias = Literal["cache", "retry", "money", "run", "all", "sent"]
"""The stage of a call: at the cache (or waiting for another who asks the same), between two
attempts, waiting for money, for a slot of its topic, for a slot among all, or on its way to the
model.
"""


class Tracker:
    """One call, as it is followed. This one follows nothing: for calls that nobody watches.

    Nothing that it is told changes what becomes of the call.
    """

    __slots__ = ()

    def at(self, stage: Stage) -> None:
        """The call has come to this stage."""

    def events(self, number: int) -> None:
        """So many events of the answer's stream have come."""

    def answered(self, output_tokens: int) -> None:
        """The request was answered; its server counted so many tokens, 0 where it did not."""

    def failed(self, error: CompletionError) -> None:
        """The request failed; it may be sent again."""

    def ended(self) -> None:
        """The call is over, whatever came of it."""


UNWATCHED = Tracker()
