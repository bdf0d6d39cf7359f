"""Changes of a topic file since a run read it, told from a digest of each line then and now."""

from __future__ import annotations

from collections.abc import Sequence

from harness.text.amounts import counted


def lines_added(then: Sequence[int], now: Sequence[int]) -> int | None:
    """Return the number of lines added at the end of a file, or None if it was changed
    otherwise.
    """
    if now[: len(then)] == then:
        return len(now) - len(then)
    return None


def first_difference(then: Sequence[int], now: Sequence[int]) -> int:
    """The number, from 1, of the first line that is not as it was.

    One more than there are, where all of them are.
    """
    for number, (before, after) in enumerate(zip(then, now, strict=False), start=1):
        if before != after:
            return number
    return min(len(then), len(now)) + 1


def change_words(then: Sequence[int], now: Sequence[int]) -> str:
    """Describe the change in words: `line 7 was changed`, `the file has 3 lines fewer`."""
    first = first_difference(then, now)
    same_at_end = _same_at_end(then, now, most=min(len(then), len(now)) + 1 - first)
    removed, added = len(then) - same_at_end - first + 1, len(now) - same_at_end - first + 1
    if removed and not added:
        if not same_at_end:
            return f"the file has {counted(removed, 'line')} fewer"
        return f"{_lines(first, removed)} removed"
    if added and not removed:
        what = f"{counted(added, 'line')} {'was' if added == 1 else 'were'}"
        if same_at_end:
            return f"{what} put in before line {first:,}"
        return f"{what} added"
    if first == 1 and not same_at_end and removed > 1:
        return "it is another file: neither its first line nor its last is as it was"
    if removed == added == 1:
        return f"line {first:,} was changed"
    if removed == added:
        return (
            f"lines were changed, the first of them line {first:,} and the last line"
            f" {first + removed - 1:,}"
        )
    difference = added - removed
    how = f"{counted(abs(difference), 'line')} {'more' if difference > 0 else 'fewer'}"
    return f"lines were changed, the first of them line {first:,}, and the file has {how}"


def _same_at_end(then: Sequence[int], now: Sequence[int], *, most: int) -> int:
    for number in range(most):
        if then[-1 - number] != now[-1 - number]:
            return number
    return most


def _lines(first: int, number: int) -> str:
    if number == 1:
        return f"line {first:,} was"
    return f"lines {first:,} to {first + number - 1:,} were"
