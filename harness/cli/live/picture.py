"""The live display as lines of styled words, for a terminal of any size: no line is too long, and
none too many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from rich.cells import cell_len, set_cell_size

from harness.cli.live.lines import (
    away_words,
    budget_warning,
    causes_words,
    endpoint_words,
    held_words,
    limit_words,
    time_words,
    topics_words,
    waits_words,
)
from harness.cli.money_words import spent_words, to_come_words
from harness.domain.outage_words import queue_words
from harness.render.plain import LABEL
from harness.runs.snapshot import Failing, InFlight, Snapshot
from harness.settings import Settings
from harness.text.amounts import clock
from harness.text.safe import one_line

Style: TypeAlias = Literal["", "dim", "bold", "red", "yellow", "green"]
Part: TypeAlias = tuple[str, Style]
Line: TypeAlias = tuple[Part, ...]

LABEL_NARROW = 7
NARROW = 60
BAR = 32
MOST_FAILURES = 5
MOST_ROWS = 32

_SHORTER = (
    (" so far, about", ","),
    (" so far, goes on when the provider is back", ", then when the provider is back"),
    (" so far, too early to say how much is left", ", left: too early to say"),
    (" so far", ""),
    ("about ", ""),
    ("at most ", "≤ "),
    (" more for what was not told", " not told"),
    (" in the end", " in all"),
    ("the budget is likely not enough:", "budget short!"),
    ("the budget may not be enough:", "budget short?"),
    ("too early to say what is to come", "to come: too early to say"),
)
_SHORT_LABELS = {"in flight": "flight", "failures": "failed", "waiting": "wait", "all wait": "all"}
_RANGE = re.compile(r" to (?=[$0-9])")


def picture(seen: Snapshot, settings: Settings, *, width: int, height: int) -> list[Line]:
    """At most `height` lines (at least one), none wider than `width` cells.

    What is most wanted comes first. What room is left is shared by the last failures and the oldest
    calls.
    """
    head = _head(seen, settings, width)[: max(1, height - 2)]
    room = min(height, MOST_ROWS) - len(head)
    failures = _failures(seen)[: max(1, room // 3)]
    calls = seen.oldest[: max(0, room - len(failures))]
    lines = [
        *head,
        *_labelled("oldest", _calls_in_flight(calls, width), width),
        *_labelled("failures", failures, width),
    ]
    return [fit(line, width) for line in lines[: max(1, height)]]


def _head(seen: Snapshot, settings: Settings, width: int) -> list[Line]:
    """The lines that are there at any size, the most wanted first."""
    rows: list[tuple[str, Line]] = [
        ("time", ((_short(time_words(seen), width), ""),)),
        ("cost", ((_short(spent_words(seen, settings), width), ""),)),
    ]
    rows += [("", line) for line in _outlook(seen, settings, width)]
    rows.append(("in flight", _in_flight(seen)))
    rows += [("at", ((one_line(words, 400), ""),)) for words in endpoint_words(seen)]
    rows.append(("waiting", ((waits_words(seen) or "none", ""),)))
    if seen.down is None:
        rows += [("all wait", ((words, "yellow"),)) for words in held_words(seen)]
    limits = _limits(seen)
    if limits:
        rows.append(("limits", limits))
    rows.append(("calls", _calls(seen)))
    lines = [_topics(seen, width)]
    away = away_words(seen)
    if seen.down is not None:
        away.insert(0, seen.down)
    for words in away:
        lines.append(((one_line(words, 400), "red"),))
    if seen.stopping is not None:
        lines.append(((f"stopping: {one_line(seen.stopping)}", "yellow"),))
    return lines + [((_label(name, width), "dim"), *line) for name, line in rows]


def _topics(seen: Snapshot, width: int) -> Line:
    words = topics_words(seen)
    style: Style = "red" if seen.failed else "bold"
    length = min(BAR, width - len(words) - 2)
    if length < 5:
        return ((words, style),)
    done = length * seen.finished // max(1, seen.topics)
    return (("━" * done, "green"), ("━" * (length - done), "dim"), ("  ", ""), (words, style))


def _outlook(seen: Snapshot, settings: Settings, width: int) -> Iterable[Line]:
    """Yield what is to come, and in a line of its own what the budget is in danger of."""
    words = to_come_words(seen, settings)
    if words is None:
        words = "nothing to come"
        if seen.finished < seen.topics:
            words = "too early to say what is to come"
    yield ((_short(words, width), ""),)
    warning = budget_warning(seen, settings)
    if warning is not None:
        yield ((_short(warning, width), "red"),)


def _short(words: str, width: int) -> str:
    """The same in fewer characters, where the terminal is narrow."""
    if width >= NARROW:
        return words
    for long, short in _SHORTER:
        words = words.replace(long, short)
    return _RANGE.sub("–", words)


def _calls(seen: Snapshot) -> Line:
    parts = [f"{seen.calls:,} done"]
    if seen.hit_rate is not None:
        parts.append(f"{seen.hit_rate:.0%} from the cache")
    if seen.tokens_per_s is not None:
        parts.append(f"{seen.tokens_per_s:,.0f} tokens/s")
    return ((", ".join(parts), ""),)


def _in_flight(seen: Snapshot) -> Line:
    """`5 of 64: 3 research, 2 synthesize`."""
    steps = ", ".join(f"{number:,} {one_line(step)}" for step, number in sorted(seen.steps.items()))
    words = f"{seen.in_flight:,} of {seen.places:,}"
    if steps:
        words += f": {steps}"
    return ((words, ""),)


def _limits(seen: Snapshot) -> Line:
    """Return what was learned of the limits; empty where nothing is to be said."""
    parts = []
    if seen.works_on is not None:
        parts.append(queue_words(seen.works_on))
    if seen.refusals:
        parts.append(limit_words(seen).removeprefix("limit "))
    if not parts:
        return ()
    return ((", ".join(parts), ""),)


def _calls_in_flight(calls: Sequence[InFlight], width: int) -> Iterable[Line]:
    """`12 s    340 tokens  tidal-barrages  research.2/research`; on a narrow terminal without the
    path.
    """
    topics = [one_line(call.topic_id) for call in calls]
    widest = min(max(map(cell_len, topics), default=0), width // 3)
    for call, topic in zip(calls, topics, strict=True):
        tokens, step = f"{call.tokens:>6,} tokens", call.span_id
        if width < NARROW:
            tokens, step = f"{call.tokens:>5,} t", call.span_id.rpartition("/")[2]
        age = f"{call.age_s:>4.0f} s" if call.age_s < 1000 else clock(call.age_s)
        yield (
            (f"{age}  {tokens}  ", ""),
            (column(topic, widest), ""),
            (f"  {one_line(step)}", "dim"),
        )


def _failures(seen: Snapshot) -> list[Line]:
    """All requests that failed, by cause, and the last failures; under the last topic that failed,
    what helps.
    """
    lines: list[Line] = []
    advised = False
    for one in seen.failures[:MOST_FAILURES]:
        lines.append(_failure(one))
        if one.remedy is not None and not advised:
            lines.append(((f"  → {one.remedy}", ""),))
            advised = True
    if seen.causes:
        lines.insert(0, ((causes_words(seen), ""),))
    return lines


def _failure(failing: Failing) -> Line:
    """`00:04 ago  server 500  tidal-barrages research.2/research  mock answered …`."""
    cause, where = failing.cause, one_line(failing.topic_id)
    if failing.span_id is not None:
        what: Line = ((cause, "yellow" if failing.transient else "red"),)
        where += f" {one_line(failing.span_id)}"
    else:
        if failing.where is not None:
            cause += f" at {one_line(failing.where)}"
        what = (("topic failed: ", "red"), (cause, "red"))
    ago = f"{clock(failing.ago_s)} ago  "
    return ((ago, ""), *what, (f"  {where}", ""), (f"  {one_line(failing.message)}", "dim"))


def _labelled(name: str, lines: Iterable[Line], width: int) -> list[Line]:
    """The lines, the first of them with its label."""
    labelled: list[Line] = []
    for line in lines:
        label = "" if labelled else name
        labelled.append(((_label(label, width), "dim"), *line))
    return labelled


def _label(name: str, width: int) -> str:
    if width >= NARROW:
        return f"{name:<{LABEL}}"
    return f"{_SHORT_LABELS.get(name, name):<{LABEL_NARROW}}"


def fit(line: Line, width: int) -> Line:
    """The line cut to so many cells, with an ellipsis where something is missing. Wide characters
    take two.
    """
    if sum(cell_len(text) for text, _ in line) <= width:
        return line
    kept: list[Part] = []
    room = width - 1
    for text, style in line:
        length = cell_len(text)
        if length > room:
            kept.append((f"{set_cell_size(text, max(0, room)).rstrip(' …')}…", style))
            break
        kept.append((text, style))
        room -= length
    return tuple(kept)


def column(text: str, width: int) -> str:
    """The text in exactly so many cells, cut or filled up."""
    ((shown, _),) = fit(((text, ""),), width)
    return set_cell_size(shown, width)
