"""A server on this machine that notes what it is sent, and answers always the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER: Mapping[str, Any] = {
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Scattering."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


@dataclass
class Listening:
    """What it was sent: bodies as texts, headers by their names in small letters."""

    url: str = ""
    bodies: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def sent(self) -> dict[str, Any]:
        """The last body."""
        body: dict[str, Any] = json.loads(self.bodies[-1])
        return body


@contextmanager
def listening(answer: Mapping[str, Any] = ANSWER) -> Iterator[Listening]:
    """It answers a stream as a whole, too, which a client must take."""
    noted = Listening()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            noted.paths.append(self.path)
            noted.headers.append({name.lower(): value for name, value in self.headers.items()})
            noted.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Not on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        noted.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield noted
        finally:
            server.shutdown()
            thread.join()
