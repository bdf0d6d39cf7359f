"""Failures of a server as our errors: every status, body and broken stream has exactly one outcome.

What decides, first to last:

1. A status below 400 is a redirect.
2. A page of HTML comes from a proxy that does not reach the server behind it, except where its
   status is precise (401, 402, 407, 413, 429) or it asks for a key.
3. 401, 402 and 407 are about the account, whatever the words; these only tell an empty account from
   a wrong key.
4. The words, in the order of `wordings`.
5. The status. Providers agree on statuses more than on codes (DeepSeek's `code` is nearly always
   `invalid_request_error`). A status inside the body counts instead of a vaguer one of the gateway
   that passes it on.

A wording that stands in the request as well is no evidence: the message may echo the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from harness.domain.completion import Completion
from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.endpoint import foreign_json, told_waits
from harness.endpoint.error_meaning import Words
from harness.endpoint.error_report import Report, report_of, report_of_body
from harness.endpoint.wordings import Meaning
from harness.errors import FailureKind

Billed = Literal["no", "yes", "unknown"]

_FATAL: frozenset[FailureKind] = frozenset({"auth", "balance", "quota", "unknown_model"})
_PERMANENT: frozenset[FailureKind] = frozenset(
    {"content_filter", "too_long", "bad_request", "forbidden", "redirect"}
)

_EMPTY: frozenset[Meaning] = frozenset({"balance", "spent"})
_KEY_STATUSES = frozenset({401, 407})
_PRECISE_STATUSES = frozenset({401, 402, 407, 413, 429})
_VAGUE_STATUSES = frozenset({400, 403, 500, 502, 503})
_NOT_UNDER: Mapping[Meaning, frozenset[int]] = {
    # 429 is about now; a gateway of 5xx may have lost the server that has the model.
    "unknown_model": frozenset({429, 502, 503, 504, 529}),
    "rate": frozenset({404, 413, 502, 503, 504, 529}),
    "spent": frozenset({502, 503, 504, 529}),
}
"""Statuses under which a meaning is not believed."""

_KINDS: dict[int, FailureKind] = {
    401: "auth",
    402: "balance",
    403: "forbidden",
    407: "auth",
    408: "timeout",
    409: "server",
    413: "too_long",
    425: "server",
    429: "rate_limited",
    451: "content_filter",
}

_SHORT_WAIT_S = 3600.0  # limits per minute are restored within it, those per day are not

_CONCURRENCY_LIMIT = re.compile(
    r"concurren(?:cy|t)(?: requests?)? limit(?: of| is|:)? {0,2}(\d{1,6})"
    r"|limit of (\d{1,6}) concurrent|max(?:imum)? concurrency(?: of| is|:)? {0,2}(\d{1,6})",
    re.IGNORECASE,
)
_ADVICE: dict[FailureKind, str] = {
    "balance": "top up the account, then resume",
    "unknown_model": "choose a model that it has: `harness doctor` lists them",
    "too_long": "shorten the prompt, lower max_tokens, or choose a model with a longer context",
}
_TRACE_HEADERS = (
    *("x-ds-trace-id", "x-deepseek-request-id", "x-request-id"),
    *("llm_provider-x-ds-trace-id", "llm_provider-x-request-id", "x-litellm-call-id"),
)
# Names of others, the surest first: what a server or a gateway gives to one request.
_TRACE_NAMES = (
    re.compile(r"(?:^|[-_])request-?id$"),
    re.compile(r"(?:^|[-_])(?:trace-?id|generation-id|correlation-id|log-?id)$"),
    re.compile(r"^cf-ray$"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of an error.

    `who` names the endpoint, `sent` is the request, `headers` are those of the response. `now` is
    the instant of the response, from which dates count.
    """

    who: str
    now: datetime
    headers: Mapping[str, str]
    sent: bytes = b""


def status_error(*, status: int, body: bytes, origin: Origin) -> CompletionError:
    """The error in a response whose status is not 2xx."""
    if status < 400:
        return PermanentError(
            f"{origin.who} answered {status}, a redirect, which is not followed as it could carry"
            " the key to another host: give the base URL that it leads to",
            kind="redirect",
            status=status,
        )
    report = report_of_body(body)
    text = f"{origin.who} answered {status}"
    if report.message:
        text += f": {report.message}"
    trace_id = trace_id_in(origin.headers)
    if trace_id is not None:
        text += f" (trace {trace_id})"
    return _error(report, text, origin, status=status)


def reported_error(
    fields: foreign_json.JsonObject, *, origin: Origin, partial: Completion | None = None
) -> CompletionError:
    """The error in a JSON object that came under status 200, alone or in a stream."""
    report = report_of(fields)
    text = f"{origin.who} reported an error in its answer: {report.message or 'no message'}"
    error = _error(report, text, origin, status=None)
    error.partial, error.billed = partial, billed_for(partial)
    return error


def billed_for(partial: Completion | None) -> Billed:
    """Return whether a call that broke after it was sent is charged.

    Only a usage that was told makes it certain.
    """
    if partial is not None and partial.usage.total_tokens:
        return "yes"
    return "unknown"


def concurrency_limit(text: str) -> int | None:
    """The account's limit of calls in flight, where the text of a 429 names it."""
    found = _CONCURRENCY_LIMIT.search(text)
    if found is None:
        return None
    return int(next(group for group in found.groups() if group)) or None


def trace_id_in(headers: Mapping[str, str]) -> str | None:
    """Return the id to give to the provider's support.

    It is DeepSeek's trace id, another's request id, or a gateway's of either.
    """
    for name in _trace_headers(tuple(headers)):
        if headers[name]:
            return headers[name][:200]
    return None


@lru_cache(maxsize=256)
def _trace_headers(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of these headers that may hold such an id, the likeliest first. A server sends
    the same headers with each answer.
    """
    found = [name for name in _TRACE_HEADERS if name in names]
    for pattern in _TRACE_NAMES:
        found += [name for name in names if pattern.search(name.lower())]
    return tuple(dict.fromkeys(found))


def _error(report: Report, text: str, origin: Origin, *, status: int | None) -> CompletionError:
    kind = _kind(report, origin, status=status)
    told_status = report.status if status is None else status
    if kind in _PERMANENT:
        return PermanentError(_advised(text, kind), kind=kind, status=told_status)
    wait_s = _wait_s(report, origin, kind)
    if kind == "quota":
        return FatalError(
            f"{text} – {_until(wait_s, origin.now)}",
            kind=kind,
            status=told_status,
            retry_after_s=wait_s,
        )
    if kind in _FATAL:
        return FatalError(_advised(text, kind), kind=kind, status=told_status)
    if kind == "rate_limited":
        limit = concurrency_limit(report.message)
    else:
        limit = None
    return TransientError(
        text, kind=kind, status=told_status, retry_after_s=wait_s, concurrency_limit=limit
    )


def _kind(report: Report, origin: Origin, *, status: int | None) -> FailureKind:
    effective = _effective(status, report.status)
    words = Words(report.codes, report.says, is_echo=_Echo(origin.sent))
    if report.is_page:
        return _kind_of_page(effective, words)
    if effective in _KEY_STATUSES:
        if _EMPTY & set(words.meanings()):
            return "balance"
        return "auth"
    if effective == 402:
        return "balance"
    for meaning in words.meanings():
        kind = _kind_of_words(meaning, words, report, origin, status=effective)
        if kind is not None:
            return kind
    return _kind_of_status(effective)


def _effective(status: int | None, inside: int | None) -> int | None:
    """Return the status that counts: a gateway's own is vaguer than the one that it quotes."""
    if status is None or (status in _VAGUE_STATUSES and inside in _PRECISE_STATUSES):
        return inside
    return status


def _kind_of_page(status: int | None, words: Words) -> FailureKind:
    if status in _PRECISE_STATUSES:
        return _kind_of_status(status)
    return "auth" if "auth" in words.meanings() else "gateway"


def _kind_of_words(
    meaning: Meaning, words: Words, report: Report, origin: Origin, *, status: int | None
) -> FailureKind | None:
    """Return the kind that a meaning leads to under this status.

    None: it leads to none, and the next one is asked.
    """
    if status in _NOT_UNDER.get(meaning, ()):
        return None
    match meaning:
        case "busy":
            return "server"
        case "rate":
            return "rate_limited"
        case "spent":
            return _kind_of_spent(words, report, origin)
        case _:
            return meaning


def _kind_of_spent(words: Words, report: Report, origin: Origin) -> FailureKind:
    """Return the kind of a quota that does not say of what.

    OpenAI means the money, Google the requests per minute or day.
    """
    asked_s = told_waits.wait_s(report, origin.headers, now=origin.now, limited=False)
    if words.period() == "short" or (asked_s is not None and asked_s < _SHORT_WAIT_S):
        return "rate_limited"
    # The headers tell on every response when the limits per minute are restored: that says nothing
    # of the money.
    restored_s = told_waits.wait_s(report, origin.headers, now=origin.now, limited=True)
    if restored_s is not None and restored_s >= _SHORT_WAIT_S:
        return "quota"
    return "balance"


def _kind_of_status(status: int | None) -> FailureKind:
    if status is None or status >= 500:
        return "server"
    return _KINDS.get(status, "bad_request")


def _wait_s(report: Report, origin: Origin, kind: FailureKind) -> float | None:
    if kind == "quota":
        return told_waits.longest_wait_s(report, origin.headers, now=origin.now)
    return told_waits.wait_s(report, origin.headers, now=origin.now, limited=kind == "rate_limited")


def _advised(text: str, kind: FailureKind) -> str:
    advice = _ADVICE.get(kind)
    if advice is None:
        return text
    return f"{text} – {advice}"


def _until(wait_s: float | None, now: datetime) -> str:
    """Say what to do about a quota, with the minute at which it is renewed, where that is told."""
    unknown = "resume when the quota is renewed, or raise it"
    if wait_s is None:
        return unknown
    try:
        renewed = now + timedelta(seconds=wait_s + 59)
    except OverflowError:
        return unknown
    return f"the quota is renewed at {renewed:%Y-%m-%d %H:%M} UTC: resume then, or raise it"


class _Echo:
    """A search of the request for a wording.

    The request is read at the first question: most errors raise none.
    """

    def __init__(self, sent: bytes) -> None:
        self._sent = sent
        self._text: str | None = None

    def __call__(self, wording: str) -> bool:
        if self._text is None:
            text = self._sent.decode(errors="replace").lower()
            self._text = " ".join(text.replace("_", " ").replace("\\n", " ").split())
        return wording in self._text
