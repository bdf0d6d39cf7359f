"""A scripted answer of the fake, in place of an invented one: one line for one request."""

from __future__ import annotations

import http
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from harness.domain.completion import Usage
from harness.testing.deepseek.chat_request import ChatRequest
from harness.testing.deepseek.fault_plan import Fault, Oddity
from harness.testing.deepseek.generation import Answer
from harness.testing.deepseek.misbehaviour import Scene, error_reply, instead
from harness.testing.deepseek.reply import Reply

# The fault that is a plain reply of this status, in DeepSeek's words.
_PLAIN = {fault.value: fault for fault in Fault if fault.value.isdecimal()} | {
    "429": Fault.RATE_RPM
}
_KINDS = {401: "authentication_error", 429: "rate_limit_error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """An answer that is sent as it stands.

    No cap and no stop sequence cuts it, and its reasoning is sent even unasked. `usage` None: the
    tokens are counted. It begins `after_s` seconds after the request; None: when the latency says.
    """

    answer: Answer
    usage: Usage | None = None
    after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """An error under its status.

    `message` None: DeepSeek's own words. `retry_after_s` goes into that header.
    """

    status: int
    message: str | None = None
    retry_after_s: float | None = None

    def reply(self, scene: Scene) -> Reply:
        """Return the reply."""
        named = _PLAIN.get(str(self.status)) if self.message is None else None
        reply = instead(named, scene) if named is not None else None
        if reply is None:
            kind = _KINDS.get(
                self.status,
                "invalid_request_error" if self.status < 500 else "internal_server_error",
            )
            reply = error_reply(scene, self.status, self.message or _phrase(self.status), kind)
        if self.retry_after_s is None:
            return reply
        return replace(reply, headers=(*reply.headers, ("retry-after", f"{self.retry_after_s:g}")))


Line: TypeAlias = Say | Refuse | Oddity
"""A fault bends the answer that the fake invents, or takes its place; a form is the envelope of
some other server.
"""

Script: TypeAlias = Callable[[ChatRequest], Line | None]
"""Asked once for each valid request that was let in; None: the fake goes by its plan and invents.
"""


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
