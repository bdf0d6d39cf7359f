"""Prices of tokens: a dated price table as data, and arithmetic on it.

DeepSeek's list prices as of November 2026 (USD per million tokens; its pricing page,
api-docs.deepseek.com). Peak hours are Monday to Friday 09:00-12:00 and 14:00-18:00 in Beijing,
which has no summer time: 01:00-04:00 and 06:00-10:00 UTC. Public holidays in China are off-peak
there; they are not modelled, so a run on one is shown dearer than it was. Which instant of a call
decides is not documented; we take the one at which its answer was complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time

from harness.domain.completion import AtMost, Request, Usage
from harness.domain.failures import CompletionError
from harness.domain.model_names import same_model
from harness.domain.token_estimate import input_tokens_at_most, output_tokens_at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """USD per million tokens. Reasoning is billed as output."""

    cached_input: float
    input: float
    output: float

    def cost(self, usage: Usage) -> float:
        """USD for this usage."""
        fresh = max(0, usage.input_tokens - usage.cached_tokens)
        return (
            fresh * self.input
            + usage.cached_tokens * self.cached_input
            + usage.output_tokens * self.output
        ) / 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A model's price from an instant on, until a later row of the same model.

    `peak` rules in peak hours.
    """

    valid_from: datetime
    off_peak: Rates
    peak: Rates

    def at(self, instant: datetime) -> Rates:
        return self.peak if is_peak(instant) else self.off_peak

    def cost_at_most(self, usage: Usage) -> float:
        """USD for this usage at the dearer of both rates."""
        return max(self.off_peak.cost(usage), self.peak.cost(usage))


_FREE = ":free"
"""OpenRouter's mark of a route that costs nothing; the price of the model does not apply."""

PEAK_HOURS_UTC = ((time(1), time(4)), (time(6), time(10)))

_SINCE_V4_1 = datetime(2026, 9, 10, tzinfo=UTC)

# A row of a later day acts today: `dearest`, and so each reservation, counts all that are to come,
# and `cost_at_most` of a suite takes the latest. Costs change on the day.
DEEPSEEK_PRICES: Mapping[str, tuple[Price, ...]] = {
    "deepseek-flash": (
        Price(
            valid_from=_SINCE_V4_1,
            off_peak=Rates(cached_input=0.003, input=0.15, output=0.60),
            peak=Rates(cached_input=0.006, input=0.30, output=1.20),
        ),
    ),
    "deepseek-v4-pro": (
        Price(
            valid_from=_SINCE_V4_1,
            off_peak=Rates(cached_input=0.022, input=0.66, output=1.98),
            peak=Rates(cached_input=0.044, input=1.32, output=3.96),
        ),
    ),
}


def is_peak(instant: datetime) -> bool:
    """Return whether the provider bills peak rates at this instant (which must carry a time
    zone).
    """
    utc = instant.astimezone(UTC)
    return utc.weekday() < 5 and any(start <= utc.time() < end for start, end in PEAK_HOURS_UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """The prices that apply to one endpoint, by model.

    A model that is not listed has no known price. `aliases` are names of models there, with what
    answers to them. `elsewhere` are the prices of other endpoints that are known, by the identity
    of who answers there.
    """

    prices: Mapping[str, tuple[Price, ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, Pricing] = field(default_factory=dict)

    def of(self, request: Request) -> Pricing:
        """The prices of the endpoint that this request goes to."""
        return self.at(request.endpoint)

    def at(self, endpoint: str) -> Pricing:
        """The prices of the endpoint of this identity."""
        return self.elsewhere.get(endpoint, self)

    def rows(self, model: str) -> tuple[Price, ...]:
        """All rows of a model, or else of what answers to its name; none where no price is
        known.
        """
        return self.prices.get(model) or self.prices.get(self.aliases.get(model, ""), ())

    def price(self, model: str, instant: datetime) -> Price | None:
        """The row in force at this instant, or None."""
        found: Price | None = None
        for row in self.rows(model):
            if row.valid_from <= instant and (found is None or row.valid_from > found.valid_from):
                found = row
        return found

    def billed(self, asked: str, told: str) -> str:
        """Return the model whose price an answer has.

        It is the one that the answer names, which may be listed by another name. "" where that is
        another model than was asked for, and no price of it is known.
        """
        if not told.strip():
            return asked
        if told in self.prices:
            return told
        if self.rows(asked) and same_model(asked, told, self.aliases):
            return asked
        alike = [listed for listed in self.prices if same_model(listed, told, self.aliases)]
        if len(alike) == 1 and not told.endswith(_FREE):
            return alike[0]
        return ""

    def cost(self, model: str, usage: Usage, instant: datetime) -> float | None:
        """USD for this usage at the price of this instant, or None where no price is known."""
        price = self.price(model, instant)
        if price is None:
            return None
        return price.at(instant).cost(usage)

    def at_most(self, request: Request, instant: datetime) -> AtMost:
        """Return the most that one sending of this request can cost.

        That is with nothing from the provider's cache, all output used, at peak rates. Rows that
        are yet to come into force count too: the answer may be complete only then.
        """
        most = Usage(
            input_tokens=input_tokens_at_most(request), output_tokens=output_tokens_at_most(request)
        )
        return self.of(request).dearest(request.model, most, instant)

    def dearest(self, model: str, usage: Usage, instant: datetime) -> AtMost:
        """Return the most that this usage can cost, whenever from now on its answer is complete.

        See `at_most`.
        """
        price = self.price(model, instant)
        if price is None:
            return AtMost(cost=None, tokens=usage.total_tokens)
        to_come = [row for row in self.rows(model) if row.valid_from > instant]
        return AtMost(
            cost=max(row.cost_at_most(usage) for row in (price, *to_come)),
            tokens=usage.total_tokens,
        )

    def dearest_between(self, model: str, usage: Usage, first: datetime, last: datetime) -> AtMost:
        """Return the most that this usage cost if its answer was complete between these instants.

        They must not lie further apart than the shortest of the peak hours and of the times between
        them, which is two hours; the prices of both ends are then all that there were.
        """
        costs = [cost for at in (first, last) if (cost := self.cost(model, usage, at)) is not None]
        return AtMost(cost=max(costs, default=None), tokens=usage.total_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The charge for a failed attempt: zero, or what the provider told.

    `usage` is None where nobody knows. `cost` in USD; None where nobody knows, or where no price is
    known.
    """

    usage: Usage | None
    cost: float | None


def charge_of(error: CompletionError) -> Charge:
    """Return the charge for an attempt that ended so."""
    if error.billed == "no":
        return Charge(usage=Usage(), cost=0.0)
    # A provider may charge for an answer and not say what: no usage is not a usage of zero.
    if error.billed == "yes" and error.partial is not None and error.partial.usage.total_tokens:
        return Charge(usage=error.partial.usage, cost=error.partial.cost)
    return Charge(usage=None, cost=None)


def flat_price(rates: Rates) -> tuple[Price, ...]:
    """Return a price without dates and peak hours, as a user gives one for a model."""
    return (Price(valid_from=datetime.min.replace(tzinfo=UTC), off_peak=rates, peak=rates),)
