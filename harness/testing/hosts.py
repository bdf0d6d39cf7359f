"""The hosts that a mock answers for, and the port behind which its replies are decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.testing.deepseek.fake import Exchange


@dataclass(slots=True, kw_only=True)
class Hosts:
    """The hosts that are answered for, and those that requests may leave for.

    May change at any time.
    """

    answered: set[str]
    let_through: set[str] = field(default_factory=set)


class Replier(Protocol):
    """The decider on replies; `FakeDeepSeek` is one."""

    def begin(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, now_s: float
    ) -> Exchange:
        """Take a request in.

        Names in `headers` are lower-case; `now_s` is the event loop's time.
        """
        ...
