"""One call of few tokens, kept as it came: what a server does is read off it, and not what a run would make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from harness._version import __version__
from harness.adapters.endpoint import wire
from harness.adapters.endpoint.http import build_http_client
from harness.adapters.endpoint.request_body import request_body
from harness.adapters.endpoint.sse import EventTooLongError, SSEParser
from harness.domain.completion import Request
from harness.domain.endpoint import Endpoint
from harness.domain.failures import TransientError
from harness.domain.policy import Carrier, Timeouts

if TYPE_CHECKING:
    import httpx2

PROBE_S = 120.0
_MOST_BYTES = 1024 * 1024
_DONE = b"[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What came back. `chunks` are those of a stream, in their order, or the one object of a whole answer.

    `done`: the stream ended with `[DONE]`. `text` is a body that is neither.
    """

    status: int
    streamed: bool
    chunks: tuple[wire.JsonObject, ...] = ()
    done: bool = False
    text: str = ""
    took_s: float = 0.0


async def probe(
    endpoint: Endpoint,
    request: Request,
    *,
    stream: bool,
    timeouts: Timeouts,
    transport: httpx2.AsyncBaseTransport | None = None,
    carrier: Carrier = "aiohttp",
) -> Probe:
    """Send the request as a run would. Raises TransientError if no answer comes, or none in time."""
    import httpx2  # noqa: PLC0415 - start-up that only those who ask pay for

    client = build_http_client(timeouts, base_url=endpoint.base_url, transport=transport, carrier=carrier)
    began_s = anyio.current_time()
    async with client:
        try:
            with anyio.fail_after(PROBE_S):
                status, kind, body = await _sent(client, endpoint, _body(endpoint, request, stream=stream))
        except TimeoutError:
            raise TransientError(
                f"{endpoint.base_url} did not finish a call within {PROBE_S:g} s", kind="timeout"
            ) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            what = endpoint.redact(f"{type(error).__name__}: {error}")
            raise TransientError(f"{endpoint.base_url} broke the call off: {what}", kind="connection") from None
    return read(
        status, kind, endpoint.redact(body.decode(errors="replace")).encode(), took_s=anyio.current_time() - began_s
    )


def read(status: int, content_type: str, body: bytes, *, took_s: float = 0.0) -> Probe:
    """The probe that a response is."""
    if "event-stream" in content_type or body.lstrip().startswith((b"data:", b":", b"event:")):
        return _read_stream(status, body, took_s)
    try:
        return Probe(status=status, streamed=False, chunks=(wire.json_object(body),), took_s=took_s)
    except wire.MalformedError:
        return Probe(status=status, streamed=False, text=body.decode(errors="replace"), took_s=took_s)


def _read_stream(status: int, body: bytes, took_s: float) -> Probe:
    parser = SSEParser()
    chunks: list[wire.JsonObject] = []
    try:
        for data, _ in (*parser.feed(body), *parser.close()):
            if data.strip() == _DONE:
                return Probe(status=status, streamed=True, chunks=tuple(chunks), done=True, took_s=took_s)
            if data.strip():
                chunks.append(wire.json_object(data))
    except (wire.MalformedError, EventTooLongError):
        text = body.decode(errors="replace")
        return Probe(status=status, streamed=True, chunks=tuple(chunks), text=text, took_s=took_s)
    return Probe(status=status, streamed=True, chunks=tuple(chunks), took_s=took_s)


def _body(endpoint: Endpoint, request: Request, *, stream: bool) -> bytes:
    return request_body(request, stream=stream, form=endpoint.form)


async def _sent(client: httpx2.AsyncClient, endpoint: Endpoint, body: bytes) -> tuple[int, str, bytes]:
    headers = {
        "Accept": "application/json, text/event-stream",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": f"harness/{__version__}",
        **endpoint.headers(),
    }
    sent = client.build_request("POST", f"{endpoint.base_url}/chat/completions", content=body, headers=headers)
    response = await client.send(sent, stream=True)
    try:
        pieces: list[bytes] = []
        async for piece in response.aiter_bytes():
            pieces.append(piece)
            if sum(map(len, pieces)) > _MOST_BYTES:
                break
        return response.status_code, response.headers.get("content-type", ""), b"".join(pieces)
    finally:
        await response.aclose()
