"""The words that all outputs share: the failures by check, the calls behind them, the
numbers of each check.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.diffs.words import diff_words
from harness.domain.run import drawn_id
from harness.domain.who_answered import doubt_lines
from harness.records.stored import StoredSpan
from harness.regress.checks.checks import Failing
from harness.regress.checks.misses import MissGroup
from harness.regress.suites.report import STATES, CheckVerdict, SuiteReport, TopicVerdict
from harness.text.amounts import counted
from harness.text.safe import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One expectation that did not hold in one draw. `difference` is empty where no texts were
    compared.
    """

    draw: str
    failing: Failing

    @property
    def line(self) -> str:
        """The draw, the call if one was checked, and what is wrong."""
        if self.failing.checked is not None:
            checked = f" {self.failing.checked}"
        else:
            checked = ""
        return f"{self.draw}{checked}: {self.failing.shortfall.message}"

    @property
    def difference(self) -> str:
        shortfall = self.failing.shortfall
        if shortfall.compared:
            return diff_words(shortfall.expected, shortfall.got).plain()
        return ""


def failures_of(one: CheckVerdict) -> list[Failure]:
    """All that did not hold on the topics that failed a check, so ordered that the first of them
    tell the most.

    First comes one for each expectation, as far as can be of different topics; then one for each
    other topic.
    """
    found = [
        (topic.topic_id, failure)
        for topic in one.of_state("failed")
        for failure in failures_on(topic)
    ]
    by_expectation: dict[str, list[int]] = {}
    for place, (_, failure) in enumerate(found):
        by_expectation.setdefault(failure.failing.expectation, []).append(place)
    first: dict[str, int] = {}
    order: list[int] = []
    for places in by_expectation.values():
        place = next((place for place in places if found[place][0] not in first), places[0])
        first.setdefault(found[place][0], place)
        order.append(place)
    for place, (topic_id, _) in enumerate(found):
        first.setdefault(topic_id, place)
    return [
        found[place][1] for place in dict.fromkeys((*order, *first.values(), *range(len(found))))
    ]


def failures_on(topic: TopicVerdict) -> list[Failure]:
    """All that did not hold on one topic."""
    return [
        Failure(draw=drawn_id(topic.topic_id, draw.sample), failing=failing)
        for draw in topic.draws
        for failing in draw.failing
    ]


def named_topics(one: CheckVerdict, most: int) -> str:
    """`3 topics: a, b, c`: those that failed."""
    topics = [one_line(topic.topic_id, 40) for topic in one.of_state("failed")]
    return (
        f"{counted(len(topics), 'topic')}:"
        f" {', '.join(topics[:most])}{', …' if len(topics) > most else ''}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A call as it is shown beside a failure. `about` is its id, key, model, reason to stop and
    tokens in one line.
    """

    about: str
    prompt: str
    reasoning: str
    answer: str

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return what there is of prompt, reasoning and answer, by name."""
        parts = (("prompt", self.prompt), ("reasoning", self.reasoning), ("answer", self.answer))
        return tuple((name, text) for name, text in parts if text)


def trace_of(call: StoredSpan) -> Trace:
    """The prompt is the last message of the conversation."""
    usage, messages = call.usage, call.request.messages
    tokens = f"{usage.output_tokens:,} tokens out, {usage.reasoning_tokens:,} of them reasoning"
    return Trace(
        about=(
            f"{call.id}, key {call.key[:12]}, {call.model or call.request.model}, "
            f"{call.finish_reason or 'not finished'}, {tokens}"
        ),
        prompt=messages[-1].content if messages else "",
        reasoning=call.reasoning,
        answer=call.content,
    )


def miss_words(group: MissGroup) -> str:
    """Say what happened to these calls, in one line."""
    number = f"{counted(group.calls, 'call')} of {counted(group.topics, 'topic')}"
    match group.reason:
        case "changed":
            return f"{group.step}: the request changed ({number})"
        case "follows":
            return f"{group.step}: asks otherwise only because an earlier answer changed ({number})"
        case "new step":
            return f"{group.step}: no such call is recorded ({number})"
        case "unknown topic":
            return f"{group.step}: nothing is recorded of the topic ({number})"
    return f"{group.step}: {group.reason} ({number})"


def counts_words(one: CheckVerdict) -> str:
    """Say how many topics passed, failed, were not checked."""
    counts = [(len(one.of_state(state)), state) for state in STATES]
    return ", ".join(f"{number:,} {state}" for number, state in counts if number)


def draws_words(one: CheckVerdict, samples: int) -> str:
    """pass@k and how the draws vary; empty for single draws."""
    if samples == 1:
        return ""
    words = [
        f"pass@{k} {chance:.3f}" for k in (1, samples) if (chance := one.pass_at(k)) is not None
    ]
    for name, spread in one.spreads.items():
        form = {"cost": "${:.6f} ± {:.6f}", "pass_rate": "{:.3f} ± {:.3f}"}.get(
            name, "{:,.1f} ± {:,.1f}"
        )
        words.append(f"{name.replace('_', ' ')} {form.format(spread.mean, spread.deviation)}")
    return ", ".join(words)


def why_not_checked(one: CheckVerdict) -> str:
    """The first reason that a draw was not checked, and how many draws were not."""
    whys = [
        draw.why
        for topic in one.topics
        for draw in topic.draws
        if draw.state == "not checked" and draw.why
    ]
    if not whys:
        return ""
    if len(whys) == 1:
        return whys[0]
    return f"{whys[0]} (the first of {len(whys):,})"


def notes_of(report: SuiteReport) -> Iterator[str]:
    """Say what fails nothing, and should be known; at the end what to do about what was meant to
    change.
    """
    for line in doubt_lines(report.answers):
        yield f"recorded answers: {line}"
    # Else some of them are what the missing ones were before.
    if report.stale and not report.misses:
        yield (
            f"{counted(report.stale, 'recorded answer')} that nothing asked for any more; "
            "--on-miss record --prune removes them"
        )
    if report.gone:
        shown = ", ".join(report.gone[:5]) + (", …" if len(report.gone) > 5 else "")
        yield (
            f"{counted(len(report.gone), 'accepted topic')} no longer in the dataset, --accept"
            f" drops them: {shown}"
        )
    if report.misses and not report.misses_fail:
        yield "calls that are not recorded were skipped: checks that need them were not made"
    if report.misses and report.misses_fail:
        yield (
            "if this change is meant, the same command with --on-miss record asks for what is not"
            " recorded; it says before what that costs"
        )
    if any(
        failure.failing.shortfall.compared for one in report.checks for failure in failures_of(one)
    ):
        yield (
            "if this output is meant, the same command with --accept takes it as golden, to be"
            " reviewed as a diff"
        )
