"""Asking the fake without any client: a request body in, the whole reply out, at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from harness.testing import FakeDeepSeek

KEY = {"authorization": "Bearer sk-1234567890"}


@dataclass(frozen=True)
class Heard:
    """A reply, read to its end."""

    status: int | None
    headers: dict[str, str]
    data: bytes
    end: str
    duration_s: float

    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def content(self) -> str:
        text: str = self.json()["choices"][0]["message"]["content"]
        return text

    @property
    def events(self) -> list[Any]:
        """The values of the `data:` events, without `[DONE]`."""
        lines = [
            line.removeprefix("data: ")
            for line in self.data.decode().split("\n\n")
            if line.startswith("data: ")
        ]
        return [json.loads(line) for line in lines if line != "[DONE]"]


Ask = Callable[..., Heard]


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Send a chat request, which completes. Fields are the body's; `messages` may be a plain
    text.
    """

    def ask(fake: FakeDeepSeek, messages: Any = "What is entanglement?", **fields: Any) -> Heard:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        body = {"model": "deepseek-flash", "messages": messages, **fields}
        return send(fake, "POST", "/chat/completions", json.dumps(body).encode())

    return ask


@pytest.fixture(scope="session")
def raw() -> Callable[..., Heard]:
    """Send any request, with a key unless told otherwise."""
    return send


def send(
    fake: FakeDeepSeek,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] = KEY,
    now_s: float = 0.0,
) -> Heard:
    exchange = fake.begin(method, path, headers, body, now_s=now_s)
    pieces = list(exchange.reply.pieces)
    exchange.complete()
    return Heard(
        status=exchange.reply.status,
        headers=dict(exchange.reply.headers),
        data=b"".join(piece.data for piece in pieces),
        end=exchange.reply.end,
        duration_s=sum(piece.delay_s for piece in pieces),
    )
