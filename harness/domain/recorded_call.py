"""An answer that was recorded, for which call of which topic, and why a request is not among
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from harness.domain.completion import Completion, Request

_REPEATED = re.compile(r"#\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One entry of a cache or a cassette, as the call that it was recorded for.

    `topic_id` and `span_id` are those of the first call that asked. `created_at` is in UTC; a
    cassette knows only the day. `run_id` is the run that paid, or "cassette".
    """

    topic_id: str
    span_id: str
    key: str
    request: Request
    completion: Completion
    run_id: str
    created_at: datetime

    @property
    def step(self) -> str:
        return step_of(self.span_id)


class WhyUnknown(Protocol):
    """The reason why a request is not in a recording; `harness.diffs.misses` finds it out."""

    def text(self) -> str:
        """Some plain lines; the first says what it comes to, and what to do."""


class Explain(Protocol):
    """Finds out why a request is not among the calls that are recorded for its topic."""

    def __call__(
        self,
        *,
        request: Request,
        topic_id: str,
        span_id: str,
        recorded: Sequence[RecordedCall],
        earlier: Mapping[str, str],
    ) -> WhyUnknown:
        """`earlier` are the answers, by span id, that this topic's present run had before it
        asked.
        """


def step_of(span_id: str) -> str:
    """Return the step's name in a span's id.

    It is `research` in `research.2/research`, and `decompose` in `decompose#2`.
    """
    return _REPEATED.sub("", span_id.rpartition("/")[2])
