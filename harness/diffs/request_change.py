"""The difference of two requests, with each change laid to the prompt or to an earlier answer in
it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.diffs.masking import MASK, Masked, Part, has_letters, mask, parts_of
from harness.diffs.matching import Stretch, match
from harness.diffs.words import Segment, WordDiff, change, diff_words, joined, narrowed
from harness.domain.completion import Json, Message, Request
from harness.domain.key import request_fields

Answers = Sequence[tuple[str, str]]
"""Answers as pairs of a span id and its content. A span may have several."""

MessagePart = Literal["content", "reasoning", "tool_calls", "tool_call_id", "images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field of a request other than its messages; None: not set, the provider's default rules."""

    name: str
    recorded: Json
    wanted: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChange:
    """A message that differs. `position` counts from 1, in the recorded request where the message
    is `removed`.

    `own`: the prompt's own text changed, not only an answer in it. Then `diff` shows it, with
    earlier answers out of sight: `⟨span id⟩` stands for one.
    """

    position: int
    role: str
    part: MessagePart
    kind: Literal["changed", "added", "removed"]
    own: bool
    diff: WordDiff


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChange:
    """All in which two requests differ. `follows` are the calls whose answers, put into the prompt,
    differ.
    """

    fields: tuple[FieldChange, ...] = ()
    messages: tuple[MessageChange, ...] = ()
    follows: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        return not self.fields and not self.messages

    @property
    def own(self) -> bool:
        """Return whether the request itself changed: a field, or the text of a prompt."""
        return bool(self.fields) or any(message.own for message in self.messages)


def compare_requests(
    recorded: Request,
    wanted: Request,
    *,
    recorded_answers: Answers = (),
    answers: Answers = (),
    renumbered: bool = False,
) -> RequestChange:
    """Return the difference of `wanted` from `recorded`.

    `answers` are those that the workflow had before it asked, `recorded_answers` those that it had
    when the other was recorded. `renumbered`: the two are different parts of one fan-out, so a
    number that differs is no change.
    """
    sides = _Sides(recorded_answers, answers, renumbered)
    changes = sides.compare(recorded.messages, wanted.messages)
    return replace(changes, fields=field_changes(recorded, wanted))


def field_changes(recorded: Request, wanted: Request) -> tuple[FieldChange, ...]:
    """Return the fields that differ, but for the messages."""
    old, new = request_fields(recorded), request_fields(wanted)
    found = []
    for name in dict.fromkeys((*old, *new)):
        if name != "messages" and old.get(name) != new.get(name):
            found.append(FieldChange(name=name, recorded=old.get(name), wanted=new.get(name)))
    return tuple(found)


class _Sides:
    """The texts that may stand in the messages of either side because a model said them."""

    def __init__(self, recorded: Answers, wanted: Answers, renumbered: bool) -> None:
        self.recorded = parts_of(recorded)
        self.wanted = parts_of(wanted)
        self.known = {part.text for part in self.recorded}
        self.unchanged = self.known & {part.text for part in self.wanted}
        before = {content for _, content in recorded}
        self.answered_anew = tuple(span_id for span_id, content in wanted if content not in before)
        self.renumbered = renumbered

    def compare(self, old: Sequence[Message], new: Sequence[Message]) -> RequestChange:
        found: list[MessageChange] = []
        seen: tuple[Counter[Part], Counter[Part]] = Counter(), Counter()
        for equal, old_start, old_end, new_start, new_end in match(
            _roles(old), _roles(new)
        ).stretches:
            if equal:
                for position, (was, now) in enumerate(
                    zip(old[old_start:old_end], new[new_start:new_end], strict=True)
                ):
                    found += self._changed(new_start + position + 1, was, now, seen)
                continue
            for position in range(old_start, old_end):
                found.append(self._lone(position, old[position], "removed", seen[0]))
            added = [
                self._lone(place, new[place], "added", seen[1])
                for place in range(new_start, new_end)
            ]
            found += _going_on(added, new[new_start:new_end], self.known)
        follows = tuple(dict.fromkeys(part.span_id for part in _only_once(*seen)))
        if not follows and found and not any(one.own for one in found):
            follows = self.answered_anew
        return RequestChange(messages=tuple(found), follows=follows if found else ())

    def _changed(
        self, position: int, old: Message, new: Message, seen: tuple[Counter[Part], Counter[Part]]
    ) -> Iterator[MessageChange]:
        """Return the differences in a message that has the same role on both sides."""
        masked = (
            mask(old.content, self.recorded, unchanged=self.unchanged),
            mask(new.content, self.wanted, unchanged=self.unchanged),
        )
        for counter, side in zip(seen, masked, strict=True):
            counter.update(side.parts)
        beside = [name for name in _BESIDE if _beside(old, name) != _beside(new, name)]
        if old.content != new.content:
            diff, own = self._own_changes(*masked)
            # What a tool said depends on what the model asked it.
            yield MessageChange(
                position=position,
                role=new.role,
                part="content",
                kind="changed",
                own=own and not beside,
                diff=diff,
            )
        for name in beside:
            diff = diff_words(_beside(old, name), _beside(new, name))
            yield MessageChange(
                position=position, role=new.role, part=name, kind="changed", own=False, diff=diff
            )
        if old.images != new.images:
            diff = diff_words(_images(old), _images(new))
            yield MessageChange(
                position=position, role=new.role, part="images", kind="changed", own=True, diff=diff
            )

    def _lone(
        self, index: int, message: Message, kind: Literal["added", "removed"], seen: Counter[Part]
    ) -> MessageChange:
        """A message that stands on one side only."""
        parts = self.recorded if kind == "removed" else self.wanted
        masked = mask(message.content, parts, unchanged=self.unchanged)
        seen.update(masked.parts)
        said = bool(masked.parts) and not _letters(masked.words)
        text = "".join(masked.shown)
        segment = change("", text) if kind == "added" else change(text, "")
        return MessageChange(
            position=index + 1,
            role=message.role,
            part="content",
            kind=kind,
            own=not said and not any(_beside(message, name) for name in _BESIDE),
            diff=WordDiff(segments=(segment,)),
        )

    def _own_changes(self, old: Masked, new: Masked) -> tuple[WordDiff, bool]:
        """Return the differences between two masked texts, and True if one of them is the prompt's
        own.
        """
        found = match(old.words, new.words)
        segments: list[Segment] = []
        own = False
        for stretch in found.stretches:
            shown = (
                "".join(old.shown[stretch.old_start : stretch.old_end]),
                "".join(new.shown[stretch.new_start : stretch.new_end]),
            )
            if stretch.equal or self._follows(stretch, old, new):
                text = shown[1] or shown[0]
                segments.append(Segment(kind="equal", old=text, new=text))
                continue
            own = True
            segments += narrowed(*shown)
        if (
            not own
            and not self.renumbered
            and not self.answered_anew
            and _texts(old.parts) == _texts(new.parts)
        ):
            # The same answers in another order: nobody but the prompt put them there.
            return diff_words("".join(old.raw), "".join(new.raw)), True
        return WordDiff(segments=tuple(joined(segments)), complete=found.complete), own

    def _follows(self, stretch: Stretch, old: Masked, new: Masked) -> bool:
        """Return whether a difference comes from an answer.

        One came, changed or went, and no word of the prompt did. With ⟨plan⟩ for the answer of the
        call `plan`:

            recorded                wanted                   the difference comes from
            Points: ⟨plan⟩          Points: ⟨plan⟩⟨more⟩     an answer: a mask came, and no word beside it
            Points: ⟨plan⟩⟨more⟩    Points: ⟨plan⟩           an answer: a mask went, and no word beside it
            Points: ⟨plan⟩          Points: two ⟨plan⟩       the prompt: no answer brought the word "two"
            Question 1              Question 2               an answer where `renumbered`, else the prompt
        """
        raw = (
            old.raw[stretch.old_start : stretch.old_end],
            new.raw[stretch.new_start : stretch.new_end],
        )
        if "".join(raw[0]) == "".join(raw[1]):
            return True  # an answer that is on one side only repeats what the prompt says
        was, now = (
            old.words[stretch.old_start : stretch.old_end],
            new.words[stretch.new_start : stretch.new_end],
        )
        if _letters(_not_brought(new, stretch.new_start, stretch.new_end)):
            return False
        if MASK in now:
            return True
        if _letters(_not_brought(old, stretch.old_start, stretch.old_end)):
            return False
        if MASK in was or _letters((*was, *now)):
            return True
        return self.renumbered and all(text.strip().isdecimal() for text in (*was, *now))


_BESIDE: tuple[MessagePart, ...] = ("reasoning", "tool_calls", "tool_call_id")


def _beside(message: Message, name: MessagePart) -> str:
    """Return the parts of a message beside its content, all of which a model said."""
    if name == "tool_calls":
        calls = [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in message.tool_calls
        ]
        if calls:
            return json.dumps(calls, ensure_ascii=False)
        return ""
    return (message.reasoning if name == "reasoning" else message.tool_call_id) or ""


def _images(message: Message) -> str:
    return " ".join(image.url or str(image.sha256) for image in message.images)


def _roles(messages: Sequence[Message]) -> list[str]:
    return [message.role for message in messages]


def _letters(words: Iterable[str]) -> bool:
    return any(has_letters(word) for word in words)


def _texts(parts: Iterable[Part]) -> Counter[str]:
    return Counter(part.text for part in parts)


def _not_brought(text: Masked, start: int, end: int) -> list[str]:
    """Return the words in this range that no answer brought."""
    return [text.words[place] for place in range(start, end) if place not in text.short]


def _only_once(old: Counter[Part], new: Counter[Part]) -> Iterator[Part]:
    """Yield the parts whose text stands on one side more often than on the other."""
    texts = _texts(old.elements()), _texts(new.elements())
    differing = (texts[0] - texts[1]).keys() | (texts[1] - texts[0]).keys()
    return (part for part in (*new, *old) if part.text in differing)


def _going_on(
    added: Sequence[MessageChange], messages: Sequence[Message], known: set[str]
) -> list[MessageChange]:
    """Lay messages that were added after an answer that was never recorded to that answer."""
    found = []
    is_after_answer = False
    for one, message in zip(added, messages, strict=True):
        if not one.own and message.role == "assistant" and message.content.strip() not in known:
            is_after_answer = True
        found.append(replace(one, own=one.own and not is_after_answer))
    return found
