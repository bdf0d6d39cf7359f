"""The alignment of two sequences of words: whole lines first, then words within the rest.

It does no more work than it is allowed. `words` shows the result to people, and `request_change`
blames its stretches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import accumulate, pairwise
from typing import NamedTuple

MOST_COMPARISONS = 8_000_000
"""Of words with words, for one pair of texts: about half a second, and far more than two ordinary
answers take.
"""

# Each match that is found takes another look at what is left of the words. Where one look at all of
# them takes more than this part of what is allowed, frequent words anchor no match any more: they
# only extend one.
_DEAR = 100


class Stretch(NamedTuple):
    """`old[old_start:old_end]` stands where `new[new_start:new_end]` does; `equal` if they are the
    same.
    """

    equal: bool
    old_start: int
    old_end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Stretches that cover both sequences in order, equal and different in turn.

    `complete` is False where the work allowed did not suffice: a different stretch may then hold
    equal words.
    """

    stretches: tuple[Stretch, ...]
    complete: bool


@dataclass(slots=True)
class _Work:
    """Comparisons that may still be made."""

    left: int
    refused: bool = False

    def take(self, number: int) -> bool:
        if number > self.left:
            self.refused = True
            return False
        self.left -= number
        return True


def match(
    old: Sequence[str], new: Sequence[str], *, most_comparisons: int = MOST_COMPARISONS
) -> Matching:
    """Align two texts that are given as words, in which a line ends with a word that holds a line
    feed.

    The time is linear in the texts, plus that of `most_comparisons`.
    """
    work = _Work(most_comparisons)
    start, end = common_ends(old, new)
    lines = _Lines(old[start : len(old) - end]), _Lines(new[start : len(new) - end])
    found = [Stretch(True, 0, start, 0, start)]
    for one in _align(lines[0].keys, lines[1].keys, work):
        (old_from, old_to), (new_from, new_to) = (
            lines[0].range_of(one[1:3]),
            lines[1].range_of(one[3:5]),
        )
        whole = Stretch(
            one.equal, start + old_from, start + old_to, start + new_from, start + new_to
        )
        if one.equal:
            found.append(whole)
        else:
            found += _within(whole, old, new, work)
    found.append(Stretch(True, len(old) - end, len(old), len(new) - end, len(new)))
    return Matching(stretches=tuple(_joined(found)), complete=not work.refused)


class _Lines:
    """A sequence of words as lines, each a key that can be compared, and where each begins."""

    def __init__(self, words: Sequence[str]) -> None:
        ends = [number for number, word in enumerate(words, start=1) if "\n" in word]
        if ends and ends[-1] == len(words):
            self.starts = [0, *ends]
        else:
            self.starts = [0, *ends, len(words)]
        self.keys = [tuple(words[start:end]) for start, end in pairwise(self.starts)]

    def range_of(self, lines: tuple[int, ...]) -> tuple[int, int]:
        return self.starts[lines[0]], self.starts[lines[1]]


def _within(
    stretch: Stretch, old: Sequence[str], new: Sequence[str], work: _Work
) -> Iterator[Stretch]:
    """Align the words of lines that differ."""
    _, old_start, old_end, new_start, new_end = stretch
    for one in _align(old[old_start:old_end], new[new_start:new_end], work):
        yield Stretch(
            one.equal,
            old_start + one.old_start,
            old_start + one.old_end,
            new_start + one.new_start,
            new_start + one.new_end,
        )


def _align(old: Sequence[Hashable], new: Sequence[Hashable], work: _Work) -> Iterator[Stretch]:
    matcher = _Bounded(old, new, work)
    old_at = new_at = 0
    for block in matcher.get_matching_blocks():
        if old_at < block.a or new_at < block.b:
            work.refused |= matcher.overlooks(old[old_at : block.a], new[new_at : block.b])
            yield Stretch(False, old_at, block.a, new_at, block.b)
        old_at, new_at = block.a + block.size, block.b + block.size
        if block.size:
            yield Stretch(True, block.a, old_at, block.b, new_at)


class _Bounded(SequenceMatcher[Hashable]):
    """A SequenceMatcher that finds nothing more when it has done all the work it was allowed.

    `unanchored` are words so frequent that a match is not looked for where only they agree.
    """

    def __init__(self, old: Sequence[Hashable], new: Sequence[Hashable], work: _Work) -> None:
        counts = Counter(new)
        self.unanchored = set[Hashable]()
        if sum(counts[word] for word in old) * _DEAR > work.left:
            self.unanchored = {
                word for word, count in counts.items() if count > 1 + len(new) // 100
            }
        super().__init__(self.unanchored.__contains__, old, new, autojunk=False)
        self._work = work
        for word in self.unanchored:
            counts[word] = 0
        costs = (counts[word] for word in old)
        self._comparisons = list(accumulate(costs, initial=0))

    def overlooks(self, old: Sequence[Hashable], new: Sequence[Hashable]) -> bool:
        """Return whether two stretches found different share so many frequent words that nobody
        knows.
        """
        frequent = [
            Counter(word for word in words if word in self.unanchored) for words in (old, new)
        ]
        return 2 * (frequent[0] & frequent[1]).total() > min(len(old), len(new))

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        until = len(self._comparisons) - 1 if ahi is None else ahi
        comparisons = until - alo + self._comparisons[until] - self._comparisons[alo]
        if not self._work.take(comparisons):
            return Match(alo, blo, 0)
        return super().find_longest_match(alo, ahi, blo, bhi)


def common_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """Count the words that are the same at the beginning, and of the rest at the end."""
    shorter = min(len(old), len(new))
    start = next((index for index in range(shorter) if old[index] != new[index]), shorter)
    rest = shorter - start
    end = next((index for index in range(rest) if old[-1 - index] != new[-1 - index]), rest)
    return start, end


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Return the same without empty ones, and with neighbours of one kind made one."""
    found: list[Stretch] = []
    for one in stretches:
        if one.old_start == one.old_end and one.new_start == one.new_end:
            continue
        if found and found[-1].equal == one.equal:
            found[-1] = found[-1]._replace(old_end=one.old_end, new_end=one.new_end)
        else:
            found.append(one)
    return found
