"""One topic in two runs: whether it came out the same, what in it changed, and which of the two is
better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.diffs.words import similarity
from harness.domain.completion import Json
from harness.domain.run import Failure
from harness.records.stored import StoredResult, StoredSpan
from harness.regress.case import Case
from harness.regress.checks.texts import text_of, text_of_call
from harness.regress.comparing.aligning import Pair, aligned_calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Something to judge topics by. `passed` says of a draw which of the checks `names` it passes.

    A check that cannot be made on a draw is left out of its answer.
    """

    names: tuple[str, ...]
    passed: Callable[[Case], Mapping[str, bool]]


NO_CHECKS = Checks(names=(), passed=lambda case: {})

_RANKS = {"ok": 0, "degraded": 1, "failed": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """The time, money and tokens that topics took. Money in USD, None where a price is not known;
    `elapsed_s` is the topics' own.

    `cost` is what the run paid, `worth` what its answers cost whoever paid: the cache may have had
    some. `model_s` is the time that models worked for this run.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    calls: int = 0
    hits: int = 0
    cost: float | None = 0.0
    worth: float | None = 0.0
    elapsed_s: float = 0.0
    model_s: float = 0.0

    @classmethod
    def of(cls, row: StoredResult) -> Amounts:
        """Those of a row of `results.jsonl`."""
        usage, cost = row.usage, row.cost
        return cls(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            calls=row.calls,
            hits=row.hits,
            cost=cost,
            worth=None if cost is None else cost + row.saved,
            elapsed_s=row.elapsed_s,
            model_s=row.sequential_s,
        )

    @classmethod
    def of_call(cls, call: StoredSpan) -> Amounts:
        """Those of a row of `traces.jsonl`."""
        usage, cost = call.usage, call.cost
        return cls(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            calls=1,
            hits=call.served.source != "endpoint",
            cost=cost,
            worth=None if cost is None else cost + call.saved,
            elapsed_s=call.end_s - call.start_s,
            model_s=call.written_own_s,
        )

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            calls=self.calls + other.calls,
            hits=self.hits + other.hits,
            cost=_sum(self.cost, other.cost),
            worth=_sum(self.worth, other.worth),
            elapsed_s=self.elapsed_s + other.elapsed_s,
            model_s=self.model_s + other.model_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDifference:
    """Two calls that belong together, or one that has no counterpart."""

    pair: Pair[StoredSpan]

    @property
    def step(self) -> str:
        return self.pair.either.step

    @property
    def lone(self) -> bool:
        return self.pair.a is None or self.pair.b is None

    @property
    def answer_changed(self) -> bool:
        return self._differ(answer_of)

    @property
    def reasoning_changed(self) -> bool:
        return self._differ(lambda call: call.reasoning)

    @property
    def request_changed(self) -> bool:
        return self._differ(lambda call: call.key)

    @property
    def same(self) -> bool:
        """Return whether what the model said is the same."""
        return not self.lone and not self.answer_changed and not self.reasoning_changed

    def _differ(self, part: Callable[[StoredSpan], str]) -> bool:
        a, b = self.pair.a, self.pair.b
        return a is not None and b is not None and part(a) != part(b)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDifference:
    """A topic that both runs have.

    `likeness` of what came out is from 0 to 1. `checks` are those that were made in both runs: the
    name, and whether A and whether B passes.
    """

    topic_id: str
    status_a: str
    status_b: str
    output_changed: bool
    likeness: float
    answers_changed: int
    reasoning_changed: int
    requests_changed: int
    lone_calls: int
    a: Amounts
    b: Amounts
    checks: tuple[tuple[str, bool, bool], ...] = ()

    @property
    def lost(self) -> tuple[str, ...]:
        """The checks that A passes and B does not."""
        return tuple(name for name, a, b in self.checks if a and not b)

    @property
    def gained(self) -> tuple[str, ...]:
        return tuple(name for name, a, b in self.checks if b and not a)

    @property
    def same(self) -> bool:
        """Return whether B said and concluded what A did; what it took does not count, and neither
        does what it was asked.
        """
        return (
            self.status_a == self.status_b
            and not self.output_changed
            and not (self.answers_changed or self.reasoning_changed or self.lone_calls)
            and not (self.lost or self.gained)
        )

    @property
    def status(self) -> Literal["worse", "level", "better"]:
        """Of B, by its status alone."""
        if self._rise == 0:
            return "level"
        return "worse" if self._rise < 0 else "better"

    @property
    def badness(self) -> tuple[int, int, float, str]:
        """Sorts the worst first: whose status fell, then who lost checks, then what is least like
        before.
        """
        return min(self._rise, 0), len(self.gained) - len(self.lost), self.likeness, self.topic_id

    @property
    def _rise(self) -> int:
        """By how many ranks B's status is better than A's; less than 0 where it is worse."""
        return _RANKS.get(self.status_a, 0) - _RANKS.get(self.status_b, 0)


def compare_cases(
    a: Case, b: Case, checks: Checks = NO_CHECKS
) -> tuple[TopicDifference, list[CallDifference]]:
    """Return how a topic came out in B, next to A, and its calls side by side."""
    calls = [CallDifference(pair=pair) for pair in aligned_calls(a.calls, b.calls)]
    texts = output_text(a.row), output_text(b.row)
    passes = checks.passed(a), checks.passed(b)
    return (
        TopicDifference(
            topic_id=a.row.topic_id,
            status_a=a.row.status,
            status_b=b.row.status,
            output_changed=_came_out(a.row) != _came_out(b.row),
            likeness=_likeness(texts, calls),
            answers_changed=sum(call.answer_changed for call in calls),
            reasoning_changed=sum(call.reasoning_changed for call in calls),
            requests_changed=sum(call.request_changed for call in calls),
            lone_calls=sum(call.lone for call in calls),
            a=Amounts.of(a.row),
            b=Amounts.of(b.row),
            checks=tuple(
                (name, passed, passes[1][name])
                for name, passed in passes[0].items()
                if name in passes[1]
            ),
        ),
        calls,
    )


def answer_of(call: StoredSpan) -> str:
    """Say what a call brought: its answer, with the functions that it wants called, or why it
    failed.
    """
    if call.error is None:
        return text_of_call(call)
    return failure_words(call.error)


def output_text(row: StoredResult) -> str:
    """Say what came out of a topic, as text; why nothing did, where it failed."""
    if row.output is None and row.error is not None:
        return failure_words(row.error)
    return text_of(row.output)


def failure_words(error: Failure) -> str:
    """`(failed: PermanentError: content_filter)`."""
    return f"(failed: {error.type}: {error.message})"


def _came_out(row: StoredResult) -> tuple[Json, tuple[Mapping[str, Json], ...]]:
    return row.output, row.sections


def _likeness(texts: tuple[str, str], calls: list[CallDifference]) -> float:
    """Of the outputs; where these are equal, of all the answers behind them."""
    if texts[0] != texts[1]:
        return similarity(*texts)
    pairs = [(call.pair.a, call.pair.b) for call in calls if not call.same]
    if not pairs:
        return 1.0
    alike = 0.0
    for a, b in pairs:
        if a is not None and b is not None:
            alike += similarity(_said(a), _said(b))
    return (alike + len(calls) - len(pairs)) / len(calls)


def _said(call: StoredSpan) -> str:
    return f"{call.reasoning}\n{answer_of(call)}"


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
