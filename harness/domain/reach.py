"""The reach of an error: one request, one topic, or everyone, for now or until someone acts.

This is decided from the kind of the error, its status, its words, and from what has happened in the
run so far. The table of examples is in docs/reliability.md ("How far an error reaches"); a test
reads it. A fifth reach, the author of the workflow, is decided where workflows are run: no request
is behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.domain.failures import CompletionError, FatalError, PermanentError
from harness.domain.policy import EQUAL_FAILURES
from harness.errors import Reach

_FOR_NOW_STATUSES = frozenset({408, 429, 502, 503, 504, *range(520, 531)})
"""Statuses by which a server or a proxy says that it cannot serve at the moment; 520 to 530 are
Cloudflare's and 529 Anthropic's "overloaded".
"""
_FOR_NOW_WORDS = re.compile(
    r"load(?:ing|ed? up)|warming|starting|overload|unavailable|capacity|busy|try"
    r" again|maintenance|temporar",
    re.IGNORECASE,
)
_NOT_BEGUN_KINDS = frozenset(
    {"connection", "timeout", "server", "gateway", "incomplete", "malformed"}
)
_STATUSES_OF_THE_WAY = frozenset({404, 405, 410, 421, 426, 499})
"""Statuses of a refusal that is about the way to the server, and not about what is asked: a gateway
that has lost its route while something behind it is replaced.
"""
_REFUSAL_KINDS = frozenset({"server", "gateway", "incomplete", "malformed"})
"""Transient kinds that may be lasting: a wrong URL behind a gateway, a server that answers nothing
or nonsense.
"""
_VARIABLE_WORD = re.compile(r"\S*\d\S*")

OFTEN_ALONE = 2
"""A call that failed so often in the same words while others were served fails by itself."""
RECOVERING_SHARE = 1 / 8
"""If this share of the answered calls had failed before, the server is at fault, not the calls."""
MOST_SPARED = 15
"""A call that fails so often while others recover counts as at fault all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The state of a call and of the run when the attempt before failed.

    `sent`, `answered`, `recovered` and `failed` count requests of the run by then; `recovered` are
    those of the answered whose call had failed before, `failed` leaves out the calls that fail by
    themselves. `words` are the wording of the failure, and `alone` is how often the call failed in
    these words while others were served. `spared` is how often a failure was not held against it,
    as others recovered.
    """

    sent: int
    answered: int = 0
    recovered: int = 0
    failed: int = 0
    words: str = ""
    alone: int = 0
    spared: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The run's experience with its provider when a request failed.

    `answered` counts the requests that were answered. `alike` counts refusals in the same words in
    a row, this one included. `others_served` says whether another call was served since the attempt
    of this one before failed as well: by a first failure nobody can tell whether it is the call's
    own. `others_recover`: many of those that were served had failed before, so that failing says
    little. `others_failed`: another call failed since then. `alone` is how often this call failed
    in the same words while others were served. `worked` says whether the provider has answered in
    this session, and `known_own` whether a refusal in these words was found to be a call's own.
    """

    answered: int = 0
    alike: int = 1
    others_served: bool = False
    others_recover: bool = False
    others_failed: bool = False
    alone: int = 0
    worked: bool = False
    known_own: bool = False

    @property
    def is_its_own(self) -> bool:
        """Return whether what failed is the call's own trouble, as far as the others tell."""
        if self.others_served:
            return not self.others_recover
        return self.alone >= OFTEN_ALONE and not self.others_failed


def reach_of(
    error: CompletionError, seen: Seen, *, alike_at_most: int | None = EQUAL_FAILURES
) -> Reach:
    """Return how far this error reaches. `alike_at_most` None: equal refusals never end the run."""
    if isinstance(error, FatalError):
        return "everyone until someone acts"
    never_answered = (
        alike_at_most is not None and seen.answered == 0 and seen.alike >= alike_at_most
    )
    if never_answered and is_refusal(error):
        return "everyone until someone acts"
    if isinstance(error, PermanentError):
        passes = (
            is_about_the_way(error) and seen.worked and not (seen.others_served or seen.known_own)
        )
        return "everyone for now" if passes else "topic"
    if error.kind == "rate_limited":
        return "everyone for now"
    if may_concern_everyone(error) and not seen.is_its_own:
        return "everyone for now"
    return "request"


def may_concern_everyone(error: CompletionError) -> bool:
    """Return whether other calls would meet this failure, too: nothing of the answer had come."""
    if error.kind == "rate_limited":
        return True
    if isinstance(error, PermanentError):
        return is_about_the_way(error)
    return error.kind in _NOT_BEGUN_KINDS and not error.begun


def is_about_the_way(error: CompletionError) -> bool:
    """Return whether a refusal is about the way to the server.

    What worked a moment ago may work again soon.
    """
    if error.begun:
        return False
    return error.kind == "redirect" or (
        error.kind == "bad_request" and error.status in _STATUSES_OF_THE_WAY
    )


def is_refusal(error: CompletionError) -> bool:
    """Return whether the server turned the request down, and not only for now."""
    if isinstance(error, PermanentError):
        return error.kind not in ("length", "content_filter", "refusal", "too_long")
    if error.kind not in _REFUSAL_KINDS or error.begun:
        return False
    return error.status not in _FOR_NOW_STATUSES and _FOR_NOW_WORDS.search(str(error)) is None


def wording_of(error: CompletionError) -> str:
    """Return the words of a refusal without what differs from one to the next: ids, counts,
    times.
    """
    words = _VARIABLE_WORD.sub("#", str(error).lower())
    return f"{error.kind} {error.status} {words}"
