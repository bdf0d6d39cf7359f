"""One call of few tokens, read as a run would read it, and kept with how it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from harness._version import __version__
from harness.domain.completion import Request
from harness.domain.endpoint import Endpoint
from harness.domain.failures import TransientError
from harness.domain.policy import Carrier, Timeouts
from harness.endpoint import foreign_json, payload
from harness.endpoint.assembly import Assembly
from harness.endpoint.body import kind_of
from harness.endpoint.chat_answer import Answer, StreamFault
from harness.endpoint.http import build_http_client
from harness.endpoint.request_body import request_body
from harness.endpoint.sse import EventTooLongError, SSEParser

if TYPE_CHECKING:
    import httpx2

PROBE_S = 120.0
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The outcome of a probe.

    `answer` is what a run would read out of it, None where it is no answer. `report` is the error
    that it is then, if it says that it is one, and `text` its body. `streamed`: it came as events;
    `done`: they ended with `[DONE]`.
    """

    status: int
    streamed: bool = False
    answer: Answer | None = None
    report: foreign_json.JsonObject | None = None
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
    """Send the request as a run would.

    Raises TransientError if no answer comes, or none in time.
    """
    import httpx2  # noqa: PLC0415 - start-up that only those who ask pay for

    client = build_http_client(
        timeouts, base_url=endpoint.base_url, transport=transport, carrier=carrier
    )
    began_s = anyio.current_time()
    async with client:
        try:
            with anyio.fail_after(PROBE_S):
                status, kind, body = await _sent(
                    client, endpoint, _body(endpoint, request, stream=stream)
                )
        except TimeoutError:
            raise TransientError(
                f"{endpoint.base_url} did not finish a call within {PROBE_S:g} s", kind="timeout"
            ) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            what = endpoint.redact(f"{type(error).__name__}: {error}")
            raise TransientError(
                f"{endpoint.base_url} broke the call off: {what}", kind="connection"
            ) from None
    took_s = anyio.current_time() - began_s
    shown = endpoint.redact(body.decode(errors="replace")).encode()
    return read(status, kind, shown, asked_to_stream=stream, took_s=took_s)


def read(
    status: int, content_type: str, body: bytes, *, asked_to_stream: bool, took_s: float = 0.0
) -> Probe:
    """The probe that a response is."""
    text = body.decode(errors="replace")
    streamed = (
        kind_of(body, content_type.lower(), asked_to_stream=asked_to_stream, ended=True) == "events"
    )
    assembly = Assembly(clock=lambda: 0.0)
    report = None
    try:
        if streamed:
            _feed(assembly, body)
        else:
            assembly.whole(payload.objects_in(body))
    except StreamFault as fault:
        report = fault.report
    except (foreign_json.MalformedError, EventTooLongError):
        return Probe(status=status, streamed=streamed, text=text, took_s=took_s)
    answer = assembly.answer
    is_one = report is None and (answer.has_begun or answer.finish_told or not streamed)
    return Probe(
        status=status,
        streamed=streamed,
        answer=answer if is_one else None,
        report=report,
        done=assembly.done,
        text=text,
        took_s=took_s,
    )


def _feed(assembly: Assembly, body: bytes) -> None:
    parser = SSEParser()
    assembly.feed(parser.feed(body))
    assembly.feed(parser.close())
    assembly.flush()


def _body(endpoint: Endpoint, request: Request, *, stream: bool) -> bytes:
    return request_body(request, stream=stream, form=endpoint.form)


async def _sent(
    client: httpx2.AsyncClient, endpoint: Endpoint, body: bytes
) -> tuple[int, str, bytes]:
    headers = {
        "Accept": "application/json, text/event-stream",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": f"harness/{__version__}",
        **endpoint.headers(),
    }
    sent = client.build_request(
        "POST", f"{endpoint.base_url}/chat/completions", content=body, headers=headers
    )
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
