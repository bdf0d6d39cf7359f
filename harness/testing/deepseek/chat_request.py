"""A chat request as the server understands it, once it is known to be valid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.testing.deepseek.tokens import encoded

# A JSON object as it came from the client. Its fields have been checked; their types cannot be
# written down.
JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A chat request with its defaults filled in.

    `max_tokens` is never absent, `thinking` is decided, `model` is today's name. `body` is the
    request as it was sent. `prompt` is the whole of messages and tools as the model reads it: what
    is counted and what the prefix cache sees.
    """

    body: JsonObject
    model: str
    messages: Sequence[JsonObject]
    prompt: bytes
    thinking: bool
    effort: str
    max_tokens: int
    temperature: float
    json_mode: bool
    tools: Sequence[JsonObject]
    tool_choice: str | JsonObject
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool
    user_id: str

    def digest(self, seed: int) -> bytes:
        """Return the digest that the answer is drawn from.

        It is of everything that decides the answer, and nothing else. Left out are caps and stops
        (they cut an answer, they do not change it), how it is sent, and, when thinking, the
        temperature, which DeepSeek ignores there.
        """
        temperature = None if self.thinking else self.temperature
        settings = [
            seed,
            self.model,
            self.thinking,
            self.effort,
            self.json_mode,
            temperature,
            self.tool_choice,
        ]
        head = json.dumps(settings, sort_keys=True, default=dict).encode()
        return hashlib.sha256(head + b"\0" + self.prompt).digest()

    def last_text(self, role: str) -> str:
        """The text of the last message of a role, or nothing."""
        return next(
            (text_of(message) for message in reversed(self.messages) if message["role"] == role), ""
        )


def render(messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> bytes:
    """The prompt of a conversation, up to where the assistant begins to speak.

    Reasoning of earlier turns is part of it only beside tools; elsewhere DeepSeek drops it.
    """
    parts = []
    if tools:
        parts.append("<tools>" + json.dumps(tools, ensure_ascii=False, sort_keys=True))
    for message in messages:
        parts.append(f"<{message['role']}>")
        if tools and message.get("reasoning_content"):
            parts.append(f"<think>{message['reasoning_content']}</think>")
        parts.append(text_of(message))
        if message.get("tool_calls"):
            parts.append(json.dumps(message["tool_calls"], ensure_ascii=False, sort_keys=True))
    parts.append("<assistant>")
    return encoded("".join(parts))


def text_of(message: JsonObject) -> str:
    """A message's text: a string, or the text parts of a list (an image counts as a word)."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(map(_text_of_part, content))


def _text_of_part(part: JsonObject) -> str:
    if part.get("type") == "text":
        return str(part["text"])
    return "[image]"
