"""The grouping of failures by cause: one rule for the display, the summary, `status` and the page.

The page splits a group further, by step and by what messages have in common, and never joins two.
"""

from __future__ import annotations

from harness.domain.run import Failure

Group = tuple[str, str | None]
"""The cause in a word or two, and the line of the workflow's code that failures of the group came
from, if any did.
"""


def group_of(failure: Failure) -> Group:
    """Return the group of a failure. Exceptions of two lines of code are two groups, whatever they
    say.
    """
    return cause_of(type=failure.type, kind=failure.kind, status=failure.status), failure.where


def cause_of(*, type: str, kind: str | None, status: int | None) -> str:  # noqa: A002 - as in `Failure`
    """Say the cause of a failure in a word or two: `server 500`, `rate limited`, `ValueError`."""
    if kind is None:
        return type
    name = kind.replace("_", " ")
    return f"{name} {status}" if status is not None else name
