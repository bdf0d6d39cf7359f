"""Faults as replies: each bends the reply that would have been given, or takes its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import chain, repeat

from harness.testing.deepseek.fault_plan import Fault
from harness.testing.deepseek.generation import Answer, FinishReason
from harness.testing.deepseek.reply import Piece, Reply
from harness.testing.deepseek.response_bytes import KEEP_ALIVE, error_json, event, json_bytes

_HTML = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>openresty</center>\r\n</body>\r\n</html>\r\n"
)
_BUSY = (
    "Service is too busy. We advise users to temporarily switch to alternative LLM API service"
    " providers."
)
_KEEP_ALIVES = 3

_FINISHES: dict[Fault, FinishReason] = {
    Fault.INSUFFICIENT_SYSTEM_RESOURCE: "insufficient_system_resource",
    Fault.ABORTED: "aborted",
    Fault.CONTENT_FILTER: "content_filter",
    Fault.LENGTH: "length",
}

# Status, message, type and code of the faults that are an error object.
_ERRORS: dict[Fault, tuple[int, str, str, str]] = {
    Fault.BAD_REQUEST: (400, "Invalid request.", "invalid_request_error", "invalid_request_error"),
    Fault.UNAUTHORIZED: (
        401,
        "Authentication Fails, Your api key: ****0000 is invalid",
        "authentication_error",
        "invalid_request_error",
    ),
    Fault.INSUFFICIENT_BALANCE: (
        402,
        "Insufficient Balance",
        "unknown_error",
        "invalid_request_error",
    ),
    Fault.FORBIDDEN: (403, "Access denied.", "permission_error", "invalid_request_error"),
    Fault.UNPROCESSABLE: (
        422,
        "Failed to deserialize the JSON body into the target type: missing field `messages`",
        "invalid_request_error",
        "invalid_request_error",
    ),
    Fault.RATE_TPM: (
        429,
        "Rate limit reached for TPM",
        "rate_limit_error",
        "invalid_request_error",
    ),
    Fault.RATE_RPM: (
        429,
        "Rate limit reached for requests per minute",
        "rate_limit_error",
        "invalid_request_error",
    ),
    Fault.INSUFFICIENT_QUOTA: (
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
    ),
    Fault.SERVER_ERROR: (
        500,
        "Internal Server Error",
        "internal_server_error",
        "internal_server_error",
    ),
    Fault.UNAVAILABLE: (503, _BUSY, "service_unavailable_error", "service_unavailable_error"),
}

_RETRY_AFTER = {
    Fault.RATE_AFTER_SECONDS: ("retry-after", "7"),
    Fault.RATE_AFTER_FLOAT: ("retry-after", "2.5"),
    Fault.RATE_AFTER_MS: ("retry-after-ms", "1500"),
    Fault.RATE_AFTER_NEGATIVE: ("retry-after", "-5"),
    Fault.RATE_AFTER_NAN: ("retry-after", "nan"),
    Fault.RATE_AFTER_HOURS: ("retry-after", "14400"),
}
RETRY_AFTER_DATE_S = 20

_PAGES = {
    Fault.SERVER_ERROR_HTML: (500, "500 Internal Server Error"),
    Fault.GATEWAY_TIMEOUT: (504, "504 Gateway Time-out"),
    Fault.HTML_200: (200, "Welcome"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The facts that a fault needs.

    They are the headers of every reply, the length of a silence, and the numbers it may name.
    `stream` says whether the client wants one. `concurrency` is the limit that a 429 names.
    """

    headers: tuple[tuple[str, str], ...]
    stream: bool
    now: datetime
    silence_s: float
    concurrency: int


def bent_answer(answer: Answer, fault: Fault | None) -> Answer:
    """Return the answer under a fault of the model or the service in an otherwise whole
    response.
    """
    if fault is Fault.EMPTY_STOP:
        return replace(answer, reasoning="", content="", tool_calls=(), finish_reason="stop")
    if fault is Fault.BLANK_JSON:
        return replace(answer, content=" " * 64, tool_calls=(), finish_reason="stop")
    if fault in _FINISHES:
        half = answer.content[: len(answer.content) // 2]
        return replace(answer, content=half, tool_calls=(), finish_reason=_FINISHES[fault])
    return answer


def instead(fault: Fault, scene: Scene) -> Reply | None:
    """The reply that takes the place of an answer, or None where the fault needs one to bend."""
    if fault is Fault.RESET_BEFORE_HEADERS:
        return Reply(status=None, end="reset")
    if fault is Fault.RATE_CONCURRENCY:
        return concurrency_429(scene, current=scene.concurrency + 1, limit=scene.concurrency)
    if fault in _ERRORS:
        status, message, kind, code = _ERRORS[fault]
        return error_reply(scene, status, message, kind, code)
    if fault is Fault.RATE_AFTER_DATE:
        date = format_datetime(scene.now + timedelta(seconds=RETRY_AFTER_DATE_S), usegmt=True)
        return _rate_limited(scene, ("retry-after", date))
    if fault in _RETRY_AFTER:
        return _rate_limited(scene, _RETRY_AFTER[fault])
    if fault in _PAGES:
        status, title = _PAGES[fault]
        return _body(scene, status, "text/html", _HTML.format(title).encode())
    if fault is Fault.BAD_GATEWAY:
        return _body(scene, 502, "text/plain", b"502 Bad Gateway")
    if fault is Fault.OCTET_STREAM_ERROR:
        return _body(
            scene,
            503,
            "application/octet-stream",
            json_bytes(error_json(_BUSY, "service_unavailable_error")),
        )
    if fault is Fault.REDIRECT:
        reply = _body(scene, 307, "text/plain", b"")
        return replace(
            reply,
            headers=(*reply.headers, ("location", "https://elsewhere.invalid/chat/completions")),
        )
    return _no_completion(fault, scene)


def _no_completion(fault: Fault, scene: Scene) -> Reply | None:
    """Status 200 with something else in it than a completion."""
    kind = "text/event-stream" if scene.stream else "application/json"
    error = error_json(
        "Internal error during generation.", "internal_server_error", "internal_server_error"
    )
    if fault is Fault.EMPTY_200:
        return _body(scene, 200, kind, b"")
    if fault is Fault.BLANK_LINES_THEN_CLOSE:
        return Reply(
            status=200,
            headers=(*scene.headers, ("content-type", kind)),
            pieces=_waiting(scene, b"\n"),
        )
    if fault is Fault.ENDLESS_KEEP_ALIVE:
        alive = KEEP_ALIVE if scene.stream else b"\n"
        endless = repeat(Piece(scene.silence_s, alive))
        return Reply(status=200, headers=(*scene.headers, ("content-type", kind)), pieces=endless)
    if fault is Fault.MALFORMED_JSON:
        broken = b'{"id":"broken","choices":[{"index":0,'
        return _body(
            scene,
            200,
            kind,
            b"data: " + broken + b"\n\ndata: [DONE]\n\n" if scene.stream else broken,
        )
    if fault is Fault.CHOICES_NULL:
        value = {
            "id": "none",
            "object": "chat.completion",
            "created": 0,
            "model": "deepseek-flash",
            "choices": None,
        }
        return _body(
            scene,
            200,
            kind,
            event(value) + b"data: [DONE]\n\n" if scene.stream else json_bytes(value),
        )
    if fault is Fault.ERROR_OBJECT_200 or (
        fault in (Fault.ERROR_EVENT, Fault.BARE_ERROR_LINE) and not scene.stream
    ):
        return _body(scene, 200, "application/json", json_bytes(error))
    return None


def bent_reply(reply: Reply, fault: Fault, scene: Scene) -> Reply:
    """A whole reply, under a fault of the way it is sent.

    `reply` is unchanged where the fault is of another kind.
    """
    bend = _BENDS.get(fault)
    return bend(reply, scene) if bend else reply


def error_reply(
    scene: Scene,
    status: int,
    message: str,
    kind: str = "invalid_request_error",
    code: str = "invalid_request_error",
) -> Reply:
    """An error object under its status."""
    return _body(scene, status, "application/json", json_bytes(error_json(message, kind, code)))


def concurrency_429(scene: Scene, *, current: int, limit: int | None) -> Reply:
    """Too many calls at once. `limit` None: the text names no number."""
    message = "Too many requests. Please try again later."
    if limit is not None:
        message = (
            f"Too many requests. Your current concurrency is {current}, which exceeds your"
            f" concurrency limit of {limit} based on your remaining balance. Please top up your"
            " balance to restore your concurrency."
        )
    return error_reply(scene, 429, message, "rate_limit_error")


def _rate_limited(scene: Scene, header: tuple[str, str]) -> Reply:
    _, message, kind, code = _ERRORS[Fault.RATE_RPM]
    reply = error_reply(scene, 429, message, kind, code)
    return replace(reply, headers=(*reply.headers, header))


def _body(scene: Scene, status: int, kind: str, data: bytes) -> Reply:
    headers = (*scene.headers, ("content-type", kind))
    return Reply(status=status, headers=headers, pieces=(Piece(0.0, data),) if data else ())


def _waiting(scene: Scene, sign: bytes) -> tuple[Piece, ...]:
    return (Piece(scene.silence_s, sign),) * _KEEP_ALIVES


def _keep_alive(reply: Reply, scene: Scene) -> Reply:
    alive = KEEP_ALIVE if scene.stream else b"\n"
    return replace(reply, pieces=chain(_waiting(scene, alive), reply.pieces))


def _blank_lines(reply: Reply, scene: Scene) -> Reply:
    return replace(reply, pieces=chain(_waiting(scene, b"\n"), reply.pieces))


def _trickle(reply: Reply, scene: Scene) -> Reply:
    """A byte at a time, with a silence before each."""
    single = (
        Piece(scene.silence_s, bytes([byte])) for piece in reply.pieces for byte in piece.data
    )
    return replace(reply, pieces=single)


def _reset(reply: Reply, scene: Scene) -> Reply:
    return replace(reply, pieces=_first_half(reply), end="reset")


def _stall(reply: Reply, scene: Scene) -> Reply:
    return replace(reply, pieces=_first_half(reply), end="hang")


def _cut_in_chunk(reply: Reply, scene: Scene) -> Reply:
    """A clean end in the middle of a JSON value."""
    half = _first_half(reply)
    last = half.pop() if len(half) > 1 else half[0]
    return replace(reply, pieces=[*half, Piece(last.delay_s, last.data[: len(last.data) // 2])])


def _cut_in_character(reply: Reply, scene: Scene) -> Reply:
    """A clean end after the first byte of a three-byte character."""
    cut = _cut_in_chunk(reply, scene)
    return replace(cut, pieces=chain(cut.pieces, [Piece(0.0, "…".encode()[:1])]))


def _without_done(reply: Reply, scene: Scene) -> Reply:
    """Everything but `[DONE]`. A plain response has none: it loses its closing brace."""
    pieces = [piece for piece in reply.pieces if b"[DONE]" not in piece.data]
    if not scene.stream:
        pieces = [Piece(pieces[0].delay_s, pieces[0].data[:-1])]
    return replace(reply, pieces=pieces)


def _without_finish(reply: Reply, scene: Scene) -> Reply:
    return replace(reply, pieces=_first_half(reply))


def _error_event(reply: Reply, scene: Scene) -> Reply:
    error = error_json(
        "Internal error during generation.", "internal_server_error", "internal_server_error"
    )
    return replace(reply, pieces=[*_first_half(reply), Piece(0.0, event(error))])


def _bare_error(reply: Reply, scene: Scene) -> Reply:
    error = json.dumps(error_json("upstream connect error", "upstream_error", "502"))
    return replace(reply, pieces=[*_first_half(reply), Piece(0.0, error.encode() + b"\n\n")])


def _first_half(reply: Reply) -> list[Piece]:
    """Return the first half of a stream's frames (never the last ones), or of a plain body's
    bytes.
    """
    pieces = list(reply.pieces)
    if len(pieces) > 1:
        return pieces[: max(1, (len(pieces) - 2) // 2)]
    return [Piece(piece.delay_s, piece.data[: len(piece.data) // 2]) for piece in pieces]


_BENDS: dict[Fault, Callable[[Reply, Scene], Reply]] = {
    Fault.KEEP_ALIVE: _keep_alive,
    Fault.BLANK_LINES: _blank_lines,
    Fault.TRICKLE: _trickle,
    Fault.RESET: _reset,
    Fault.STALL: _stall,
    Fault.CUT_IN_CHUNK: _cut_in_chunk,
    Fault.CUT_IN_CHARACTER: _cut_in_character,
    Fault.EOF_AFTER_FINISH: _without_done,
    Fault.EOF_WITHOUT_FINISH: _without_finish,
    Fault.ERROR_EVENT: _error_event,
    Fault.BARE_ERROR_LINE: _bare_error,
}
