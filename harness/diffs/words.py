"""The comparison of two texts word by word, for a person to read.

It shows what went, what came, and a little of what stayed.

A word is a run of letters and digits with the white space after it. In scripts that write no spaces
(Chinese, Japanese, Thai and their like) every character is one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from harness.diffs.matching import MOST_COMPARISONS, common_ends, match
from harness.domain.completion import Json

Kind = Literal["equal", "removed", "added", "replaced"]
Shown = Literal["equal", "removed", "added", "skipped"]

CONTEXT = 60
"""Characters that are shown of an equal stretch on either side of a change."""

# Thai to Lao, Burmese, Khmer, kana, Han, and their rarer relatives.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{UNSPACED}]\s*|[^\W{UNSPACED}]+\s*|[^\w\s]\s*|\s+")
_PARTS = re.compile(r"\w+|\s+|[^\w\s]")
_SPACE = re.compile(r"[ \n]")
_NEARLY = 0.999
_MARKS: Mapping[Shown, tuple[str, str]] = {"removed": ("[-", "-]"), "added": ("{+", "+}")}
_SIGNS = str.maketrans({" ": "·", "\t": "→", "\r": "␍", "\n": "↵\n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of both texts: `old` and `new` are the same where it is equal; one is empty where
    text came or went.
    """

    kind: Kind
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Something to show: of a change what went (`removed`) or came (`added`); `skipped` says what
    is left out.
    """

    kind: Shown
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WordDiff:
    """The segments of two texts, in order and without gaps: joined, their `old` are one text and
    their `new` the other.

    `complete` is False for texts so long and so different that not all of their words were
    compared.
    """

    segments: tuple[Segment, ...]
    complete: bool = True

    @property
    def changed(self) -> bool:
        return any(segment.kind != "equal" for segment in self.segments)

    def pieces(self, *, context: int = CONTEXT, longest: int | None = None) -> tuple[Piece, ...]:
        """Return the pieces to show to a person.

        They are `context` characters around each change, and of each change at most about
        `longest`. Changes with next to nothing between them become one.
        """
        shown: list[Piece] = []
        segments = _without_crumbs(self.segments)
        for number, segment in enumerate(segments):
            if segment.kind == "equal":
                shown += _in_context(
                    segment.old, context, first=number == 0, last=number == len(segments) - 1
                )
                continue
            if segment.old:
                shown.append(Piece(kind="removed", text=cut(segment.old, longest)))
            if segment.new:
                shown.append(Piece(kind="added", text=cut(segment.new, longest)))
        if not self.complete:
            shown.append(
                Piece(
                    kind="skipped", text=" (too long and too different to be compared word by word)"
                )
            )
        return tuple(shown)

    def as_json(self) -> dict[str, Json]:
        """Return every segment: `text` of what stayed, `old` and `new` of what did not."""
        segments: list[Json] = []
        for one in self.segments:
            if one.kind == "equal":
                segments.append({"kind": one.kind, "text": one.old})
            else:
                segments.append({"kind": one.kind, "old": one.old, "new": one.new})
        return {"complete": self.complete, "segments": segments}

    def plain(self, *, context: int = CONTEXT, longest: int | None = None) -> str:
        """The pieces as text: `[-went-]{+came+}`."""
        return plain(self.pieces(context=context, longest=longest))


def diff_words(old: str, new: str, *, most_comparisons: int = MOST_COMPARISONS) -> WordDiff:
    """Compare a new text with an old one, word by word.

    The time is linear in the texts, plus that of `most_comparisons`.
    """
    if old == new:
        return WordDiff(segments=(Segment(kind="equal", old=old, new=new),) if old else ())
    words = words_of(old), words_of(new)
    found = match(*words, most_comparisons=most_comparisons)
    segments: list[Segment] = []
    for equal, old_start, old_end, new_start, new_end in found.stretches:
        was, now = "".join(words[0][old_start:old_end]), "".join(words[1][new_start:new_end])
        if equal:
            segments.append(Segment(kind="equal", old=was, new=now))
        else:
            segments += narrowed(was, now)
    return WordDiff(segments=tuple(joined(segments)), complete=found.complete)


def words_of(text: str) -> list[str]:
    """Return the words of a text; joined, they are the text."""
    return _WORD.findall(text)


def narrowed(old: str, new: str) -> list[Segment]:
    """Return a change without the words, signs and white space that both sides begin or end
    with.
    """
    parts = _PARTS.findall(old), _PARTS.findall(new)
    start, end = common_ends(*parts)
    before, after = "".join(parts[0][:start]), "".join(parts[0][len(parts[0]) - end :])
    went, came = old[len(before) : len(old) - len(after)], new[len(before) : len(new) - len(after)]
    around = [Segment(kind="equal", old=text, new=text) for text in (before, after)]
    return [one for one in (around[0], change(went, came), around[1]) if one.old or one.new]


def change(old: str, new: str) -> Segment:
    """Return the change of one text into another; either may be empty. Nothing in place of nothing
    was added.
    """
    kind: Kind = "replaced"
    if not old:
        kind = "added"
    elif not new:
        kind = "removed"
    return Segment(kind=kind, old=old, new=new)


def joined(segments: Iterable[Segment]) -> list[Segment]:
    """Return the segments with neighbours that are equal, or that both changed, made one."""
    found: list[Segment] = []
    for one in segments:
        if found and (found[-1].kind == "equal") == (one.kind == "equal"):
            found[-1] = _one_of(found[-1], one)
        else:
            found.append(one)
    return found


def similarity(old: str, new: str) -> float:
    """Return the likeness of two texts: 1 if they are equal, 0 if they have no word in common.
    Linear in the texts.

    It is the share of words, and of pairs of neighbouring words, that both have (L. R. Dice,
    "Measures of the amount of ecologic association between species", Ecology 26, 1945).
    """
    if old == new:
        return 1.0
    ours, theirs = _shingles(old), _shingles(new)
    total = ours.total() + theirs.total()
    if not total:
        return _NEARLY
    return min(2 * (ours & theirs).total() / total, _NEARLY)


def plain(pieces: Sequence[Piece]) -> str:
    """Return pieces as text, changes between marks: `[-went-]{+came+}`."""
    parts = []
    for piece in pieces:
        begin, end = _MARKS.get(piece.kind, ("", ""))
        parts.append(f"{begin}{visible(piece)}{end}")
    return "".join(parts)


def visible(piece: Piece) -> str:
    """Return the text of a piece; white space that alone came or went is drawn."""
    changed = piece.kind in ("removed", "added")
    if changed and not piece.text.strip():
        return piece.text.translate(_SIGNS)
    return piece.text


def _shingles(text: str) -> Counter[str | tuple[str, str]]:
    stripped = [word.strip() for word in words_of(text)]
    words = [word for word in stripped if word]
    found: Counter[str | tuple[str, str]] = Counter(words)
    found.update(pairwise(words))
    return found


def _without_crumbs(segments: Sequence[Segment]) -> list[Segment]:
    """Changes between which less stayed than either of them changed, made one: a rewritten sentence
    is read as one.
    """
    kept: list[Segment] = []
    for number, one in enumerate(segments):
        if one.kind == "equal":
            around = [*kept[-1:], *segments[number + 1 : number + 2]]
            joins = (
                len(around) == 2 and "\n" not in one.old and len(one.old) < min(map(_size, around))
            )
        else:
            joins = bool(kept) and kept[-1].kind != "equal"
        if joins:
            kept[-1] = _one_of(kept[-1], one)
        else:
            kept.append(one)
    return kept


def _one_of(first: Segment, second: Segment) -> Segment:
    old, new = first.old + second.old, first.new + second.new
    if first.kind == second.kind == "equal":
        return Segment(kind="equal", old=old, new=new)
    return change(old, new)


def _size(segment: Segment) -> int:
    return max(len(segment.old), len(segment.new))


def _in_context(text: str, context: int, *, first: bool, last: bool) -> list[Piece]:
    """The ends of an equal text that lie next to a change."""
    before = "" if last else _last_words(text, context)
    after = "" if first else _first_words(text, context)
    left_out = len(text) - len(before) - len(after)
    if left_out <= context:
        return [Piece(kind="equal", text=text)]
    skipped = Piece(kind="skipped", text=f"[…{left_out:,} characters…]")
    return [Piece(kind=kind, text=part) for kind, part in _parts(after, skipped, before)]


def _first_words(text: str, length: int) -> str:
    """Return about so many characters of the beginning, cut between words where there are
    spaces.
    """
    part = text[:length]
    space = max(part.rfind(" "), part.rfind("\n"))
    return part[: space + 1] if space >= length // 2 else part


def _last_words(text: str, length: int) -> str:
    """Return about so many characters of the end, cut in the same way."""
    part = text[max(0, len(text) - length) :]
    space = _SPACE.search(part)
    if space is None or space.start() > length // 2:
        return part
    return part[space.start() :]


def _parts(after: str, skipped: Piece, before: str) -> Iterator[tuple[Shown, str]]:
    if after:
        yield "equal", after
    yield skipped.kind, skipped.text
    if before:
        yield "equal", before


def cut(text: str, longest: int | None) -> str:
    """Return the text without its middle, where it is longer than that; None: never."""
    if longest is None or len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}[…{len(text) - 2 * half:,} characters…]{text[len(text) - half :]}"
