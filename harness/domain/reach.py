"""How far an error reaches: one request, one topic, or everyone, for now or until someone acts.

This is decided from the kind of the error, its status, its words, and from what has happened in the run so far. The
table of examples is in docs/reliability.md ("How far an error reaches"); a test reads it. A fifth reach, the author of
the workflow, is decided where workflows are run: no request is behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.domain.failures import CompletionError, FatalError, PermanentError
from harness.domain.policy import EQUAL_FAILURES
from harness.errors import Reach

_FOR_NOW_STATUSES = frozenset({408, 429, 502, 503, 504, *range(520, 531)})
"""Statuses by which a server or a proxy says that it cannot serve at the moment; 520 to 530 are Cloudflare's and 529
Anthropic's "overloaded"."""
_FOR_NOW_WORDS = re.compile(
    r"load(?:ing|ed? up)|warming|starting|overload|unavailable|capacity|busy|try again|maintenance|temporar",
    re.IGNORECASE,
)
_NOT_BEGUN_KINDS = frozenset({"connection", "timeout", "server", "gateway", "incomplete"})
_REFUSAL_KINDS = frozenset({"server", "gateway", "incomplete", "malformed"})
"""Transient kinds that may be lasting: a wrong URL behind a gateway, a server that answers nothing or nonsense."""
_VARIABLE_WORD = re.compile(r"\S*\d\S*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a run had seen of its provider when a request failed.

    `answered` counts the requests that were answered. `alike` counts refusals in the same words in a row, this one
    included. `others_served` says whether another call was served since the attempt of this one before failed as well:
    by a first failure nobody can tell whether it is the call's own.
    """

    answered: int = 0
    alike: int = 1
    others_served: bool = False


def reach_of(error: CompletionError, seen: Seen, *, alike_at_most: int | None = EQUAL_FAILURES) -> Reach:
    """Return how far this error reaches. `alike_at_most` None: equal refusals never end the run."""
    if isinstance(error, FatalError):
        return "everyone until someone acts"
    never_answered = alike_at_most is not None and seen.answered == 0 and seen.alike >= alike_at_most
    if never_answered and is_refusal(error):
        return "everyone until someone acts"
    if isinstance(error, PermanentError):
        return "topic"
    if error.kind == "rate_limited":
        return "everyone for now"
    if may_concern_everyone(error) and not seen.others_served:
        return "everyone for now"
    return "request"


def may_concern_everyone(error: CompletionError) -> bool:
    """Return whether other calls would meet this failure, too: nothing of the answer had come."""
    if error.kind == "rate_limited":
        return True
    return error.kind in _NOT_BEGUN_KINDS and not error.begun


def is_refusal(error: CompletionError) -> bool:
    """Return whether the server turned the request down, and did not say that this is only so for now."""
    if isinstance(error, PermanentError):
        return error.kind not in ("length", "content_filter", "refusal", "too_long")
    if error.kind not in _REFUSAL_KINDS or error.begun:
        return False
    return error.status not in _FOR_NOW_STATUSES and _FOR_NOW_WORDS.search(str(error)) is None


def wording_of(error: CompletionError) -> str:
    """Return the words of a refusal without what differs from one to the next: ids, counts, times."""
    words = _VARIABLE_WORD.sub("#", str(error).lower())
    return f"{error.kind} {error.status} {words}"
