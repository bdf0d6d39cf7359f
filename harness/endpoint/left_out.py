"""Parts of a request that a server is not sent.

They are fields that it refused, and settings without a field there.
"""

from __future__ import annotations

import logging
import re

from harness.domain.call import Call
from harness.domain.completion import Completion, Request
from harness.domain.endpoint import Endpoint
from harness.domain.failures import CompletionError
from harness.domain.request_form import advice_elsewhere, unsent

log = logging.getLogger("harness.call")

_REFUSALS = (400, 422)
_VAGUE_REFUSALS = (None, 403, 404, 405, 406, 415, 500, 501)
"""Under these a server is believed where it says that it does not take the field; None: under 200.
"""
_NOT_TAKEN = re.compile(
    r"\bnot"
    r" |n't\b|\bun(?:known|recogni[sz]ed|expected|supported)|\bextra\b|invalid|forbid|additional|\bno"
    r" such"
    r"|不支持|未知|无效",
    re.IGNORECASE,
)
_OTHER_NAMES = {"stream_options": r"|stream[ -]?options|include_?usage"}


class LeftOut:
    """Remembers, for as long as its endpoint is asked, which fields to leave out.

    Each is told in one line.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._told: set[tuple[str, str]] = set()
        self.fields: frozenset[str] = frozenset()

    def learn(
        self, outcome: Completion | CompletionError, body: bytes, left_out: frozenset[str]
    ) -> bool:
        """Return whether a request is to be sent again without what was refused now.

        It was sent without `left_out`.
        """
        if isinstance(outcome, Completion):
            return False
        words = str(outcome)
        if outcome.status not in _REFUSALS and not (
            outcome.status in _VAGUE_REFUSALS and _NOT_TAKEN.search(words)
        ):
            return False
        for name in sorted(self._endpoint.may_leave_out - left_out):
            if f'"{name}":'.encode() in body and _names(name, words):
                self._leave_out(name, words)
                return True
        return False

    def _leave_out(self, name: str, words: str) -> None:
        if name in self.fields:  # another call that was under way has learned it
            return
        self.fields |= {name}
        if name == "stream_options":
            mend = "stream_options=false"
        else:
            mend = "thinking=none"
        spares = self._advised(f"--set endpoint.{mend} spares it the first time")
        log.warning(
            "%s refuses the field %s and is asked without it from now on; %s",
            self._endpoint.identity,
            name,
            spares,
            extra={"refusal": self._endpoint.redact(words)},
        )

    def tell_unsent(self, request: Request, call: Call) -> None:
        """Say once what a step chose and this server is not told."""
        for one in unsent(
            thinking=request.thinking, effort=request.effort, form=self._endpoint.form
        ):
            if (one.name, one.value) in self._told:
                continue
            self._told.add((one.name, one.value))
            log.warning(
                "%s %s, which step %s chose, is not sent to %s: %s",
                one.name,
                one.value,
                call.span_id.rpartition("/")[2],
                self._endpoint.identity,
                self._advised(one.advice),
            )

    def _advised(self, advice: str) -> str:
        name = self._endpoint.name
        if name is None:
            return advice
        return advice_elsewhere(advice, name)


def _names(field: str, words: str) -> bool:
    """Return whether words are about a field, in whatever style they write its name."""
    names = f"{field}{_OTHER_NAMES.get(field, '')}"
    return re.search(rf"(?<![a-z_])(?:{names})(?![a-z_])", words, re.IGNORECASE) is not None
