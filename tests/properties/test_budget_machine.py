"""The ledger under any order of reservations and settlements: the cap holds, and nobody waits for
nothing.
"""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.domain.completion import AtMost
from harness.domain.ledger import Charged, Ledger, Reserved
from harness.domain.policy import Budget


class LedgerMachine(RuleBasedStateMachine):
    @initialize(cost=st.none() | st.floats(0.0, 5.0), tokens=st.none() | st.integers(0, 5000))
    def open(self, cost: float | None, tokens: int | None) -> None:
        self.ledger = Ledger(budget=Budget(cost=cost, tokens=tokens))
        self.reserved: list[Reserved] = []
        self.spent_tokens = 0

    @rule(cost=st.none() | st.floats(0.0, 2.0), tokens=st.integers(0, 2000))
    def ask(self, cost: float | None, tokens: int) -> None:
        most = AtMost(cost=cost, tokens=tokens)
        if self.ledger.can_afford(most):
            assert self.ledger.could_ever_afford(most)
            self.reserved.append(self.ledger.reserve(most))
        elif not self.reserved:
            # With nothing to come back, "not now" is "never": otherwise the call would wait for
            # ever.
            assert not self.ledger.could_ever_afford(most)

    @precondition(lambda self: self.reserved)
    @rule(data=st.data(), share=st.floats(0.0, 1.0))
    def settle(self, data: st.DataObject, share: float) -> None:
        reserved = self.reserved.pop(data.draw(st.integers(0, len(self.reserved) - 1)))
        most = reserved.most
        tokens = math.floor(most.tokens * share)
        self.ledger.settle(reserved, Charged(cost=(most.cost or 0.0) * share, tokens=tokens))
        self.spent_tokens += tokens

    @invariant()
    def the_cap_holds_even_if_all_that_is_reserved_is_spent(self) -> None:
        if not hasattr(self, "ledger"):
            return
        ledger, budget = self.ledger, self.ledger.budget
        assert ledger.tokens == self.spent_tokens
        assert ledger.reserved_tokens == sum(reserved.most.tokens for reserved in self.reserved)
        if budget.tokens is not None:
            assert ledger.tokens + ledger.reserved_tokens <= budget.tokens
        if budget.cost is not None:
            assert ledger.cost + ledger.reserved_cost <= budget.cost + 1e-9
            assert all(reserved.most.cost is not None for reserved in self.reserved)
        if not self.reserved:
            assert ledger.reserved_cost == 0.0


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
