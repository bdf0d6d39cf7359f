"""A cassette after a new recording: unchanged answers keep their lines, so that a diff shows what
changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.cache.cassette import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """`recordings` is the cassette as it shall be. `stale` are lines of the old one that nothing
    asked for now.
    """

    recordings: tuple[Recording, ...]
    added: int
    replaced: int
    unchanged: int
    stale: tuple[Recording, ...]


def one_for_each_key(fresh: Iterable[Recording]) -> dict[str, Recording]:
    """By key; of several the first in the order of a cassette, so that who happened to ask first
    does not show.
    """
    found: dict[str, Recording] = {}
    for recording in sorted(fresh, key=lambda one: one.place):
        found.setdefault(recording.key, recording)
    return found


def merge(known: Sequence[Recording], fresh: Iterable[Recording], *, prune: bool) -> Merged:
    """The known lines with the fresh ones among them.

    A fresh answer that is equal to the known one leaves its line as it is, with its day; another
    one replaces it. Of several fresh ones with one key the first by place counts (see
    `one_for_each_key`). Stale lines stay, unless `prune` says otherwise: a recording of some of the
    topics says nothing about the others.
    """
    before = {recording.key: recording for recording in known}
    now = one_for_each_key(fresh)
    kept = {
        key: before[key]
        for key, one in now.items()
        if key in before and before[key].same_answer(one)
    }
    stale = tuple(recording for key, recording in before.items() if key not in now)
    return Merged(
        recordings=(*({**now, **kept}).values(), *(() if prune else stale)),
        added=len(now.keys() - before.keys()),
        replaced=len(now.keys() & before.keys()) - len(kept),
        unchanged=len(kept),
        stale=stale,
    )
