"""The spending of a run, the same for every display.

It is what is known, what no row shows, and what may come on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.domain.tally import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlay:
    """`cost` in USD and `tokens` are known.

    What requests came to that broke off, or whose usage the server did not tell, is not, and is at
    most `…_at_risk`. `untold` answers without usage have `…_untold` of that.

    `cost_in_rows` is the part of the cost that the rows of topics tell of; the rest is in topics
    that are not finished, or in rows that later ones superseded.
    """

    cost: float
    tokens: int
    cost_in_rows: float
    cost_at_risk: float = 0.0
    tokens_at_risk: int = 0
    untold: int = 0
    cost_untold: float = 0.0
    tokens_untold: int = 0

    @classmethod
    def of(cls, totals: Totals, journal: Mapping[str, Any]) -> Outlay:
        """Return the spending by the sums of the rows and the journal.

        The journal's word is empty or behind while a session goes on.
        """
        tokens = totals.input_tokens + totals.output_tokens
        return cls(
            cost=max(totals.cost, journal.get("cost", 0.0)),
            tokens=max(tokens, journal.get("tokens", 0)),
            cost_in_rows=totals.cost,
            cost_at_risk=journal.get("cost_at_risk", 0.0),
            tokens_at_risk=journal.get("tokens_at_risk", 0),
            untold=journal.get("untold", 0),
            cost_untold=journal.get("cost_untold", 0.0),
            tokens_untold=journal.get("tokens_untold", 0),
        )

    @property
    def counted_cost(self) -> float:
        """Return what the budget counts, in USD: calls of unknown cost count at their most."""
        return self.cost + self.cost_at_risk

    @property
    def counted_tokens(self) -> int:
        """The same in tokens."""
        return self.tokens + self.tokens_at_risk
