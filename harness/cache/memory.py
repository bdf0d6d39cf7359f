"""The ports in memory: for tests, and for runs that keep nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.domain.completion import AtMost, Request
from harness.domain.key import canonical_request
from harness.domain.ledger import Spent
from harness.domain.recorded_call import RecordedCall
from harness.ports import Claim, OpenCall, Rejection, Resolution, Stored
from harness.records.codec import kept


class MemoryCache:
    """A `harness.ports.Cache` that forgets everything with the process.

    Closed rows of the journal are folded into their run's total, so what is not kept takes no room,
    however long the run.
    """

    def __init__(self) -> None:
        self._answers: dict[str, RecordedCall] = {}
        self._rejected: dict[str, str] = {}
        self._by_topic: dict[str, dict[str, None]] = {}
        self._open: dict[int, tuple[Request, OpenCall]] = {}
        self._closed: dict[str, Spent] = {}
        self._leases: set[str] = set()
        self._last = 0

    @classmethod
    def holding(cls, calls: Iterable[RecordedCall]) -> MemoryCache:
        """One that knows these answers from the start: of several under one key, the last."""
        cache = cls()
        for call in calls:
            cache._keep(call)
        return cache

    async def get(self, key: str, request: Request) -> Stored | None:
        """See `harness.ports.Answers`."""
        found = self._answers.get(key)
        if found is None or canonical_request(found.request) != canonical_request(request):
            return None
        return Stored(
            completion=found.completion,
            run_id=found.run_id,
            created_at=found.created_at,
            rejected=self._rejected.get(key),
        )

    async def recorded(self, topic_id: str) -> Sequence[RecordedCall]:
        """See `harness.ports.Answers`."""
        found = [self._answers[key] for key in self._by_topic.get(topic_id, ())]
        return sorted(found, key=lambda call: call.created_at)

    async def claim(self, key: str) -> Claim:
        """See `harness.ports.Leases`."""
        if key in self._leases:
            return "held"
        self._leases.add(key)
        return "found" if key in self._answers else "taken"

    def release(self, key: str) -> None:
        """See `harness.ports.Leases`."""
        self._leases.discard(key)

    async def open_call(self, request: Request, entry: OpenCall) -> int:
        """See `harness.ports.Journal`."""
        self._last += 1
        self._open[self._last] = (request, entry)
        return self._last

    async def resolve(self, number: int, resolution: Resolution) -> None:
        """See `harness.ports.Journal`. Raises ValueError for a number that is not open."""
        if number not in self._open:
            raise ValueError(
                f"call {number} is not open here: it was resolved before, or never opened"
            )
        request, entry = self._open.pop(number)
        run_id = entry.call.run_id
        if resolution.outcome == "stored" and resolution.keep and resolution.completion is not None:
            self._keep(
                RecordedCall(
                    topic_id=entry.call.topic_id,
                    span_id=entry.call.span_id,
                    key=entry.key,
                    request=request,
                    completion=kept(resolution.completion),
                    run_id=run_id,
                    created_at=resolution.closed_at,
                )
            )
            self._leases.discard(entry.key)
        row = _Row(
            entry, resolution.outcome, resolution.cost, resolution.tokens, resolution.at_most
        )
        self._closed[run_id] = row.added_to(self._closed.get(run_id, Spent()))

    async def reject(self, rejection: Rejection) -> None:
        """See `harness.ports.Journal`. A closed row of the journal is only money here, and has no
        place for a mark.
        """
        kept_now = self._answers.get(rejection.key)
        if kept_now is not None and kept_now.completion.owner == rejection.owner:
            self._rejected[rejection.key] = rejection.reason

    async def spent(self, run_id: str) -> Spent:
        """See `harness.ports.Journal`."""
        total = self._closed.get(run_id, Spent())
        for entry in await self.left_open(run_id):
            total = _Row(entry, "open", None, 0).added_to(total)
        return total

    async def left_open(self, run_id: str) -> Sequence[OpenCall]:
        """See `harness.ports.Journal`."""
        return [entry for _, entry in self._open.values() if entry.call.run_id == run_id]

    def _keep(self, call: RecordedCall) -> None:
        before = self._answers.get(call.key)
        if before is not None:
            del self._by_topic[before.topic_id][call.key]
        self._answers[call.key] = call
        self._rejected.pop(call.key, None)
        self._by_topic.setdefault(call.topic_id, {})[call.key] = None


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the journal, as money."""

    entry: OpenCall
    outcome: Literal["open", "stored", "failed"]
    cost: float | None
    tokens: int
    judged: AtMost | None = None

    def added_to(self, total: Spent) -> Spent:
        # The payment is unknown while the call is open, where it failed and nobody knows its cost,
        # and where an answer came without its usage.
        at_risk = self.cost is None and (self.outcome != "stored" or self.tokens == 0)
        untold = at_risk and self.outcome == "stored"
        most = self.judged or AtMost(cost=self.entry.cost_at_most, tokens=self.entry.tokens_at_most)
        worst = self.entry.cost_at_most if most.cost is None else most.cost
        return replace(
            total,
            calls=total.calls + 1,
            cost=total.cost + (self.cost or 0.0),
            tokens=total.tokens + self.tokens,
            cost_at_risk=total.cost_at_risk + ((worst or 0.0) if at_risk else 0.0),
            tokens_at_risk=total.tokens_at_risk
            + (max(most.tokens - self.tokens, 0) if at_risk else 0),
            open_calls=total.open_calls + (self.outcome == "open"),
            unpriced=total.unpriced + (self.cost is None and (not at_risk or worst is None)),
            untold=total.untold + untold,
            cost_untold=total.cost_untold + ((worst or 0.0) if untold else 0.0),
            tokens_untold=total.tokens_untold + (most.tokens if untold else 0),
        )
