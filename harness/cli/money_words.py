"""Money in words: what is spent, what is held back for calls in flight, what is to come, and what
that adds up to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.domain.ledger import Reservations
from harness.domain.outlay import Outlay
from harness.domain.policy import Budget, Reserve
from harness.render.document import Field
from harness.text.amounts import Cents, counted, money
from harness.timing.outlook import Range

LEAST_SAID = 0.00005
LEAST_LOST_S = 1.0
LEAST_LOST_SHARE = 0.02


class Account(Protocol):
    """The money of a moment of a run. `cost` is what the budget counts, `unknown_cost` at most a
    part of it.
    """

    @property
    def cost(self) -> float: ...
    @property
    def unknown_cost(self) -> float: ...
    @property
    def unpriced(self) -> bool: ...
    @property
    def reserved_cost(self) -> float: ...
    @property
    def reserved_calls(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def unknown_tokens(self) -> int: ...
    @property
    def to_come(self) -> Range | None: ...


class Caps(Protocol):
    """The settings that money is told against."""

    @property
    def budget(self) -> float | None: ...
    @property
    def budget_tokens(self) -> int | None: ...


def _digits(seen: Account, caps: Caps) -> Cents:
    to_come = 0.0 if seen.to_come is None else seen.to_come.likely
    return Cents.beside(max(caps.budget or 0.0, seen.cost + to_come))


def spent_words(seen: Account, caps: Caps) -> str:
    """`$0.410 of $1.00 spent, at most $0.050 more for requests that broke off, $0.120 held for 3
    calls in flight`.

    What broke off and what is spent are the two addends that `to_come_words` ends the sum with;
    what is held is no addend, for what it is held for is a part of what is to come.
    """
    if seen.unpriced and not seen.cost:
        parts = ["cost not known"]
    else:
        digits = _digits(seen, caps)
        of_budget = f" of {money(caps.budget)}" if caps.budget is not None else ""
        parts = [f"{digits.of(seen.cost - seen.unknown_cost)}{of_budget} spent"]
        if seen.unpriced:
            parts.append("calls of unknown cost not counted")
        if seen.unknown_cost >= LEAST_SAID:
            parts.append(f"at most {digits.of(seen.unknown_cost)} more for what was not told")
        if caps.budget is not None and seen.reserved_calls:
            parts.append(
                f"{digits.of(seen.reserved_cost)} held for {counted(seen.reserved_calls, 'call')}"
                " under way"
            )
    if caps.budget_tokens is not None:
        untold = (
            f" ({seen.unknown_tokens:,} of them not told, at most)" if seen.unknown_tokens else ""
        )
        parts.append(f"{seen.tokens:,} of {caps.budget_tokens:,} tokens{untold}")
    return ", ".join(parts)


def to_come_words(seen: Account, caps: Caps) -> str | None:
    """`about $0.300 to come ($0.280 to $0.330): about $0.760 in the end`; None: too early to
    say.
    """
    if seen.to_come is None:
        return None
    if caps.budget is None:
        return f"about {money(seen.to_come.likely)} to come ({ends_words(seen.to_come)})"
    digits = _digits(seen, caps)
    parts = (seen.cost - seen.unknown_cost, seen.unknown_cost, seen.to_come.likely)
    end = digits.of(sum(digits.rounded(part) for part in parts))
    high = "?" if seen.to_come.high is None else digits.of(seen.to_come.high)
    ends = f"{digits.of(seen.to_come.low)} to {high}"
    return f"about {digits.of(seen.to_come.likely)} to come ({ends}): about {end} in the end"


def ends_words(amount: Range) -> str:
    """`$0.0100 to $0.0300`."""
    high = money(amount.high, unknown="?")
    return f"{money(amount.low)} to {high}"


def budget_fields(outlay: Outlay, budget: Budget) -> list[Field]:
    """Say what of the budget is used, and which part of that nobody told; without one, what may
    come on top of the cost.
    """
    fields = []
    broke_off = outlay.cost_at_risk - outlay.cost_untold
    amounts = _untold_parts(
        money(broke_off) if broke_off >= LEAST_SAID else "",
        money(outlay.cost_untold),
        outlay.untold,
    )
    if budget.cost is not None:
        used = f"{money(outlay.counted_cost)} of {money(budget.cost)} used"
        words = _with_parts(used, f"{money(outlay.cost)} spent", amounts)
        fields.append(Field("budget", words))
    elif outlay.cost_at_risk >= LEAST_SAID:
        fields.append(Field("unknown", f"{', and '.join(amounts)}, on top of the cost"))
    if budget.tokens is not None:
        fields.append(Field("budget", _budget_tokens_words(outlay, budget.tokens)))
    return fields


def _budget_tokens_words(outlay: Outlay, tokens: int) -> str:
    broke_off = outlay.tokens_at_risk - outlay.tokens_untold
    parts = _untold_parts(
        f"{broke_off:,}" if broke_off else "", f"{outlay.tokens_untold:,}", outlay.untold
    )
    used = f"{outlay.counted_tokens:,} of {tokens:,} tokens used"
    return _with_parts(used, f"{outlay.tokens:,} told", parts)


def _untold_parts(broke_off: str, reserved: str, untold: int) -> list[str]:
    parts = []
    if broke_off:
        parts.append(f"at most {broke_off} for requests that broke off")
    if untold:
        answers = counted(untold, "answer")
        parts.append(f"{reserved} reserved for {answers}, not told by the server")
    return parts


def _with_parts(used: str, told: str, untold: Sequence[str]) -> str:
    """`... used: A spent, and B`; what is only reserved is not said to be used."""
    if not untold:
        return used
    if any("reserved" in part for part in untold):
        used = used.replace("used", "used or reserved")
    return f"{used}: {', '.join([told, *untold[:-1]])}, and {untold[-1]}"


def reservation_fields(
    found: Reservations,
    outlay: Outlay,
    budget: Budget,
    reserve: Reserve,
    *,
    wall_s: float,
    unfinished: int,
) -> list[Field]:
    """Say what holding money back cost in time and what gives that back; with likely reservations,
    what was risked. They go on where `budget_fields` ended.
    """
    fields = []
    if found.lost_s >= max(LEAST_LOST_S, LEAST_LOST_SHARE * wall_s):
        lost = (
            f"{found.lost_s:,.0f} s of the {wall_s:,.0f} s went by waiting for money held for other"
            " calls"
        )
        ways = [*_higher(found, outlay, budget, unfinished), "a lower max_tokens"]
        if reserve == "strict":
            ways.append("--budget-reserve likely")
        fields.append(Field("", lost, (f"  → {' or '.join(ways)} gives them back",)))
    if reserve == "likely":
        fields += [Field("", risk) for risk in _risks(found, outlay, budget)]
    return fields


def _higher(found: Reservations, outlay: Outlay, budget: Budget, unfinished: int) -> list[str]:
    """The budget with which nothing had to wait: all that was spent, and the most that was wanted
    at one time.
    """
    rest = " and what the other topics cost" if unfinished else ""
    ways = []
    if budget.cost is not None and outlay.counted_cost + found.wanted_cost > budget.cost:
        ways.append(f"--budget {_rounded_up(outlay.counted_cost + found.wanted_cost):.2f}{rest}")
    if budget.tokens is not None and outlay.counted_tokens + found.wanted_tokens > budget.tokens:
        ways.append(f"--budget-tokens {outlay.counted_tokens + found.wanted_tokens}{rest}")
    return ways


def _rounded_up(value: float) -> float:
    """To the next cent: an amount that is enough."""
    return -(-value * 100 // 1) / 100


def _risks(found: Reservations, outlay: Outlay, budget: Budget) -> list[str]:
    risks = []
    if budget.cost is not None:
        passed = outlay.counted_cost - budget.cost
        if found.could_pass_cost > 0 or passed > 0:
            could = money(max(found.could_pass_cost, passed))
            risks.append(_risked(could, money(passed) if passed > 0 else None))
    if budget.tokens is not None:
        more = outlay.counted_tokens - budget.tokens
        if found.could_pass_tokens > 0 or more > 0:
            could = f"{max(found.could_pass_tokens, more):,} tokens"
            risks.append(_risked(could, f"{more:,} tokens" if more > 0 else None))
    return risks


def _risked(could: str, passed: str | None) -> str:
    did = "was not passed" if passed is None else f"was passed by {passed}"
    return (
        "likely costs were held back, not worst cases: the budget could have been passed by"
        f" {could}, and {did}"
    )
