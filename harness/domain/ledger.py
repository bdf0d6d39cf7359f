"""Money, tokens and requests that may be spent: what is reserved before it leaves, and what was
spent in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.domain.braking import Braking
from harness.domain.completion import AtMost
from harness.domain.policy import Budget
from harness.text.amounts import money


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The sum that a run has spent over all its sessions, from the journal.

    `cost` in USD and `tokens` are known. `cost_at_risk` and `tokens_at_risk` are the most that
    requests can have cost whose payment is unknown: broken streams, answers without usage, and
    those left open by a crash. Answers without usage are `untold` of them, with `cost_untold` and
    `tokens_untold`. `unpriced` counts calls without a known price.
    """

    calls: int = 0
    cost: float = 0.0
    tokens: int = 0
    cost_at_risk: float = 0.0
    tokens_at_risk: int = 0
    open_calls: int = 0
    unpriced: int = 0
    untold: int = 0
    cost_untold: float = 0.0
    tokens_untold: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """The cost of a request. `cost_at_risk` and `tokens_at_risk` are parts of it that nobody knows,
    at most.

    `sent`: the request left.
    """

    cost: float = 0.0
    tokens: int = 0
    cost_at_risk: float = 0.0
    tokens_at_risk: int = 0
    sent: bool = True

    @classmethod
    def unknown(cls, most: AtMost) -> Charged:
        """Nobody knows what it cost, and it is no more than this."""
        cost = most.cost or 0.0
        return cls(cost=cost, tokens=most.tokens, cost_at_risk=cost, tokens_at_risk=most.tokens)


PLENTY = 0.6
"""The share of a budget of which too little is spent to fear for its end."""
NOT_SENT = Charged(sent=False)


@dataclass(frozen=True, slots=True)
class Reserved:
    """A reservation: what is held for a request, and the most that it can cost."""

    held: AtMost
    most: AtMost


NOTHING = Reserved(AtMost(cost=None, tokens=0), AtMost(cost=None, tokens=0))
"""The reservation of a request that still waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservations:
    """The effect of a session's reservations: the seconds they cost, and how far past the budget
    they could have led.

    `wanted_cost` in USD and `wanted_tokens` are the most that would have been reserved at one time
    had no call waited for it; 0 where none did.
    """

    lost_s: float = 0.0
    wanted_cost: float = 0.0
    wanted_tokens: int = 0
    could_pass_cost: float = 0.0
    could_pass_tokens: int = 0


@dataclass(slots=True)
class Ledger:
    """The sums that are spent and reserved, in USD, tokens and requests: of a run over all its
    sessions, or of a topic.

    Money whose payment is unknown counts as spent, at its most: `cost_at_risk` and `tokens_at_risk`
    are that part of `cost` and `tokens`. Where the budget is in money, a request without a known
    price does not fit. From a ledger that is `closed` nothing is paid.

    A request may be reserved at its worst case, or at what it will likely cost: then it has to fit
    without the last tenth of the budget, in which only worst cases are reserved. `could_pass_cost`
    and `could_pass_tokens` are how far past the budget all that was in flight at some time could
    have led; 0 where only worst cases were reserved.
    """

    budget: Budget
    cost: float = 0.0
    tokens: int = 0
    calls: int = 0
    cost_at_risk: float = 0.0
    tokens_at_risk: int = 0
    reserved_cost: float = 0.0
    reserved_tokens: int = 0
    reservations: int = 0
    closed: bool = False
    could_pass_cost: float = 0.0
    could_pass_tokens: int = 0
    braking: Braking = field(default_factory=Braking)
    _most_cost: float = 0.0
    _most_tokens: int = 0

    @classmethod
    def after(cls, budget: Budget, before: Spent) -> Ledger:
        """The ledger of a session that follows others."""
        return cls(
            budget=budget,
            cost=before.cost + before.cost_at_risk,
            tokens=before.tokens + before.tokens_at_risk,
            calls=before.calls,
            cost_at_risk=before.cost_at_risk,
            tokens_at_risk=before.tokens_at_risk,
        )

    def reservations_so_far(self) -> Reservations:
        """The effect of all reservations until now."""
        braking = self.braking
        return Reservations(
            lost_s=braking.lost_s,
            wanted_cost=braking.wanted_cost,
            wanted_tokens=braking.wanted_tokens,
            could_pass_cost=self.could_pass_cost,
            could_pass_tokens=self.could_pass_tokens,
        )

    def could_ever_afford(self, most: AtMost, likely: AtMost | None = None) -> bool:
        """Return whether this request fits, if all that is reserved by others came back unspent."""
        one, budget = self._one_of(most, likely)
        return self._pays(budget, one, self.cost, self.tokens, self.calls)

    def can_afford(self, most: AtMost, likely: AtMost | None = None) -> bool:
        """Return whether this request fits now, with all that others have reserved."""
        one, budget = self._one_of(most, likely)
        cost, tokens = self.cost + self.reserved_cost, self.tokens + self.reserved_tokens
        return self._pays(budget, one, cost, tokens, self.calls + self.reservations)

    def may_end_the_run(self, *, slots: int, most: AtMost) -> bool:
        """Return whether the budget may be at its end before the work is.

        A number of requests says nothing about that, so it may. Of money and tokens it may not
        while not much more than half is spent, nor while what is left would hold this worst case
        for half of the slots: the other half is soon not needed any more.
        """
        budget = self.budget
        if budget.calls is not None:
            return True
        for cap, spent, one in (
            (budget.cost, self.cost, most.cost or 0.0),
            (budget.tokens, self.tokens, most.tokens),
        ):
            if cap is not None and spent > PLENTY * cap and spent + slots * one / 2 > cap:
                return True
        return False

    def holds_likely(self, most: AtMost, likely: AtMost | None) -> bool:
        """Return whether less than its worst case would be held for this request, as things
        stand.
        """
        return self._one_of(most, likely)[0] is not most

    def reserve(self, most: AtMost, likely: AtMost | None = None) -> Reserved:
        """Hold what this request may cost. Raises ValueError where it does not fit."""
        if not self.can_afford(most, likely):
            raise ValueError("what does not fit cannot be reserved")
        held, _ = self._one_of(most, likely)
        self.reservations += 1
        self.reserved_cost += held.cost or 0.0
        self.reserved_tokens += held.tokens
        self._most_cost += most.cost or 0.0
        self._most_tokens += most.tokens
        if held is not most:
            self._note_what_could_pass()
        return Reserved(held, most)

    def settle(self, reserved: Reserved, charged: Charged) -> None:
        """Turn a reservation into what was really spent."""
        held, most = reserved.held, reserved.most
        self.reservations -= 1
        self.reserved_tokens -= held.tokens
        self._most_tokens -= most.tokens
        # Sums of floats come back to nearly zero; with nothing reserved, nobody would be left to
        # wait for.
        if self.reservations:
            self.reserved_cost = self.reserved_cost - (held.cost or 0.0)
        else:
            self.reserved_cost = 0.0
        if self.reservations:
            self._most_cost = self._most_cost - (most.cost or 0.0)
        else:
            self._most_cost = 0.0
        self.cost += charged.cost
        self.tokens += charged.tokens
        self.cost_at_risk += charged.cost_at_risk
        self.tokens_at_risk += charged.tokens_at_risk
        self.calls += charged.sent

    def shortage(self, most: AtMost) -> str:
        """Say why this request does not fit, cap by cap."""
        budget = self.budget
        parts = []
        if budget.cost is not None:
            if most.cost is None:
                next_call = "has no known price"
            else:
                next_call = f"may cost up to {money(most.cost)}"
            used = f"{money(self.cost)} of {money(budget.cost)} is used"
            if self.cost_at_risk >= 0.00005:
                used += f" ({money(self.cost_at_risk)} of it reserved for what was not told)"
            parts.append(f"{used} and the next call {next_call}")
        if budget.tokens is not None:
            used = f"{self.tokens:,} of {budget.tokens:,} tokens are used"
            if self.tokens_at_risk:
                used += f" ({self.tokens_at_risk:,} of them reserved for what was not told)"
            parts.append(f"{used} and the next call may take up to {most.tokens:,}")
        if budget.calls is not None:
            parts.append(f"{self.calls:,} of {budget.calls:,} requests are sent")
        return "; ".join(parts)

    def _one_of(self, most: AtMost, likely: AtMost | None) -> tuple[AtMost, Budget]:
        """Return which of both is reserved as things stand, and the budget that it has to fit."""
        if likely is None:
            return most, self.budget
        short = self.budget.without_last_tenth
        if self._pays(short, likely, self.cost, self.tokens, self.calls):
            return likely, short
        return most, self.budget

    def _pays(self, budget: Budget, one: AtMost, cost: float, tokens: int, calls: int) -> bool:
        if self.closed or (one.cost is None and budget.cost is not None):
            return False
        return budget.allows(
            cost=cost + (one.cost or 0.0), tokens=tokens + one.tokens, calls=calls + 1
        )

    def _note_what_could_pass(self) -> None:
        if self.budget.cost is not None:
            self.could_pass_cost = max(
                self.could_pass_cost, self.cost + self._most_cost - self.budget.cost
            )
        if self.budget.tokens is not None:
            self.could_pass_tokens = max(
                self.could_pass_tokens, self.tokens + self._most_tokens - self.budget.tokens
            )
