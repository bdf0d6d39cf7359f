"""A topic out of one line, or the reason why there is none. Pure: bytes in, a value out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.datasets.byte_lines import MAX_LINE_BYTES, Line
from harness.domain.completion import Json
from harness.domain.strict_json import NotJson, kind_of, loads

Format = Literal["jsonl", "text"]

MAX_ID_CHARS = 200

_BOM = b"\xef\xbb\xbf"
_MARK_AMID = "a byte order mark (BOM) stands amid the file, as where two files were put together"
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Row:
    """The content of a line. `id` is None where it names none; `metadata` is all other fields."""

    id: str | None
    text: str
    metadata: Mapping[str, Json]


class BadRow(ValueError):  # noqa: N818 - says what the line is
    """The line holds no topic. The message says why, without the place."""


def format_of(name: str, first_line: bytes) -> Format:
    """Return the format of a dataset, from its name and its first line that is not blank.

    What begins with `{` is JSONL whatever its name: a JSON object is never meant as the text of a
    topic. A name with .jsonl, .ndjson or .json says JSONL, a name with .txt plain text (both also
    before .gz). Without such a name the first line decides: a JSON string or array is JSONL,
    anything else plain text.
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
        raise BadRow(f"invalid JSON: {error}{_hint(text)}") from error
    if isinstance(value, str):
        return Row(None, _checked_topic(value, "the topic"), {})
    if not isinstance(value, dict):
        raise BadRow(_not_a_topic(value))
    return _row_of_object(value, text, topic_field, id_field)


def is_blank(line: Line) -> bool:
    """Return whether nothing but white space, and perhaps a byte order mark, stands in a line."""
    if line.data is None:
        return False
    found = line.data.removeprefix(_BOM).strip()
    if not found:
        return True
    # White space that bytes do not know as such: U+3000, U+0085, the separators U+001C to U+001F.
    return not 0x20 < found[0] < 0x80 and found.decode(errors="replace").isspace()


def digest_of(line: Line) -> int:
    """Return 63 bits of a hash of a line, 0 for a blank one, however its end is written.

    All lines that are too long to be read have the same.
    """
    if line.data is None:
        return 1
    if is_blank(line):
        return 0
    plain = line.data.removeprefix(_BOM) if line.number == 1 else line.data
    digest = hashlib.blake2b(plain.removesuffix(b"\r"), digest_size=8).digest()
    return max(2, int.from_bytes(digest, "big") >> 1)


def derived_id(text: str) -> str:
    """The id of a topic that names none: it depends on the topic's text alone."""
    return f"t-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _decoded(line: Line) -> str:
    data = line.data
    if data is None:
        raise BadRow(f"the line is longer than {MAX_LINE_BYTES:,} bytes")
    if data.startswith(_BOM):
        if line.number > 1:
            raise BadRow(f"{_MARK_AMID}; remove it")
        data = data.removeprefix(_BOM)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadRow(
            f"not UTF-8: byte 0x{data[error.start]:02x} at byte {error.start + 1} of the line"
        ) from error


def _hint(text: str) -> str:
    """Return a hint about the likely cause of a line that is no JSON."""
    if _BOM.decode() in text:
        return f"; {_MARK_AMID}; remove it, and begin a line there"
    if text.lstrip().startswith(("{", "[", '"')):
        return ""
    return "; a file of plain text lines has a name with .txt"


def _row_of_object(fields: dict[str, Json], text: str, topic_field: str, id_field: str) -> Row:
    if topic_field not in fields:
        there = ", ".join(map(repr, list(fields)[:8])) or "none"
        raise BadRow(
            f"no field {topic_field!r} (fields here: {there}); name the topic's field with"
            " --topic-field"
        )
    topic = fields.pop(topic_field)
    if not isinstance(topic, str):
        raise BadRow(f"the field {topic_field!r} is {kind_of(topic)}, not a string")
    if id_field in fields:
        own_id = _checked_id(fields.pop(id_field), text, id_field)
    else:
        own_id = None
    return Row(own_id, _checked_topic(topic, f"the field {topic_field!r}"), fields)


def _checked_topic(text: str, what: str) -> str:
    if not text or text.isspace():
        raise BadRow(f"{what} is blank")
    if "\x00" in text:
        raise BadRow(f"{what} holds a NUL character")
    return text


def _checked_id(value: Json, text: str, id_field: str) -> str:
    """The id that a line of JSON names. A number is what is written there: `1e3` is not `1000`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = json.loads(text, parse_int=str, parse_float=str)[id_field]
    if not isinstance(value, str):
        raise BadRow(
            f"the field {id_field!r} is {kind_of(value)}; an id is a string or a number, or is"
            " left out"
        )
    if not value or value.isspace():
        raise BadRow(f"the field {id_field!r} is blank")
    if len(value) > MAX_ID_CHARS:
        raise BadRow(
            f"the field {id_field!r} has {len(value):,} characters, at most {MAX_ID_CHARS} are"
            " allowed"
        )
    if control := _CONTROL.search(value):
        raise BadRow(f"the field {id_field!r} holds the control character U+{ord(control[0]):04X}")
    return value


def _not_a_topic(value: Json) -> str:
    found = f"the line is {kind_of(value)}, expected an object or a string"
    if isinstance(value, list):
        return f"{found}; one JSON array for all topics is turned into lines by jq -c '.[]'"
    return found
