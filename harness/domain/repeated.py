"""The stop of a broken workflow: the first topics raised the same exception, and none succeeded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from harness.domain.run import Failure
from harness.text.safe import one_line

Verdict: TypeAlias = Literal["go on", "stop", "leave"]
"""The choices for a topic whose workflow raised: write its row, write it and stop the run, or leave
the topic unfinished.
"""

Alike: TypeAlias = frozenset[tuple[str, str]]
"""The types of a topic's exceptions, each with the line that it came from. Messages name topics, so
they are not compared.

A topic whose parts failed at once has several; it fails like another one if they have one in
common.
"""

LONGEST_MESSAGE = 500


@dataclass(slots=True)
class Repeated:
    """Counts equal exceptions in a row, until a first topic succeeds.

    `at_most` None: the run is never stopped. What says nothing about the workflow's code, such as a
    call that failed or a topic that was given up, neither counts nor breaks the row.
    """

    at_most: int | None
    succeeded: bool = False
    _stopped: bool = field(default=False, init=False)
    _common: Alike = field(default=frozenset(), init=False)
    _count: int = field(default=0, init=False)

    def raised(self, alike: Alike) -> Verdict:
        """One more topic whose workflow raised."""
        if self._stopped:
            # Hundreds of topics may be open; each would fail with the code as it is, and `resume`
            # does all of them.
            return "leave"
        if self.succeeded or self.at_most is None:
            return "go on"
        common = self._common & alike
        self._count = self._count + 1 if common else 1
        self._common = common or alike
        self._stopped = self._count >= self.at_most
        return "stop" if self._stopped else "go on"

    def success(self) -> None:
        """A topic has a result: the code works, at least for some."""
        self.succeeded = True


def stopped_words(failure: Failure, times: int, resume: str) -> str:
    """Explain why a run was stopped for what its workflow raised, and what to do.

    `resume` is the command to go on.
    """
    often = "the first topic" if times == 1 else f"{times:,} topics in a row"
    what = failure.type
    if failure.where is not None:
        what += f" at {failure.where}"
    if failure.code is not None:
        what += f" ({failure.code})"
    if failure.message:
        what += f": {one_line(failure.message, LONGEST_MESSAGE)}"
    return (
        f"the workflow failed for {often}, and nothing has succeeded yet: {what}; mend it, then"
        f" `{resume}`: what was paid comes from the cache (--max-failures off goes on all the same)"
    )
