"""The words and codes of an error, wherever servers put them, and nothing that it echoes.

A body may quote the request that it refuses (`input`, `flagged_input`, `messages`). Those fields
are never read, so that a prompt about empty accounts does not empty one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from harness.endpoint import foreign_json
from harness.endpoint.html_page import is_page, title_of
from harness.endpoint.sse import SSEParser

# Fields whose text is written for a reader.
_SAYS = frozenset(
    {
        *(
            "message",
            "msg",
            "detail",
            "error",
            "error_message",
            "error_msg",
            "error_description",
            "description",
        ),
        # OpenRouter's `metadata.raw`, MiniMax's `base_resp`, problem+json
        *("raw", "status_msg", "title"),
        *("faultstring", "errmsg", "retmsg", "exception"),  # Apigee; Chinese gateways; frameworks
    }
)
# Fields whose text is written for a program. `quotaId` is Google's, `limit_source` OpenRouter's.
_CODES = frozenset(
    {
        *(
            "code",
            "type",
            "status",
            "reason",
            "error_type",
            "error_code",
            "quota_id",
            "limit_source",
        ),
        *("__type", "errorcode"),  # AWS, Apigee
    }
)
# Fields that hold more of the same.
_INSIDE = frozenset(
    {
        *(
            "error",
            "errors",
            "detail",
            "details",
            "message",
            "raw",
            "metadata",
            "innererror",
            "inner_error",
        ),
        *("violations", "base_resp", "reasons", "fault"),
    }
)
_STATUSES = frozenset({"code", "status", "status_code", "error_code", "http_status"})
# A whole answer without choices that has one of these is an error of a server that has its own form
# for them.
_REPORTING = frozenset(
    {
        *("error", "message", "msg", "detail", "base_resp"),
        *("errors", "error_msg", "error_message", "error_code"),  # Cloudflare, Baidu
        *("fault", "errmsg", "retmsg", "exception", "__type"),  # Apigee; Chinese gateways; AWS
    }
)
# One that has one of these is a wrapper around an error.
_REPORTING_INSIDE = frozenset({"error", "fault", "__type"})
_FAILED = frozenset({"error", "failed", "failure"})
# What gateways write where an error would be, when there is none.
_NO_ERROR = frozenset({"", "0", "200", "null", "none", "nil", "false", "ok", "success", "no error"})

_CAPITAL_INSIDE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# litellm quotes an answer that it cannot read; what a model says must not decide what an error
# means.
_QUOTED_ANSWER = re.compile(r"[,;.]?\s*\b(?:original|raw) response:.*", re.IGNORECASE | re.DOTALL)
_LONGEST_MESSAGE = 500
_LONGEST_TEXT = 4000  # the words that decide stand at the beginning
_LONGEST_BODY = 64 * 1024  # of JSON inside a text
_DEEPEST = 8
_DEEPEST_WRAPPER = 2
_MOST_ITEMS = 50


@dataclass(slots=True, kw_only=True)
class Report:
    """An error in the server's own words.

    `says` are its messages, the outermost first, and `codes` the names that it gives itself;
    `about` are the fields of the request that it complains of. `told` are all its plain fields,
    among which a wait may stand, and `headers` those of another server that it passes on. `status`
    is the HTTP status that it names, the outermost one. `is_page`: it is a page of HTML, and its
    title is all that it says.
    """

    says: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    about: list[str] = field(default_factory=list)
    told: list[tuple[str, object]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    is_page: bool = False
    rest: str = ""
    _status_depth: int = _DEEPEST + 1

    @property
    def message(self) -> str:
        """Return the text to quote, on one line.

        It is its messages without repetition, else its codes, else the whole.
        """
        said: dict[str, None] = {}
        for name in self.about:
            if not any(name in text for text in self.says):
                said[one_line(name)] = None
        for text in self.says:
            said[one_line(text)] = None
        said.pop("", None)
        return shortened(": ".join(said) or "; ".join(self.codes) or one_line(self.rest))


def report_of_body(body: bytes) -> Report:
    """Return the report in the body of a response whose status is an error.

    The body is JSON, an event, a page of HTML, or plain text.
    """
    if is_page(body):
        return Report(says=[title_of(body)], is_page=True)
    value = _json_in(body)
    if value is not None:
        return report_of(value)
    text = body[:_LONGEST_TEXT].decode(errors="replace")
    return Report(says=[text])


def report_of(value: object) -> Report:
    """The report in a JSON value."""
    report = Report()
    value = _without_wrapper(value)
    if isinstance(value, Mapping | list):
        _read(value, report, depth=0)
    if not report.says and not report.codes:
        if isinstance(value, Mapping):
            value = value.get("error", value)
        if not isinstance(value, str):
            value = json.dumps(value, ensure_ascii=False)[:_LONGEST_TEXT]
        report.rest = value
    return report


def reports_an_error(fields: foreign_json.JsonObject) -> bool:
    """Return whether this JSON object, which came under status 200, tells of an error.

    Else it is an answer, or a part of one.
    """
    if _says_it_failed(fields.get("error")) or fields.get("object") == "error":
        return True
    if fields.get("choices"):
        return False
    if _reports_itself(fields) or _without_wrapper(fields) is not fields:
        return True
    plain = {plain_name(name): value for name, value in fields.items()}
    if plain.get("success") is False or plain.get("ok") is False or plain.get("status") in _FAILED:
        return True
    return any(_is_error_status(plain.get(name)) for name in _STATUSES)


def _says_it_failed(error: object) -> bool:
    """Return whether what stands for an error is one.

    Some servers send its fields with every answer, with nothing in them.
    """
    if isinstance(error, Mapping):
        return any(map(_says_it_failed, error.values()))
    if isinstance(error, list):
        return bool(error)
    return error is not None and str(error).strip().lower() not in _NO_ERROR


def _without_wrapper(value: object, depth: int = 0) -> object:
    """Return the object with an error inside of one that says nothing of it.

    Such wrappers are Tencent's `Response` and Bedrock's `Output`.
    """
    if not isinstance(value, Mapping) or depth > _DEEPEST_WRAPPER or _reports_itself(value):
        return value
    for inner in value.values():
        if isinstance(inner, Mapping):
            found = _without_wrapper(inner, depth + 1)
            if isinstance(found, Mapping) and _fails_inside(found):
                return found
    return value


def _reports_itself(fields: Mapping[str, Any]) -> bool:
    return any(
        plain_name(name) in _REPORTING and _says_it_failed(value) for name, value in fields.items()
    )


def _fails_inside(fields: Mapping[str, Any]) -> bool:
    return any(
        plain_name(name) in _REPORTING_INSIDE and _says_it_failed(value)
        for name, value in fields.items()
    )


def one_line(text: str) -> str:
    return " ".join(text.split())


def shortened(line: str) -> str:
    if len(line) <= _LONGEST_MESSAGE:
        return line
    return f"{line[:_LONGEST_MESSAGE]}…"


def plain_name(name: str) -> str:
    """A field's name as one word list: `retryDelay`, `Retry-Delay` and `retry_delay` are the
    same.
    """
    return _CAPITAL_INSIDE.sub("_", name).lower().replace("-", "_")


def _json_in(body: bytes) -> Any:
    """The JSON that a body is, or that the first event in it is; None: it is neither."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if text.startswith((b"data:", b"event:")) and len(text) < _LONGEST_BODY:
        parser = SSEParser()
        events = [*parser.feed(text + b"\n\n"), *parser.close()]
        text = events[0].data if events else b""
    if not text.startswith((b"{", b"[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read(value: Mapping[str, Any] | list[Any], report: Report, *, depth: int) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for item in value[:_MOST_ITEMS]:
            if isinstance(item, str):
                _hear(item, report, depth=depth)
            elif isinstance(item, dict | list):
                _read(item, report, depth=depth + 1)
        return
    for key, item in list(value.items())[:_MOST_ITEMS]:
        name = plain_name(key)
        if name == "loc" and isinstance(item, list):
            _take_place(item, report)
        if isinstance(item, dict | list):
            _read_inside(name, item, report, depth=depth)
        elif item is not None:
            _read_field(name, item, report, depth=depth)


def _read_inside(
    name: str, item: dict[str, Any] | list[Any], report: Report, *, depth: int
) -> None:
    if name == "headers" and isinstance(item, dict):
        report.headers.update({header.lower(): text for header, text in _texts(item)})
    elif name in _INSIDE:
        _read(item, report, depth=depth + 1)


def _texts(fields: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, str | int | float):
            yield name, str(value)[:100]


def _read_field(name: str, item: object, report: Report, *, depth: int) -> None:
    report.told.append((name, item))
    if name in _STATUSES:
        _take_status(item, report, depth=depth)
    if name == "param" and isinstance(item, str):
        _take_place([item], report)
    if name == "flagged_input":
        report.codes.append(name)  # that there is one says enough: what it holds is the user's
    elif name in _SAYS and isinstance(item, str):
        _hear(item, report, depth=depth)
    elif name in _CODES:
        code = str(item)[:200]
        # xAI puts a sentence where others have a code.
        (report.says if code.count(" ") > 2 else report.codes).append(code)


def _hear(text: str, report: Report, *, depth: int) -> None:
    """Take in a message. A gateway's may be the whole JSON of the server behind it."""
    stripped = _QUOTED_ANSWER.sub("", text).strip()
    if stripped.startswith(("{", "[")):
        inner = _json_in(stripped[:_LONGEST_BODY].encode(errors="replace"))
        if inner is not None:
            before = len(report.says) + len(report.codes)
            _read(inner, report, depth=depth + 1)
            if len(report.says) + len(report.codes) > before:
                return
    if stripped:
        report.says.append(stripped[:_LONGEST_TEXT])


def _take_place(steps: list[Any], report: Report) -> None:
    """The path of a field that servers written with pydantic name beside their message."""
    names = [str(step)[:60] for step in steps[:_DEEPEST] if step != "body"]
    if names and sum(map(len, report.about)) < _LONGEST_MESSAGE:
        report.about.append(".".join(names))


def _take_status(value: object, report: Report, *, depth: int) -> None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:4])
    if _is_error_status(value) and depth < report._status_depth:
        report.status, report._status_depth = value, depth


def _is_error_status(value: object) -> TypeGuard[int]:
    """Return whether this is an HTTP status of an error."""
    return isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599
