"""The payload of an event as chunks.

It is mostly one, none in a heartbeat, several with some servers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.endpoint import foreign_json

SHORTEST_CHUNK = 32
"""Bytes of the shortest payload that can be a chunk with a choice in it; what is shorter is looked
at singly.
"""

_DONE = frozenset(
    {
        *(b"[done]", b"done", b'"[done]"', b"[end]", b"end", b"[stop]", b"[finish]", b"[finished]"),
        *(
            b"eos",
            b"[eos]",
            b"<eos>",
            b"</s>",
            b"<|endoftext|>",
            b"complete",
            b"completed",
            b"finished",
        ),
    }
)
DONE_NAMES = frozenset(
    {b"done", b"end", b"close", b"closed", b"complete", b"completed", b"finish", b"finished"}
)
"""Names of events that end a stream, whatever text they hold."""
_HEARTBEATS = frozenset(
    {
        *(b"", b"null", b"{}", b"[]", b'""', b"true", b"false"),
        *(
            b"ping",
            b"pong",
            b"heartbeat",
            b"heart-beat",
            b"keepalive",
            b"keep-alive",
            b"keep_alive",
            b"processing",
        ),
    }
)
HEARTBEAT_NAMES = frozenset(
    {b"ping", b"pong", b"heartbeat", b"keepalive", b"keep-alive", b"keep_alive"}
)
"""Names of events that say nothing, whatever their data."""
_HEARTBEAT_TYPES = frozenset(name.decode() for name in HEARTBEAT_NAMES)
_WAITING = frozenset(
    {"queued", "in_queue", "pending", "waiting", "processing", "in_progress", "running", "loading"}
)
_DEEPEST_WRAPPER = 2


def is_done(data: bytes) -> bool:
    """Return whether a payload is the mark that ends a stream."""
    return len(data) < SHORTEST_CHUNK and data.strip().lower() in _DONE


def is_heartbeat(data: bytes) -> bool:
    """Return whether a payload says nothing: a server only shows that it is alive."""
    return len(data) < SHORTEST_CHUNK and data.strip().strip(b'"').lower() in _HEARTBEATS


def says_nothing(chunk: foreign_json.JsonObject) -> bool:
    """Return whether a JSON object is a heartbeat by its own word."""
    said = [chunk.get(name) for name in ("type", "event", "object", "status")]
    return any(
        isinstance(word, str) and word.lower() in _HEARTBEAT_TYPES | _WAITING for word in said
    )


def chunks_in(data: bytes) -> Iterator[foreign_json.JsonObject | None]:
    """The chunks of a payload that is no heartbeat; None stands for the mark that ends the stream.

    Raises foreign_json.MalformedError.
    """
    try:
        yield unwrapped(_one(data))
        return
    except foreign_json.MalformedError as error:
        fault = error
    parts = [_without_field_name(line) for line in data.split(b"\n")]
    if parts == [data]:
        raise fault
    for part in parts:
        if is_done(part):
            yield None
            return
        if not is_heartbeat(part):
            try:
                yield unwrapped(_one(part))
            except foreign_json.MalformedError:
                raise fault from None


def objects_in(body: bytes) -> list[foreign_json.JsonObject | None]:
    """The objects of a body that is no stream: one, or several as `sequence_in` finds them.

    Raises MalformedError.
    """
    try:
        return [unwrapped(_one(body))]
    except foreign_json.MalformedError as error:
        fault = error
    if isinstance(fault, foreign_json.PageError):
        raise fault
    try:
        found = sequence_in(body)
    except foreign_json.MalformedError:
        found = []
    if not any(found):
        raise fault
    return found


def unwrapped(fields: foreign_json.JsonObject) -> foreign_json.JsonObject:
    """Return the response itself, without what a gateway puts around it.

    That is an object of its own, or two, or a text of JSON.
    """
    inner = fields if "choices" in fields else _response_in(fields, 0)
    if inner is None or inner is fields:
        return fields
    return {**inner, "usage": inner.get("usage") or fields.get("usage")}


def _response_in(fields: foreign_json.JsonObject, depth: int) -> foreign_json.JsonObject | None:
    for value in fields.values():
        if isinstance(value, str) and '"choices"' in value:
            inner = _json(value)
        else:
            inner = value
        if isinstance(inner, dict) and inner.get("choices"):
            return inner
        if isinstance(inner, dict) and depth < _DEEPEST_WRAPPER:
            found = _response_in(inner, depth + 1)
        else:
            found = None
        if found is not None:
            return found
    return None


def _one(data: bytes) -> foreign_json.JsonObject:
    """The object that these bytes are, or the only one in a list of them, as Google sends
    errors.
    """
    try:
        return foreign_json.json_object(data)
    except foreign_json.MalformedError:
        value = _json(data) if data.lstrip().startswith(b"[") else None
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            return value[0]
        raise


def _json(data: bytes | str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _without_field_name(line: bytes) -> bytes:
    """A line whose `data:` stands there twice, as some proxies write it."""
    return line.strip().removeprefix(b"data:").strip()


def sequence_in(body: bytes) -> list[foreign_json.JsonObject | None]:
    """The JSON objects of a body in which they stand one after the other, bare or as events.

    None stands for `[DONE]`. Raises foreign_json.MalformedError where anything else is in it.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise foreign_json.MalformedError("not UTF-8") from None
    found: list[foreign_json.JsonObject | None] = []
    decoder, at = json.JSONDecoder(), 0
    while (at := _next(text, at)) < len(text):
        mark = text[at : at + 6].lower()
        if mark == "[done]":
            found.append(None)
            at += 6
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise foreign_json.MalformedError(
                f"not JSON: {foreign_json.excerpt(text[at : at + 500].encode(errors='replace'))}"
            ) from None
        if isinstance(value, dict):
            found.append(unwrapped(value))
        elif value is not None:
            raise foreign_json.MalformedError("JSON, but no object")
    return found


def _next(text: str, at: int) -> int:
    """Return where the next value begins: behind white space, names of fields and comments."""
    while at < len(text):
        if text[at].isspace() or text[at] in ",\ufeff":
            at += 1
        elif text.startswith("data:", at):
            at += 5
        elif text.startswith((":", "event:", "id:", "retry:"), at):
            line_end = text.find("\n", at)
            at = len(text) if line_end < 0 else line_end
        else:
            break
    return at
