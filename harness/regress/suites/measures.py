"""The spread of the repeated draws of a check: in what passes, and in tokens, cost and length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.domain.pricing import Pricing
from harness.regress.case import Case
from harness.regress.checks.checks import Check
from harness.regress.checks.expect_amounts import list_price
from harness.regress.checks.judge_calls import own_calls
from harness.regress.checks.spread import Spread, spread_of
from harness.regress.checks.texts import text_of
from harness.regress.suites.report import TopicVerdict


def spreads(
    check: Check,
    topics: Sequence[TopicVerdict],
    by_topic: Mapping[str, Mapping[int, Case | None]],
    pricing: Pricing,
) -> Mapping[str, Spread]:
    """Return how the draws vary: the pass rate from draw to draw over all topics, the rest from
    draw to draw of each topic.
    """
    measured = [
        list(_measures(check, topic, by_topic[topic.topic_id], pricing)) for topic in topics
    ]
    found = {"pass_rate": spread_of([_rates(topics)])}
    for place, name in enumerate(("tokens", "cost", "length")):
        values = [[draw[place] for draw in draws] for draws in measured]
        known = [[value for value in draws if value is not None] for draws in values]
        found[name] = spread_of(known)
    return {name: spread for name, spread in found.items() if spread is not None}


def _rates(topics: Sequence[TopicVerdict]) -> list[float]:
    """Of each draw, the share of the topics that passed."""
    by_sample: dict[int, list[bool]] = {}
    for topic in topics:
        for draw in topic.draws:
            if draw.state != "not checked":
                by_sample.setdefault(draw.sample, []).append(draw.state == "passed")
    return [sum(passed) / len(passed) for passed in by_sample.values()]


def _measures(
    check: Check, topic: TopicVerdict, cases: Mapping[int, Case | None], pricing: Pricing
) -> Iterator[tuple[float, float | None, float]]:
    """Tokens, cost and length of each draw that was checked: of the step's calls, or of the topic
    and its output.
    """
    for draw in topic.draws:
        case = cases[draw.sample]
        if case is None or draw.state == "not checked":
            continue
        calls = [call for call in own_calls(case) if check.step in (None, call.step)]
        tokens = sum(call.usage.total_tokens for call in calls)
        costs = [list_price(call, pricing) for call in calls]
        if None in costs:
            cost = None
        else:
            cost = sum(cost for cost in costs if cost is not None)
        if check.step is None:
            texts = [text_of(case.row.output)]
        else:
            texts = [call.content for call in calls]
        yield tokens, cost, sum(map(len, texts))
