"""What is counted while a simulated night goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.domain.completion import Served


@dataclass(slots=True, kw_only=True)
class WaitSums:
    """Seconds that all calls together waited, by cause, as in `Served`."""

    queued_run_s: float = 0.0
    queued_s: float = 0.0
    paced_s: float = 0.0
    budget_s: float = 0.0
    outage_s: float = 0.0
    backoff_s: float = 0.0

    def add(self, served: Served) -> None:
        self.queued_run_s += served.queued_run_s
        self.queued_s += served.queued_s
        self.paced_s += served.paced_s
        self.budget_s += served.budget_s
        self.outage_s += served.outage_s
        self.backoff_s += served.backoff_s


@dataclass(slots=True, kw_only=True)
class Books:
    """Sums over the calls and topics that have ended. Money in USD; `peak_cost` is the part paid in peak hours.

    `failed_calls` ended without an answer, `unpriced` calls have no known price. `work_s` is what the attempts that
    brought an answer took, and `critical_path_s` the longest chain of them that needed each other's answers.
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
