"""The calls that the fake received, as a test asserts on them and as a failed test shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.testing.deepseek.chat_request import JsonObject
from harness.text.amounts import counted

_SHOWN_CHARACTERS = 120
_SHOWN_CALLS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCall:
    """A chat request that came in. `at_s` is the time of the loop that received it.

    `body` is the JSON that was sent, {} where it was none. `status` is that of the reply; None: the
    connection was torn down, or, in a predicate of `when`, there is no reply yet. `line` names what
    of the script answered it; "" where the fake did by itself.
    """

    body: JsonObject
    at_s: float
    status: int | None = None
    line: str = ""

    @property
    def model(self) -> str:
        """The name that was asked for."""
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> Sequence[JsonObject]:
        """The conversation, each message as it was sent."""
        messages = self.body.get("messages")
        if not isinstance(messages, list):
            return []
        return [message for message in messages if isinstance(message, Mapping)]

    @property
    def stream(self) -> bool:
        """Return whether a streamed response was wanted."""
        return bool(self.body.get("stream"))

    @property
    def prompt(self) -> str:
        """The text of the last message of the user."""
        return self._last("user")

    @property
    def system(self) -> str:
        """The text of the last message of the system."""
        return self._last("system")

    @property
    def text(self) -> str:
        """The text of all messages, a paragraph each: what `when("…")` looks for its text in."""
        return "\n\n".join(_text(message) for message in self.messages)

    def _last(self, role: str) -> str:
        for message in reversed(self.messages):
            if message.get("role") == role:
                return _text(message)
        return ""

    def __str__(self) -> str:
        status = "no status" if self.status is None else str(self.status)
        how = "streamed" if self.stream else "plain"
        return (
            f"{shortened(self.prompt)} to {self.model or 'no model'}, {how}: {status},"
            f" {self.line or 'invented'}"
        )


def json_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object in a body, or {} where there is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def listed(calls: Sequence[ReceivedCall]) -> str:
    """The calls, numbered, a line each, with the seconds since the first.

    Only the last ones of many.
    """
    if not calls:
        return "no calls came"
    head = f"{counted(len(calls), 'call')} came"
    if len(calls) > _SHOWN_CALLS:
        head += f", the last {_SHOWN_CALLS} are"
    lines = [f"{head}:"]
    first = max(len(calls) - _SHOWN_CALLS, 0)
    for number, call in enumerate(calls[first:], first + 1):
        lines.append(f"  {number}. +{call.at_s - calls[0].at_s:.3f} s: {call}")
    return "\n".join(lines)


def shortened(text: str) -> str:
    """A text in quotes, on one line, cut where it is long."""
    line = " ".join(text.split())
    if len(line) > _SHOWN_CHARACTERS:
        line = f"{line[:_SHOWN_CHARACTERS]}…"
    return json.dumps(line, ensure_ascii=False)


def _text(message: JsonObject) -> str:
    """A message's text, also where the message is none that would be accepted."""
    content = message.get("content")
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = []
    for part in content:
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            texts.append(part["text"])
    return "\n".join(texts)
