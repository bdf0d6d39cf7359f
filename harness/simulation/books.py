"""The sums that are kept while a simulated run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.domain.completion import Served
from harness.domain.waits import BACKOFF, HELD

SIMULATED_WAITS = (*HELD, BACKOFF)
"""The waits that a simulated run has: it stores nothing."""


def _no_seconds() -> dict[str, float]:
    return dict.fromkeys((wait.field for wait in SIMULATED_WAITS), 0.0)


@dataclass(slots=True)
class WaitSums:
    """Seconds that all calls together waited, by the fields of `Served`."""

    seconds: dict[str, float] = field(default_factory=_no_seconds)

    def add(self, served: Served) -> None:
        for name in self.seconds:
            self.seconds[name] += getattr(served, name)


@dataclass(slots=True, kw_only=True)
class Books:
    """Sums over the calls and topics that have ended. Money in USD; `peak_cost` is the part paid in
    peak hours.

    `failed_calls` ended without an answer, `unpriced` calls have no known price. `work_s` is what
    the attempts that brought an answer took, and `critical_path_s` the longest chain of them that
    needed each other's answers.
    """

    finished: int = 0
    calls: int = 0
    failed_calls: int = 0
    cost: float = 0.0
    peak_cost: float = 0.0
    unpriced: int = 0
    work_s: float = 0.0
    critical_path_s: float = 0.0
    waits: WaitSums = field(default_factory=WaitSums)
