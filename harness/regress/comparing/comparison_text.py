"""A comparison of two runs in words and tables: the summary first, then the topics that changed,
the worst first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.domain.who_answered import difference_lines
from harness.regress.comparing.run_comparison import (
    CheckDifference,
    Comparison,
    Head,
    Setting,
    StepDifference,
)
from harness.regress.comparing.topic_difference import Amounts, TopicDifference
from harness.render.document import Block, Heading, Lines, Table
from harness.text.amounts import counted, duration, money
from harness.text.safe import one_line

_LONGEST_VALUE = 40
_SHOWN_ONLY = 5


def summary_of(found: Comparison, *, shown: int | None) -> Iterator[Block]:
    """The whole report; at most `shown` of the changed topics, None for all."""
    yield Heading(level=1, text=f"{found.a.path} → {found.b.path}")
    yield heads_of(found.a, found.b)
    yield Lines(lines=tuple(_statements(found)))
    if found.checks:
        yield Heading(level=2, text="Checks")
        yield _checks(found.checks)
    yield Heading(level=2, text=f"What the {counted(found.common, 'topic')} of both took")
    yield _amounts(found)
    yield Heading(level=2, text="Steps")
    yield _steps(found.steps)
    if found.changed:
        cut = found.changed[:shown]
        if len(cut) == len(found.changed):
            more = ""
        else:
            more = f" (the first {len(cut):,} of {len(found.changed):,})"
        yield Heading(level=2, text=f"Changed topics, the worst first{more}")
        yield _changed(cut, with_checks=bool(found.checks))


def heads_of(a: Head, b: Head) -> Table:
    """Return what the two runs are."""
    return Table(
        columns=("", "run", "model", "prompts", "workflow", "status", "topics"),
        rows=tuple(
            (
                name,
                head.run_id,
                f"{head.model} at {head.endpoint}",
                head.prompts,
                head.workflow,
                head.status,
                f"{head.finished:,} of {head.topics:,}",
            )
            for name, head in (("A", a), ("B", b))
        ),
        texts=6,
    )


def amounts_words(a: Amounts, b: Amounts) -> str:
    """`1,203 → 998 tokens out (0.83), $0.0010 → $0.0008, 12.3 s → 9.8 s` of two calls or topics."""
    parts = [
        f"{a.input_tokens:,} → {b.input_tokens:,} tokens in",
        (
            f"{a.output_tokens:,} → {b.output_tokens:,} out"
            f" ({ratio(a.output_tokens, b.output_tokens)})"
        ),
        f"{a.reasoning_tokens:,} → {b.reasoning_tokens:,} reasoning",
        f"{money(a.worth)} → {money(b.worth)}",
        f"{duration(a.model_s)} → {duration(b.model_s)}",
    ]
    return ", ".join(parts)


def ratio(a: float | None, b: float | None) -> str:
    """Say how much B is of A."""
    return "–" if not a or b is None else f"{b / a:.2f} ×"


def status_words(topic: TopicDifference) -> str:
    """`ok`, or `ok → failed`."""
    if topic.status_a == topic.status_b:
        return topic.status_a
    return f"{topic.status_a} → {topic.status_b}"


def _statements(found: Comparison) -> Iterator[str]:
    """Say what it comes to, a line each."""
    worse = [topic for topic in found.changed if topic.status == "worse"]
    better = [topic for topic in found.changed if topic.status == "better"]
    yield (
        f"topics: {found.common:,} in both, {found.unchanged:,} unchanged, {len(found.changed):,}"
        " changed"
    )
    if found.requests_only:
        yield (
            f"of the unchanged, {found.requests_only:,} gave the same answers to requests that"
            " changed"
        )
    for name, only in (("A", found.only_a), ("B", found.only_b)):
        if only:
            more = ", …" if len(only) > _SHOWN_ONLY else ""
            yield (
                f"only in {name}: {counted(len(only), 'topic')}:"
                f" {', '.join(map(one_line, only[:_SHOWN_ONLY]))}{more}"
            )
    yield f"status: {len(worse):,} worse, {len(better):,} better"
    if found.checks:
        lost = sum(bool(topic.lost) for topic in found.changed)
        gained = sum(bool(topic.gained) for topic in found.changed)
        yield f"checks: {lost:,} topics lost some, {gained:,} gained some"
    yield from _setting_lines(found.settings)
    for line in difference_lines(found.answers_a, found.answers_b):
        yield f"model: {line}"


def _setting_lines(settings: tuple[Setting, ...]) -> Iterator[str]:
    if not any(one.identity for one in settings):
        yield "identity: the same prompts, model, dataset and settings of the workflow"
    for kind, told in (("identity", True), ("settings", False)):
        differing = [
            f"{one.name} {_value(one.a)} → {_value(one.b)}"
            for one in settings
            if one.identity is told
        ]
        if differing:
            yield f"{kind}: {'; '.join(differing)}"


def _checks(checks: tuple[CheckDifference, ...]) -> Table:
    return Table(
        columns=("check", "made", "passed in A", "passed in B", "lost", "gained"),
        rows=tuple(
            (
                check.name,
                *(
                    f"{n:,}"
                    for n in (
                        check.checked,
                        check.passed_a,
                        check.passed_b,
                        check.lost,
                        check.gained,
                    )
                ),
            )
            for check in checks
        ),
    )


def _amounts(found: Comparison) -> Table:
    a, b = found.amounts_a, found.amounts_b
    counts = [
        (
            label,
            f"{getattr(a, name):,}",
            f"{getattr(b, name):,}",
            ratio(getattr(a, name), getattr(b, name)),
        )
        for label, name in (
            ("calls", "calls"),
            ("answered by the cache", "hits"),
            ("tokens in", "input_tokens"),
            ("tokens out", "output_tokens"),
            ("of them reasoning", "reasoning_tokens"),
        )
    ]
    costs = [
        ("paid", money(a.cost), money(b.cost), ratio(a.cost, b.cost)),
        ("worth, whoever paid", money(a.worth), money(b.worth), ratio(a.worth, b.worth)),
    ]
    times = [
        (label, duration(was), duration(now), ratio(was, now))
        for label, was, now in (
            ("time of the models", a.model_s, b.model_s),
            ("time of a topic (median)", *found.topic_s),
        )
    ]
    if found.a.wall_s is not None and found.b.wall_s is not None:
        walls = found.a.wall_s, found.b.wall_s
        times.append(
            ("time of the whole run", duration(walls[0]), duration(walls[1]), ratio(*walls))
        )
    return Table(columns=("", "A", "B", "B / A"), rows=(*counts, *costs, *times))


def _steps(steps: tuple[StepDifference, ...]) -> Table:
    lone = ("only in one",) if any(step.lone for step in steps) else ()
    return Table(
        columns=(
            *("step", "calls", "requests changed", "answers changed", "reasoning changed", *lone),
            *("tokens out", "worth", "time of the models"),
        ),
        rows=tuple(_step_row(step, with_lone=bool(lone)) for step in steps),
    )


def _step_row(step: StepDifference, *, with_lone: bool) -> tuple[str, ...]:
    row = [step.step, _change(step.a.calls, step.b.calls)]
    row += [f"{step.requests_changed:,}", f"{step.answers_changed:,}"]
    row += [f"{step.reasoning_changed:,}"]
    if with_lone:
        row.append(f"{step.lone:,}")
    row.append(_change(step.a.output_tokens, step.b.output_tokens))
    row.append(f"{money(step.a.worth)} → {money(step.b.worth)}")
    row.append(f"{duration(step.a.model_s)} → {duration(step.b.model_s)}")
    return tuple(row)


def _changed(topics: tuple[TopicDifference, ...], *, with_checks: bool) -> Table:
    checks = ("checks lost", "checks gained") if with_checks else ()
    lone = ("only in one",) if any(topic.lone_calls for topic in topics) else ()
    return Table(
        columns=(
            *("topic", "status", *checks),
            *("alike", "answers changed", "reasoning changed", *lone, "tokens out", "worth"),
        ),
        rows=tuple(
            _topic_row(topic, with_checks=with_checks, with_lone=bool(lone)) for topic in topics
        ),
        texts=2,
    )


def _topic_row(topic: TopicDifference, *, with_checks: bool, with_lone: bool) -> tuple[str, ...]:
    row = [one_line(topic.topic_id, 40), status_words(topic)]
    if with_checks:
        row += [f"{len(topic.lost)}", f"{len(topic.gained)}"]
    row.append(f"{topic.likeness:.0%}")
    row.append(f"{topic.answers_changed} of {max(topic.a.calls, topic.b.calls)}")
    row.append(f"{topic.reasoning_changed}")
    if with_lone:
        row.append(f"{topic.lone_calls}")
    row.append(_change(topic.a.output_tokens, topic.b.output_tokens))
    row.append(f"{money(topic.a.worth)} → {money(topic.b.worth)}")
    return tuple(row)


def _change(a: int, b: int) -> str:
    return f"{a:,}" if a == b else f"{a:,} → {b:,}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
    text = "not set" if value is None else text
    if len(text) == 64 and not text.strip("0123456789abcdef"):
        return text[:8]
    if len(text) <= _LONGEST_VALUE:
        return text
    return f"{text[: _LONGEST_VALUE - 1]}…"
