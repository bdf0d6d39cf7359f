"""All the ports there are: what the engine needs from the world, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from harness.domain.call import Call
from harness.domain.completion import AtMost, Completion, Request
from harness.domain.ledger import Charged, Reserved, Spent
from harness.domain.recorded_call import RecordedCall
from harness.domain.run import Span, TopicResult


class Completer(Protocol):
    """The only way to a model. Every layer (cache, budget, retry, limit, journal, endpoint) is
    one.
    """

    async def complete(self, request: Request, call: Call) -> Completion:
        """The whole answer, valid and ready to use.

        Raises CompletionError (transient, permanent, fatal), CacheMiss in replay, RunStopped when
        the run is ending.
        """
        ...


class WallClock(Protocol):
    """Stamps and prices. Durations never come from here: they are differences of the event loop's
    time.
    """

    def now(self) -> datetime:
        """This instant, in UTC, with its time zone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A cache entry. `completion` is what was stored, byte for byte; `created_at` is in UTC.

    `rejected` is why a step would not take it for an answer; None: nobody has said so. `recorded`:
    it stands in a recording that rules over the cache, so it is played as it is, whatever a step
    makes of it.
    """

    completion: Completion
    run_id: str
    created_at: datetime
    rejected: str | None = None
    recorded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A request about to leave, or one that left and was never resolved: its payment is unknown.

    `cost_at_most` in USD (None: no price known) and `tokens_at_most` are the worst case of this one
    request.
    """

    key: str
    call: Call
    opened_at: datetime
    cost_at_most: float | None
    tokens_at_most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The way in which a request that left came back.

    `outcome` "stored": `completion` is the answer, and is kept under the call's key if `keep`.
    "failed": `error` says why, `completion` is what had arrived, if anything. `cost` in USD: what
    it cost, None where nobody knows; `at_most` is then the most that it can have been, None where
    that is the worst case it was opened with.
    """

    outcome: Literal["stored", "failed"]
    closed_at: datetime
    cost: float | None
    tokens: int
    completion: Completion | None = None
    keep: bool = True
    error: str | None = None
    at_most: AtMost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A step's verdict on an answer that is stored under `key`. `call` asked for it, `owner` is the
    call that paid.
    """

    key: str
    call: Call
    owner: str
    reason: str


Claim = Literal["taken", "found", "held"]
"""The result of a claim. "taken": the lease is ours, and the cache holds no entry under the key.
"found": the lease is ours, and there is an entry, which may have come since the last look. "held":
another has the lease.
"""


class Answers(Protocol):
    """The answers that are kept, by key.

    Every method raises StorageError if the disk fails, and CacheError if the file turns out to be
    damaged; so do those of `Journal` and `Leases`.
    """

    async def get(self, key: str, request: Request) -> Stored | None:
        """The entry, or None. An entry whose stored request differs, or that is damaged, is
        reported and a miss.
        """
        ...

    async def recorded(self, topic_id: str) -> Sequence[RecordedCall]:
        """The entries that were stored for calls of this topic, of any run, oldest first; damaged
        ones are left out.

        An answer that several topics share is with the topic that asked first.
        """
        ...


class Leases(Protocol):
    """Leases on keys. A lease says that somebody is asking for the answer, so that nobody else has
    to.

    It ends with its owner: one that died holds nothing, one that is merely stopped holds on.
    """

    async def claim(self, key: str) -> Claim:
        """Take the lease on a key, unless another living holder, or an earlier claim of this one,
        has it.
        """
        ...

    def release(self, key: str) -> None:
        """Give back a lease that was taken, without waiting; without effect where `resolve` has
        done it.
        """
        ...


class Journal(Protocol):
    """The requests that left, what they cost, and what came back.

    An answer is stored, its request closed and its lease released in one transaction: `resolve`.
    """

    async def open_call(self, request: Request, entry: OpenCall) -> int:
        """Durably note that a request is about to leave; returns the number under which it is
        resolved.
        """
        ...

    async def resolve(self, number: int, resolution: Resolution) -> None:
        """Durably note how it came back, store its completion, and release the lease on its key if
        that is kept.

        All of that is one transaction. Once it has begun it is done, even if its caller is
        cancelled.
        """
        ...

    async def reject(self, rejection: Rejection) -> None:
        """Durably mark an answer as rejected: its entry, and the row of the journal where the call
        itself paid for it.

        The entry stays, with its mark, until another answer takes its place. Without effect on what
        is not there any more, or is by now the answer of another owner.
        """
        ...

    async def spent(self, run_id: str) -> Spent:
        """Return what the run has spent so far, by the journal."""
        ...

    async def left_open(self, run_id: str) -> Sequence[OpenCall]:
        """The run's requests that left and were never resolved, oldest first."""
        ...


class Cache(Answers, Leases, Journal, Protocol):
    """One store with all three, as the transaction of `Journal.resolve` needs it."""


@dataclass(slots=True, eq=False, kw_only=True)
class Want:
    """A wish to reserve money for one request of a topic's step.

    `most` is the most that it may cost. `likely` returns what it will likely cost, as things stand
    when it is asked; None where nobody can tell.
    """

    topic_id: str
    step: str
    most: AtMost
    likely: Callable[[], AtMost | None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Money that is held for one request until it is settled.

    It was waited for: `budget_s` seconds for money that others held, `queued_s` for a slot that
    could be used with it.
    """

    want: Want
    reserved: Reserved
    budget_s: float = 0.0
    queued_s: float = 0.0


class Funds(Protocol):
    """The money and tokens that a run, or a topic, may spend.

    A request is reserved before it leaves and settled when it is over, so that the sum of what is
    spent and what is reserved never passes the cap.
    """

    @property
    def caps_money(self) -> bool:
        """Return whether there is a cap in USD."""
        ...

    def may_run_out(self, most: AtMost) -> bool:
        """Return whether the budget may be at its end before the work is, going by this request."""
        ...

    async def reserve(self, want: Want, *, priority: int) -> Reservation:
        """Wait until what is wanted fits, and hold it: the lowest priority first.

        Raises RunStopped once the run is ending, and TopicBudgetExceeded where a topic's budget
        can never pay for it.
        """
        ...

    def settle(self, reservation: Reservation, charged: Charged) -> None:
        """Turn a reservation into what was really spent, and let the next go."""
        ...

    def refuse_all(self, error: Callable[[], Exception]) -> None:
        """Have all who wait raise this."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The right to have one call in flight; `queued_s`, `paced_s` and `outage_s` are what it waited
    for, by cause.

    `number` counts the calls of the run in the order in which they were let go, `among` those that
    were in flight then, itself included, `answers` those that had been answered by then. `sent_at`
    is the loop's time. A `probe` is sent while the provider is away.
    """

    number: int
    among: int
    tokens: int
    queued_s: float
    paced_s: float
    outage_s: float
    sent_at: float
    answers: int
    probe: bool


class Slots(Protocol):
    """Slots for the calls to one endpoint: how many may be in flight, and how many a minute.

    What becomes of a call is told before its slot is released, so that the number of slots follows
    what the provider bears.
    """

    @property
    def in_flight(self) -> int:
        """Calls that have a slot now."""
        ...

    @property
    def streak(self) -> int:
        """Bursts of refusals since the last success."""
        ...

    async def acquire(self, *, priority: int, tokens: int) -> Slot:
        """Wait for a slot: the lowest priority first. `tokens` is the likely cost of the call.

        Raises RunStopped once the run is ending.
        """
        ...

    def release(self, slot: Slot, *, tokens_used: int) -> None:
        """Give the slot back; the difference between likely and real tokens is corrected."""
        ...

    def succeeded(self, slot: Slot) -> None:
        """Learn from a call that was answered."""
        ...

    def refused(self, slot: Slot, *, named: int | None, by_rate: bool) -> None:
        """Learn from a 429. `named` is the limit that it names, `by_rate`: it is about requests or
        tokens a minute.
        """
        ...

    def queued(self, slot: Slot) -> int:
        """Learn that the server keeps this call waiting in silence while it serves others.

        Returns how many it seems to work on at a time.
        """
        ...

    def pause(self, seconds: float) -> None:
        """Send no call at all for so long, and then begin again with few."""
        ...


class Results(Protocol):
    """The place that finished topics go to. One writer."""

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        """Flush the topic's trace rows, then its row; raises StorageError if the disk fails."""
        ...
