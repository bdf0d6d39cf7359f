"""Cache entries as lines of JSON: a recording that can be kept beside the code and reviewed in a diff.

One entry a line, in the order of their keys, fields in a fixed order, texts readable, nothing of this machine: an
export of what was imported is the same file again. Each line names its version and carries the entry's digest, so an
answer that was edited by hand is told from one that a model gave.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from harness.adapters.cache_entry import Entry, instant, stamp, stored_request
from harness.adapters.codec import completion_from_json, request_from_json, storable, to_text
from harness.domain.key import cache_key

VERSION = 1
LONGEST_LINE = 64 * 1024 * 1024
"""Bytes. The longest answer a provider gives is a few MB; a longer line is not a cassette's."""


def line_of(entry: Entry) -> str:
    """The entry's line, without its end."""
    return (
        f'{{"cassette":{VERSION},"key":"{entry.key}","request":{entry.request},"completion":{entry.value},'
        f'"run_id":{to_text(entry.run_id)},"created_at":"{entry.created_at}","digest":"{entry.digest}"}}'
    )


def entry_of_line(line: bytes) -> Entry:
    """The entry of a line. Raises ValueError, with the reason, for one that a cache must not believe."""
    try:
        fields = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise ValueError("not a cassette: nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError("not a cassette: a line must be a JSON object")  # noqa: TRY004 - bad data, not a bad argument
    if fields.get("cassette") != VERSION:
        raise ValueError(f"not a cassette of version {VERSION}: field 'cassette' is {fields.get('cassette')!r:.40}")
    try:
        return _checked(fields)
    except RecursionError as error:  # what can be parsed may still be too deep for its key
        raise ValueError("not a cassette: nested too deeply") from error


def _checked(fields: dict[str, Any]) -> Entry:
    texts = ("key", "run_id", "created_at", "digest")
    if wrong := [name for name in texts if not isinstance(fields.get(name), str)]:
        raise ValueError(f"field {wrong[0]!r} must be a text")
    request = request_from_json(fields.get("request"))
    if cache_key(request) != fields["key"]:
        raise ValueError("the key is not that of the request: one of them was changed")
    completion_from_json(fields.get("completion"))
    entry = Entry(
        key=fields["key"],
        request=stored_request(request),
        value=to_text(fields["completion"]),
        created_at=fields["created_at"],
        run_id=storable(fields["run_id"]),
        endpoint=storable(request.endpoint),
        model=storable(request.model),
    )
    if entry.digest != fields["digest"]:
        raise ValueError("the digest does not match: the line was changed after its export")
    if stamp(instant(entry.created_at)) != entry.created_at:
        raise ValueError(
            f"field 'created_at' must be a UTC time like 2026-11-20T12:00:00.000000Z, not {entry.created_at!r:.40}"
        )
    return entry


def lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that say something, with their numbers from 1. One that is too long is cut, and so no JSON."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if not line.endswith(b"\n"):
            while rest := file.readline(LONGEST_LINE):
                if rest.endswith(b"\n"):
                    break
        if line.strip():
            yield number, line.strip()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"not JSON: {constant} is no number")
