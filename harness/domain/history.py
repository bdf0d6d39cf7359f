"""The course of a whole number over time, in few enough steps to be kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class Levels:
    """A number as steps: from when it had which value.

    Of more than `MOST` steps every two become one, the lower.
    """

    MOST = 512

    def __init__(self) -> None:
        self._steps: list[tuple[float, int]] = []

    @classmethod
    def sum_of(cls, parts: Sequence[Levels], *, most: int) -> Levels:
        """Several numbers added up at each time, but never more than `most`."""
        changes = sorted(
            (at_s, number, level)
            for number, part in enumerate(parts)
            for at_s, level in part._steps
        )
        now, total = [0] * len(parts), cls()
        for at_s, number, level in changes:
            now[number] = level
            total.note(at_s, min(most, sum(now)))
        return total

    def note(self, at_s: float, level: int) -> None:
        """The number is this from now on. Times never go back."""
        steps = self._steps
        if steps and steps[-1][1] == level:
            return
        if steps and steps[-1][0] == at_s:
            steps.pop()
        steps.append((at_s, level))
        if len(steps) > self.MOST:
            pairs = zip(steps[::2], steps[1::2], strict=False)
            last = steps[-1:] if len(steps) % 2 else []
            self._steps = [(first[0], min(first[1], second[1])) for first, second in pairs] + last

    def since(self, origin_s: float) -> Iterator[tuple[float, int]]:
        """The steps, their times counted from an instant; what was before it has its time."""
        return ((max(0.0, at_s - origin_s), level) for at_s, level in self._steps)
