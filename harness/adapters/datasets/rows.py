"""A topic out of one line, or the reason why there is none. Pure: bytes in, a value out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.adapters.datasets.lines import MAX_LINE_BYTES, Line
from harness.domain.completion import Json
from harness.domain.strict_json import NotJson, kind_of, loads

Format = Literal["jsonl", "text"]

MAX_ID_CHARS = 200

_BOM = b"\xef\xbb\xbf"
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Row:
    """What a line says. `id` is None where it names none; `metadata` is all other fields."""

    id: str | None
    text: str
    metadata: Mapping[str, Json]


class BadRow(ValueError):  # noqa: N818 - says what the line is
    """The line holds no topic. The message says why, without the place."""


def format_of(name: str, first_line: bytes) -> Format:
    """How a dataset is written, from its name and its first line that is not blank (as much of it as is at hand).

    What begins with `{` is JSONL whatever its name: a JSON object is never meant as the text of a topic. A name with
    .jsonl, .ndjson or .json says JSONL, a name with .txt plain text (both also before .gz). Without such a name the
    first line decides: a JSON string or array is JSONL, anything else plain text.
    """
    start = first_line.removeprefix(_BOM).strip()
    if start.startswith(b"{"):
        return "jsonl"
    name = name.lower().removesuffix(".gz")
    if name.endswith(_JSON_SUFFIXES):
        return "jsonl"
    if name.endswith(".txt") or not start.startswith((b'"', b"[")):
        return "text"
    try:
        loads(start.decode())
    except (NotJson, UnicodeDecodeError):
        return "jsonl" if start == b"[" else "text"
    return "jsonl"


def row_of(line: Line, written: Format, *, topic_field: str, id_field: str) -> Row:
    """The topic of a line. Raises BadRow."""
    text = _decoded(line)
    if written == "text":
        return Row(None, _checked_topic(text.strip(), "the line"), {})
    try:
        value = loads(text)
    except NotJson as error:
        hint = "" if text.lstrip().startswith(("{", "[", '"')) else "; a file of plain text lines has a name with .txt"
        raise BadRow(f"invalid JSON: {error}{hint}") from error
    if isinstance(value, str):
        return Row(None, _checked_topic(value, "the topic"), {})
    if not isinstance(value, dict):
        raise BadRow(_not_a_topic(value))
    return _row_of_object(value, topic_field, id_field)


def derived_id(text: str) -> str:
    """The id of a topic that names none: it depends on the topic's text alone."""
    return f"t-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _decoded(line: Line) -> str:
    data = line.data
    if data is None:
        raise BadRow(f"the line is longer than {MAX_LINE_BYTES:,} bytes")
    if line.number == 1 and data.startswith(_BOM):
        raise BadRow("the file begins with a byte order mark (BOM); save it as UTF-8 without one")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadRow(f"not UTF-8: byte 0x{data[error.start]:02x} at byte {error.start + 1} of the line") from error
    if not text or text.isspace():
        raise BadRow("blank line")
    return text


def _row_of_object(fields: dict[str, Json], topic_field: str, id_field: str) -> Row:
    if topic_field not in fields:
        there = ", ".join(map(repr, list(fields)[:8])) or "none"
        raise BadRow(f"no field {topic_field!r} (fields here: {there}); name the topic's field with --topic-field")
    topic = fields.pop(topic_field)
    if not isinstance(topic, str):
        raise BadRow(f"the field {topic_field!r} is {kind_of(topic)}, not a string")
    own_id = _checked_id(fields.pop(id_field), id_field) if id_field in fields else None
    return Row(own_id, _checked_topic(topic, f"the field {topic_field!r}"), fields)


def _checked_topic(text: str, what: str) -> str:
    if not text or text.isspace():
        raise BadRow(f"{what} is blank")
    if "\x00" in text:
        raise BadRow(f"{what} holds a NUL character")
    return text


def _checked_id(value: Json, id_field: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        what = "a number with a fraction" if isinstance(value, float) else kind_of(value)
        raise BadRow(f"the field {id_field!r} is {what}; an id is a string or an integer, or is left out")
    if not value or value.isspace():
        raise BadRow(f"the field {id_field!r} is blank")
    if len(value) > MAX_ID_CHARS:
        raise BadRow(f"the field {id_field!r} has {len(value):,} characters, at most {MAX_ID_CHARS} are allowed")
    if control := _CONTROL.search(value):
        raise BadRow(f"the field {id_field!r} holds the control character U+{ord(control[0]):04X}")
    return value


def _not_a_topic(value: Json) -> str:
    found = f"the line is {kind_of(value)}, expected an object or a string"
    if isinstance(value, list):
        return f"{found}; one JSON array for all topics is turned into lines by jq -c '.[]'"
    return found
