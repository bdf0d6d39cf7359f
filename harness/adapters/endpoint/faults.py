"""What went wrong, as one of our errors: every status, body and broken stream has exactly one outcome.

Providers agree on statuses more than on codes (DeepSeek's `code` is nearly always `invalid_request_error`), so the
status decides; only an empty balance is told by its words as well, since it comes under many statuses.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from harness.adapters.endpoint import wire
from harness.domain.completion import Completion
from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.errors import FailureKind

Billed = Literal["no", "yes", "unknown"]

_BALANCE = re.compile(
    r"insufficient[ _-](balance|quota|credits?|funds)|exceeded your current quota|billing_hard_limit"
    r"|credit balance is too low|余额不足",
    re.IGNORECASE,
)
_CONCURRENCY_LIMIT = re.compile(
    r"concurren(?:cy|t)(?: requests?)? limit(?: of| is|:)? {0,2}(\d{1,6})"
    r"|limit of (\d{1,6}) concurrent|max(?:imum)? concurrency(?: of| is|:)? {0,2}(\d{1,6})",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_LONGEST_MESSAGE = 500


def status_error(*, status: int, headers: Mapping[str, str], body: bytes, now: datetime, who: str) -> CompletionError:
    """The error in a response whose status is not 2xx. `who` is the endpoint, `now` the instant for HTTP dates."""
    said = _quoted(body)
    text = f"{who} answered {status}{': ' + said if said else ''}{_trace(headers)}"
    if status < 400:
        return PermanentError(
            f"{who} answered {status}, a redirect, which is not followed as it could carry the key to another host: "
            "give the base URL that it leads to",
            kind="redirect",
            status=status,
        )
    if status == 402 or _BALANCE.search(said) or _BALANCE.search(body.decode(errors="replace")):
        return FatalError(f"{text} – top up the account, then resume", kind="balance", status=status)
    if status in (401, 403, 407):
        return FatalError(text, kind="auth", status=status)
    kind = _transient_kind(status)
    if kind is None:
        return PermanentError(text, kind="bad_request", status=status)
    return TransientError(
        text,
        kind=kind,
        status=status,
        retry_after_s=retry_after_s(headers, now=now),
        concurrency_limit=concurrency_limit(said) if status == 429 else None,
    )


def reported_error(report: wire.JsonObject, *, who: str, partial: Completion | None = None) -> CompletionError:
    """The error in a JSON object that came under status 200, alone or in a stream."""
    error = report.get("error")
    said = _message_in(report) or "no message"
    status = _status_in(error)
    billed = billed_for(partial)
    text = f"{who} reported an error in its answer: {said}"
    words = json.dumps(error, ensure_ascii=False)
    if _BALANCE.search(words) or status == 402:
        return FatalError(f"{text} – top up the account, then resume", kind="balance", partial=partial, billed=billed)
    if status in (401, 403) or "authentication_error" in words:
        return FatalError(text, kind="auth", status=status, partial=partial, billed=billed)
    kind: FailureKind | None = "server" if status is None else _transient_kind(status)
    if status is None and "rate_limit" in words:
        kind = "rate_limited"
    if kind is None:
        return PermanentError(text, kind="bad_request", status=status, partial=partial, billed=billed)
    limit = concurrency_limit(said) if kind == "rate_limited" else None
    return TransientError(text, kind=kind, status=status, partial=partial, billed=billed, concurrency_limit=limit)


def billed_for(partial: Completion | None) -> Billed:
    """Whether a call that broke after it was sent is charged: only a usage that was told makes it certain."""
    return "yes" if partial is not None and partial.usage.total_tokens else "unknown"


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds the server asks to wait, uncapped, or None where it asks nothing usable.

    Knows `retry-after-ms`, and `Retry-After` as seconds, as a float, or as an HTTP date; a date counts from the
    response's own Date where there is one, so that a wrong clock here does not matter.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit_s
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    until = _http_date(headers.get("retry-after"))
    if until is None:
        return None
    seconds = (until - (_http_date(headers.get("date")) or now)).total_seconds()
    return seconds if seconds >= 0 else None


def concurrency_limit(text: str) -> int | None:
    """The account's limit of calls in flight, where the text of a 429 names it."""
    found = _CONCURRENCY_LIMIT.search(text)
    if found is None:
        return None
    return int(next(group for group in found.groups() if group)) or None


def _transient_kind(status: int) -> FailureKind | None:
    if status == 429:
        return "rate_limited"
    if status == 408:
        return "timeout"
    return "server" if status in (409, 425) or status >= 500 else None


def _http_date(text: str | None) -> datetime | None:
    try:
        stamp = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def _trace(headers: Mapping[str, str]) -> str:
    trace_id = trace_id_in(headers)
    return f" (trace {trace_id})" if trace_id else ""


def trace_id_in(headers: Mapping[str, str]) -> str | None:
    """What to name to the provider's support: DeepSeek's trace id, or the request id of others."""
    return (headers.get("x-ds-trace-id") or headers.get("x-request-id") or "")[:200] or None


def _quoted(body: bytes) -> str:
    """What an error body says, on one line: its message, the title of its HTML, or its beginning."""
    try:
        report: Any = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode(errors="replace")
        title = _TITLE.search(text)
        return _one_line(title.group(1) if title else text)
    return _message_in(report) if isinstance(report, dict) else _one_line(str(report))


def _message_in(report: wire.JsonObject) -> str:
    error = report.get("error", report)
    if isinstance(error, dict):
        error = next((error[name] for name in ("message", "detail", "code", "type") if error.get(name)), error)
    return _one_line(error if isinstance(error, str) else json.dumps(error, ensure_ascii=False))


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}…"


def _status_in(error: object) -> int | None:
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code[:4])
    return code if isinstance(code, int) and 400 <= code <= 599 else None
