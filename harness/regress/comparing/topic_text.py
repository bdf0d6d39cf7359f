"""One topic in two runs in words: what came out, the sub-questions, then each call with its changes
word by word.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.diffs.misses import answers_of, name_of, value_words
from harness.diffs.request_change import RequestChange
from harness.diffs.words import Piece, Shown, WordDiff
from harness.records.stored import StoredSpan
from harness.regress.comparing.comparison_text import amounts_words, heads_of, status_words
from harness.regress.comparing.run_comparison import Head
from harness.regress.comparing.topic_detail import CallDetail, SectionDetail, TopicDetail
from harness.regress.comparing.topic_difference import Amounts, answer_of
from harness.render.document import Block, Diff, Heading, Lines
from harness.text.safe import one_line


def topic_report(found: TopicDetail, a: Head, b: Head) -> Iterator[Block]:
    """The whole report on a topic of two runs."""
    topic = found.difference
    yield Heading(level=1, text=f"{topic.topic_id}: {status_words(topic)}")
    yield heads_of(a, b)
    yield Lines(lines=tuple(_statements(found)))
    yield from _output(found)
    if found.sections:
        yield Heading(level=2, text="Sections")
        for section in found.sections:
            yield from _section(section)
    for call in found.calls:
        yield from _call(call)


def _statements(found: TopicDetail) -> Iterator[str]:
    topic = found.difference
    yield f"topic: {one_line(found.a.row.topic, 400)}"
    if found.a.row.topic != found.b.row.topic:
        yield f"topic in B: {one_line(found.b.row.topic, 400)}"
    yield "came out the same" if topic.same else f"{topic.likeness:.0%} alike"
    yield amounts_words(topic.a, topic.b)
    for word, checks in (("lost", topic.lost), ("gained", topic.gained)):
        if checks:
            yield f"checks {word}: {', '.join(checks)}"
    for name, row in (("A", found.a.row), ("B", found.b.row)):
        if row.error is not None:
            yield f"{row.status} in {name}: {one_line(row.error.message)}"


def _output(found: TopicDetail) -> Iterator[Block]:
    yield Heading(level=2, text="Output")
    if found.output is not None:
        yield _changed("output", found.output)
    elif found.difference.output_changed and found.output_of is not None:
        yield Lines(lines=(f"the answer of {found.output_of}, see below",))
    else:
        yield Lines(lines=("the same",))


def _section(section: SectionDetail) -> Iterator[Block]:
    label = one_line(section.label)
    if section.place_a is None or section.place_b is None:
        place, name = (section.place_b, "B") if section.place_a is None else (section.place_a, "A")
        yield Lines(lines=(f"{place}, only in {name}: {label}",))
        return
    if section.place_a == section.place_b:
        places = f"{section.place_a}"
    else:
        places = f"{section.place_a} → {section.place_b}"
    if not section.changes:
        yield Lines(lines=(f"{places}: {label}",))
    for name, diff in section.changes:
        yield _changed(f"{places}: {name}", diff)


def _call(found: CallDetail) -> Iterator[Block]:
    a, b = found.call.pair.a, found.call.pair.b
    if a is None or b is None:
        yield from _lone_call(found.call.pair.either, "A" if b is None else "B")
        return
    yield Heading(level=2, text=a.id if a.id == b.id else f"{a.id} → {b.id}")
    said = [f"{amounts_words(Amounts.of_call(a), Amounts.of_call(b))}; {_sources(a, b)}"]
    if a.model and b.model and a.model != b.model:
        said.append(f"answered by {a.model} → {b.model}")
    said += [f"{name}: the same" for name in _unchanged(found)]
    said += _request_lines(found.request) if found.request is not None else []
    yield Lines(lines=tuple(said))
    if found.request is not None:
        for message in found.request.messages:
            if message.own:
                yield _changed(f"request, {name_of(message)} {message.kind}", message.diff)
    if found.reasoning is not None:
        yield _changed("reasoning", found.reasoning)
    if found.answer is not None:
        yield _changed("answer", found.answer)


def _lone_call(call: StoredSpan, run: str) -> Iterator[Block]:
    kind: Shown = "removed" if run == "A" else "added"
    yield Heading(level=2, text=f"{call.id}, only in {run}")
    for title, text in (("reasoning", call.reasoning), ("answer", answer_of(call))):
        if text:
            yield Diff(title=title, pieces=(Piece(kind=kind, text=text),))


def _unchanged(found: CallDetail) -> Iterator[str]:
    parts = (("request", found.request), ("reasoning", found.reasoning), ("answer", found.answer))
    return (name for name, change in parts if change is None)


def _request_lines(change: RequestChange) -> list[str]:
    """Say what changed in a request, but for the texts that are shown word by word."""
    lines = [
        f"request, {one.name}: {value_words(one.recorded)} → {value_words(one.wanted)}"
        for one in change.fields
    ]
    followed = [name_of(one) for one in change.messages if not one.own]
    if followed:
        lines.append(f"request, {', '.join(followed)}: differs by {answers_of(change)}")
    return lines


def _sources(a: StoredSpan, b: StoredSpan) -> str:
    was, now = a.served.source, b.served.source
    if was == now:
        return f"both from {was}"
    return f"from {was} → {now}"


def _changed(title: str, diff: WordDiff) -> Diff:
    return Diff(title=title, pieces=diff.pieces())
