"""The outcome of a suite, as values: each check by topic and draw, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.domain.who_answered import AnswererCounts
from harness.regress.checks.checks import Check, Draw, State
from harness.regress.checks.misses import MissGroup
from harness.regress.checks.spread import Spread, pass_at_k
from harness.regress.suites.suite import Suite
from harness.text.amounts import counted

STATES: tuple[State, ...] = ("passed", "failed", "not checked")

_ENOUGH = 1e-9  # a pass rate of 0.6 is met by 3 of 5, whatever floating point makes of it


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicVerdict:
    """A check on one topic, over all its draws."""

    topic_id: str
    draws: tuple[Draw, ...]
    pass_rate: float

    @property
    def checked(self) -> int:
        return sum(draw.state != "not checked" for draw in self.draws)

    @property
    def passed(self) -> int:
        return sum(draw.state == "passed" for draw in self.draws)

    @property
    def state(self) -> State:
        """Passed if the share of the draws that were checked and passed is high enough."""
        if not self.checked:
            return "not checked"
        if self.passed / self.checked >= self.pass_rate - _ENOUGH:
            return "passed"
        return "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckVerdict:
    """A check on all topics. `spreads` are there for repeated draws: of pass_rate, tokens, cost and
    length.

    Length is that of the texts that were checked, in characters, cost their price in USD.
    """

    check: Check
    topics: tuple[TopicVerdict, ...]
    spreads: Mapping[str, Spread] = field(default_factory=dict)

    def of_state(self, state: State) -> tuple[TopicVerdict, ...]:
        return tuple(topic for topic in self.topics if topic.state == state)

    @property
    def state(self) -> State:
        """Failed if any topic failed, not checked if none could be checked."""
        if self.of_state("failed"):
            return "failed"
        if self.of_state("passed"):
            return "passed"
        return "not checked"

    @property
    def pass_rate(self) -> float | None:
        """The share of the draws that passed, of those that were checked."""
        checked = sum(topic.checked for topic in self.topics)
        if checked:
            return sum(topic.passed for topic in self.topics) / checked
        return None

    def pass_at(self, k: int) -> float | None:
        """pass@k, the mean over the topics of which so many draws were checked."""
        chances = [
            pass_at_k(topic.checked, topic.passed, k) for topic in self.topics if topic.checked >= k
        ]
        return sum(chances) / len(chances) if chances else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteReport:
    """All that came of a suite.

    `stale` counts entries of the cassette that nothing asked for, `gone` are accepted draws that
    the dataset does not have any more, `answers` is who gave the recorded ones: none of these fails
    a suite. `misses_fail` is whether a request that is not recorded does.
    """

    suite: Suite
    topics: int
    checks: tuple[CheckVerdict, ...]
    misses: tuple[MissGroup, ...] = ()
    misses_fail: bool = True
    stale: int = 0
    gone: tuple[str, ...] = ()
    answers: AnswererCounts = field(default_factory=Counter)

    @property
    def checked(self) -> int:
        """Return how many draws were checked, by checks that somebody wrote."""
        return sum(
            topic.checked for one in self.checks if not one.check.implied for topic in one.topics
        )

    @property
    def blind(self) -> tuple[CheckVerdict, ...]:
        """The checks that somebody wrote and that found nothing to look at, though nothing was
        missing.
        """
        if self.misses:
            return ()
        return tuple(
            one for one in self.checks if one.state == "not checked" and not one.check.implied
        )

    @property
    def exit_code(self) -> int:
        """0 all passed, 1 a check failed or a request is not recorded, 2 a check, or the suite,
        checked nothing.
        """
        if any(one.state == "failed" for one in self.checks) or (self.misses and self.misses_fail):
            return 1
        return 0 if self.checked and not self.blind else 2

    @property
    def headline(self) -> str:
        """Say what it comes to, in one line."""
        counts = {state: sum(one.state == state for one in self.checks) for state in STATES}
        told = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
        if self.suite.samples > 1:
            draws = f" × {self.suite.samples} draws"
        else:
            draws = ""
        where = f"{len(self.checks)} checks of {counted(self.topics, 'topic')}{draws}: {told}"
        calls = sum(group.calls for group in self.misses)
        missed = f"; {counted(calls, 'call')} not recorded" if calls else ""
        if self.exit_code == 2:
            if not self.checked:
                what = "nothing was checked"
            else:
                what = f"{counted(len(self.blind), 'check')} checked nothing"
            return f"{self.suite.name}: {what} ({where}{missed})"
        return (
            f"{self.suite.name}: {'passed' if self.exit_code == 0 else 'failed'} ({where}{missed})"
        )
