"""The likely cost of a request, from the answers that its step had so far in this run.

A worst case is the whole cap, often twenty times what an answer takes, so worst cases keep calls
waiting that the budget would pay for easily. `--budget-reserve likely` holds back the 99th
percentile of the step's answers, and half as much again.

Until a step has had an answer its worst case is held. The first answers that come are the short
ones, so more is added to them: the first counts three times over, the second one and a half times,
on top of the half; from the third on, the longest of few is what stands for the 99th percentile.
More answers are not waited for: as a batch comes to each of its steps at about one time, a small
one would be over before it gained anything, and a step whose answers turn out longer says so with
each of them. What this could go wrong by is bounded: only as many calls as can be in flight are
reserved for so, the last tenth of a budget is for worst cases alone (`Ledger`), and how far past
the budget all that was in flight could have led is recorded.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field

from harness.domain.completion import Request, Usage
from harness.domain.token_estimate import input_tokens_at_most, output_tokens_at_most

ENOUGH_ANSWERS = 3
"""From so many on an answer counts as it is."""
SHARE = 0.99
FACTOR = 1.5
KEPT = 1000
"""Answers of a step that are looked back upon: a workflow's calls may become longer as it goes."""


@dataclass(slots=True)
class Recent:
    """The last so many numbers, in order, for their percentiles."""

    _arrived: deque[float] = field(default_factory=deque)
    _ordered: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        self._arrived.append(value)
        insort(self._ordered, value)
        if len(self._arrived) > KEPT:
            del self._ordered[bisect_left(self._ordered, self._arrived.popleft())]

    def __len__(self) -> int:
        return len(self._ordered)

    def reaching(self, share: float) -> float:
        """Return the smallest of them that this share (0 to 1) does not pass.

        Of fewer than a hundred, 0.99 gives the largest.
        """
        return self._ordered[math.ceil(share * len(self._ordered)) - 1]


@dataclass(slots=True)
class _Step:
    output_tokens: Recent = field(default_factory=Recent)
    input_shares: Recent = field(default_factory=Recent)


class Likely:
    """The answers of each step, and what they say about the next request of it."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}

    def learn(self, step: str, request: Request, usage: Usage) -> None:
        """Take note of what an answer used; one whose usage was not told says nothing."""
        if not usage.total_tokens:
            return
        seen = self._steps.setdefault(step, _Step())
        seen.output_tokens.add(usage.output_tokens)
        seen.input_shares.add(usage.input_tokens / input_tokens_at_most(request))

    def usage(self, step: str, request: Request) -> Usage | None:
        """Return the likely usage of a request of this step, at most its worst case.

        None before the first answer.
        """
        seen = self._steps.get(step)
        if seen is None:
            return None
        factor = FACTOR * max(1.0, ENOUGH_ANSWERS / len(seen.output_tokens))
        given = input_tokens_at_most(request)
        return Usage(
            input_tokens=min(given, math.ceil(factor * seen.input_shares.reaching(SHARE) * given)),
            output_tokens=min(
                output_tokens_at_most(request),
                math.ceil(factor * seen.output_tokens.reaching(SHARE)),
            ),
        )
