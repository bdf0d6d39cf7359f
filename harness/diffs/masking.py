"""Earlier answers in a prompt: found, and put out of sight, so that what is left is the prompt's
own text.

A workflow puts answers into later prompts: whole, or what stood in their JSON, or line by line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.diffs.words import words_of
from harness.domain.completion import Json
from harness.domain.parsing import parse_json
from harness.errors import ParseError

LONG = 12
"""Characters from which a part of an answer is told from a word that stands in the prompt by
chance.
"""

MASK = "\0\0"
"""The word that stands for a mask; no text has such a word."""

# A line that a workflow may have taken out of a list: what stands before it is left behind.
_LIST_MARK = re.compile(r"^(?:[-*•+]|\(?\d+[.)\]:])\s+")
_LETTER = re.compile(r"[^\W\d_]")
_MOST_LEAVES = 1_000


class Part(NamedTuple):
    """A text that an answer brought, and the call that answered."""

    span_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A text as words, of which some are masks.

    `raw` are the words as they are in the text, `shown` as a person is shown them: a mask by the
    name of its call. `short` are the places of words that a short part may have brought. `parts`
    are all that were found.
    """

    words: tuple[str, ...]
    raw: tuple[str, ...]
    shown: tuple[str, ...]
    short: frozenset[int]
    parts: tuple[Part, ...]


def parts_of(answers: Iterable[tuple[str, str]]) -> tuple[Part, ...]:
    """Return the texts that may stand in later prompts, each once, the longest first.

    `answers` are span ids and contents. A part has a letter: a number alone says nothing about
    where it comes from.
    """
    found: dict[str, str] = {}
    for span_id, content in answers:
        for text in (content, content.strip(), *_pieces(content)):
            if _LETTER.search(text):
                found.setdefault(text, span_id)
    return tuple(
        Part(span_id, text) for text, span_id in sorted(found.items(), key=lambda one: -len(one[0]))
    )


def mask(text: str, parts: Sequence[Part], *, unchanged: Collection[str] = ()) -> Masked:
    """Return the text with a mask for each part in it.

    A part shorter than `LONG` stays, as its words may be the prompt's as well; its places are
    noted, unless it is one of `unchanged`, which the other side of a comparison has too.
    """
    pieces: list[str | Part] = [text]
    long = [part for part in parts if len(part.text) >= LONG and part.text in text]
    for part in long:
        pieces = list(_split(pieces, part))
    words: list[str] = []
    raw: list[str] = []
    shown: list[str] = []
    masks: list[Part] = []
    for piece in pieces:
        if isinstance(piece, str):
            own = words_of(piece)
            words += own
            raw += own
            shown += own
        else:
            masks.append(piece)
            words.append(MASK)
            raw.append(piece.text)
            shown.append(f"⟨{piece.span_id}⟩")
    short = [
        part
        for part in parts
        if len(part.text) < LONG and part.text in text and part.text not in unchanged
    ]
    places, brought = _places(words, short)
    return Masked(
        words=tuple(words),
        raw=tuple(raw),
        shown=tuple(shown),
        short=places,
        parts=(*masks, *brought),
    )


def has_letters(text: str) -> bool:
    return _LETTER.search(text) is not None


def _pieces(content: str) -> Iterator[str]:
    """Return the parts that a workflow may have taken out of an answer."""
    try:
        value = parse_json(content)
    except ParseError:
        for line in content.splitlines():
            yield line.strip()
            yield _LIST_MARK.sub("", line.strip())
        return
    for text in _leaves(value):
        yield text
        yield text.strip()


def _leaves(value: Json) -> list[str]:
    """Return the texts in a JSON value, however deep they stand, but not without end."""
    texts: list[str] = []
    left = [value]
    while left and len(texts) < _MOST_LEAVES:
        one = left.pop()
        if isinstance(one, str):
            texts.append(one)
        elif isinstance(one, Mapping):
            left += one.values()
        elif isinstance(one, Sequence):
            left += one
    return texts


def _split(pieces: Sequence[str | Part], part: Part) -> Iterator[str | Part]:
    for piece in pieces:
        if not isinstance(piece, str):
            yield piece
            continue
        for number, text in enumerate(piece.split(part.text)):
            if number:
                yield part
            if text:
                yield text


def _places(words: Sequence[str], parts: Sequence[Part]) -> tuple[frozenset[int], tuple[Part, ...]]:
    """Return the positions of these parts, whole and in a row, and the parts that were found."""
    plain = [word.strip() for word in words]
    by_word = dict[str, list[int]]()
    for place, word in enumerate(plain):
        by_word.setdefault(word, []).append(place)
    places: set[int] = set()
    found: list[Part] = []
    for part in parts:
        wanted = [word.strip() for word in words_of(part.text.strip())]
        for at in by_word.get(wanted[0], ()):
            if plain[at : at + len(wanted)] == wanted:
                places.update(range(at, at + len(wanted)))
                found.append(part)
    return frozenset(places), tuple(found)
