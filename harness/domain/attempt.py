"""One attempt of a call: its layers write here what the others must know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from harness.domain.completion import AtMost
from harness.domain.reach import Before
from harness.errors import Reach

OnSilence = Literal["give up", "wait on", "as set"]
"""The choices for a silent request: give it up, wait although its time is over, or follow the
time-out.
"""


@dataclass(slots=True)
class Attempt:
    """One try of a call, on its way through the layers.

    Each layer writes its part, so that answers and errors pass the others unchanged. `before` is
    what there was when the attempt before this one failed, None in the first. `waits` are the
    seconds waited so far, by the fields of `Waits`. `row` is the row of the journal that is open
    for the request, 0: none is. `at_most` is the most that it can have cost, where the server did
    not tell its usage. `reach` is how far its failure reaches, None where nobody has decided that.

    `on_life` is called once a request, as soon as the server has shown that it works on it: by the
    first event or comment of a stream that is not an error, or by a whole answer; not by a mere
    head, a page of HTML or an error. `on_silence` is asked every few seconds while no first token
    has come, with the seconds of silence. Neither may be slow or raise.
    """

    before: Before | None = None
    waits: dict[str, float] = field(default_factory=dict)
    row: int = 0
    at_most: AtMost | None = None
    reach: Reach | None = None
    on_life: Callable[[], None] | None = None
    on_silence: Callable[[float], OnSilence] | None = None

    @property
    def waited_s(self) -> float:
        """Seconds waited so far, for whatever cause."""
        return sum(self.waits.values())

    def waited(self, **waits: float) -> None:
        """Add to the waits, named as the fields of `Waits`."""
        for name, seconds in waits.items():
            if seconds:
                self.waits[name] = self.waits.get(name, 0.0) + seconds
