"""Which hosts a mock answers for, and what decides on its replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.testing.deepseek.fake import Exchange


@dataclass(slots=True, kw_only=True)
class Hosts:
    """Which hosts are answered for, and to which requests may leave. May change at any time."""

    answered: set[str]
    let_through: set[str] = field(default_factory=set)


class Mind(Protocol):
    """What decides on replies; `FakeDeepSeek` is one."""

    def begin(self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, now_s: float) -> Exchange:
        """Take a request in. Names in `headers` are lower-case; `now_s` is the event loop's time."""
        ...
