"""A server that hands back the secret it was sent, in every place where a server can put it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

USAGE = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}


class Echo(BaseHTTPRequestHandler):
    """The first part of the path says how to answer."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        getattr(self, "_" + self.path.split("/")[1].replace("-", "_"))(self._secret())

    def _secret(self) -> str:
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        return base64.b64decode(value).decode().partition(":")[2] if kind == "Basic" else value

    def _reply(
        self, status: int, body: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, key: str, content: str = "Fine.", **choice: str) -> None:
        message = {"role": "assistant", "content": content, "reasoning_content": f"They sent {key}"}
        choices = [
            {"index": 0, "message": message, "finish_reason": choice.get("finish_reason", "stop")}
        ]
        self._reply(200, json.dumps({"model": key, "choices": choices, "usage": USAGE}).encode())

    def _events(self, *events: object) -> None:
        lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
        self._reply(
            200, "".join(f"data: {line}\n\n" for line in lines).encode(), "text/event-stream"
        )

    def _fine(self, key: str) -> None:
        self._answer("nothing")

    def _body(self, key: str) -> None:
        self._reply(
            401, json.dumps({"error": {"message": f"Incorrect API key provided: {key}"}}).encode()
        )

    def _html(self, key: str) -> None:
        self._reply(500, f"<html><title>{key}</title>{key}</html>".encode(), "text/html")

    def _bad(self, key: str) -> None:
        self._reply(400, f"Authorization: Bearer {key}".encode(), "text/plain")

    def _header(self, key: str) -> None:
        self._reply(429, b"{}", x_request_id=key, x_ds_trace_id=key, retry_after=key)

    def _redirect(self, key: str) -> None:
        self._reply(307, key.encode(), location=f"http://elsewhere.invalid/?key={key}")

    def _said(self, key: str) -> None:
        self._answer(
            key, f"Your key is {key}, in base64 {base64.b64encode(key.encode()).decode()}."
        )

    def _reason(self, key: str) -> None:
        self._answer(key, f"cut {key}", finish_reason=key)

    def _garbage(self, key: str) -> None:
        self._reply(200, f"{key} is no JSON".encode())

    def _event(self, key: str) -> None:
        self._events(
            {"choices": [{"delta": {"content": key}}]}, {"error": {"message": f"bad key {key}"}}
        )

    def _pieces(self, key: str) -> None:
        half = len(key) // 2
        pieces = [
            ("reasoning_content", f"I got {key[:half]}"),
            ("reasoning_content", f"{key[half:]}. "),
        ]
        pieces += [
            ("content", f"It is {key[:half]}"),
            ("content", key[half:]),
            ("content", " indeed."),
        ]
        self._events(
            *({"choices": [{"delta": {name: text}}]} for name, text in pieces),
            {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE},
            "[DONE]",
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the one it replaces
        """Says nothing."""


@contextmanager
def echoing() -> Iterator[str]:
    """The URL of such a server."""
    Echo.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
