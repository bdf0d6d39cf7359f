"""The wait that a server asks for: in headers, in fields of the body, in words.

The places are asked from the most to the least explicit, and the first that tells counts:

1. `retry-after-ms`, then `Retry-After`; then the same names behind a prefix, as gateways rename
   them.
2. Fields of the body (`retryDelay`, `retry_after_ms`, `resets_at`, …), and headers that it passes
   on.
3. Words: "please try again in 6m0s".
4. `x-ratelimit-reset*`, which stand on every response and are about this one only where it is a
   refusal of that kind.

A wait that has passed, or is no time, is none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from harness.endpoint.error_report import Report

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNIT = r"milliseconds?|millis|msecs?|ms|minutes?|mins?|seconds?|secs?|hours?|hrs?|days?|[smhd]"
_NUMBER = r"\d{1,12}(?:\.\d{1,12})?"
_AMOUNT = rf"{_NUMBER}\s*(?:{_UNIT})(?![a-zA-Z])"
_DURATION = rf"{_AMOUNT}(?:(?:,|\s|and)*{_AMOUNT})*"
_WHOLE_DURATION = re.compile(_DURATION, re.IGNORECASE)
_ONE_AMOUNT = re.compile(rf"({_NUMBER})\s*({_UNIT})(?![a-zA-Z])", re.IGNORECASE)
_INSTANT = (
    r"\d{4}-\d\d-\d\d(?:(?:[T"
    r" ]|\s*,?\s+at\s+)\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?\s*(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)

_IN_WORDS = re.compile(
    r"(?:(?:again|retry|retrying|resets?|reset|available|back)"
    r" (?:in|after)|retry_?-?(?:delay|after)\W{1,6}"
    r"|wait(?: for)?(?: at least| about| another)?)\s*(?:about |approximately |~)?"
    rf"(?P<wait>{_DURATION}|{_NUMBER}(?=\s*(?:[.,;!)\"'}}]|$)))",
    re.IGNORECASE,
)
_IN_CHINESE = re.compile(r"(?P<wait>\d{1,9})\s*(?P<unit>秒|分|小时)钟?(?:后|之后|以后)")
_CHINESE_UNITS_S = {"秒": 1.0, "分": 60.0, "小时": 3600.0}
_AT_IN_WORDS = re.compile(
    r"(?:resets?|reset|regain access|again|available|renew\w*|restored)(?: \w+){0,3}?"
    r" (?:at|on|after|until)[\s:]*"
    rf"(?P<instant>{_INSTANT}|\d{{10,19}})",
    re.IGNORECASE,
)

_FIELD = re.compile(
    r"(?:^|_)(?:retry_after|retry_delay|retry_in|resets?_(?:at|in|after|on|time|delay)|wait_time|estimated_time)"
    r"(?P<unit>_(?:s|sec|secs|seconds?|ms|msec|millis|milliseconds?|time_?stamp))?$"
)
_HEADER_MS = re.compile(r"(?:^|[-_])retry-after-ms$")
_HEADER = re.compile(r"(?:^|[-_])retry-after$")
_LIMIT_HEADERS = (
    # OpenAI's order
    re.compile(r"(?P<whose>^|.*[-_])rate-?limit-(?P<part>reset|remaining|limit)(?P<what>-.+)?$"),
    # Anthropic's
    re.compile(r"(?P<whose>^|.*[-_])rate-?limit(?P<what>-.+)-(?P<part>reset|remaining|limit)$"),
)

_DRAFTED = re.compile(r"(?:^|[-_])ratelimit$")
_DRAFTED_PART = re.compile(r"(?:^|;)\s*(reset|remaining|limit|r|t)\s*=\s*(\d{1,12})")

# A wait of 30 years is an instant; ms, µs and ns are, too.
_EPOCH_FROM, _EPOCH_TO, _EPOCH_SECONDS_TO = (1e9, 1e20, 1e11)


class _Window(NamedTuple):
    """One limit of which headers tell. None: not told."""

    wait_s: float
    remaining: float | None
    limit: float | None


def wait_s(
    report: Report, headers: Mapping[str, str], *, now: datetime, limited: bool
) -> float | None:
    """Seconds the server asks to wait, uncapped, or None where it asks nothing usable.

    `limited`: this is the refusal of a limit, so that the headers that tell when limits are
    restored are about it. A date counts from the response's own Date where there is one, so that a
    wrong clock here does not matter.
    """
    return next(_told(report, headers, now=now, limited=limited), None)


def longest_wait_s(report: Report, headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the longest wait that is told.

    A day's quota needs it, where a shorter wait of habit stands beside it.
    """
    return max(_told(report, headers, now=now, limited=True), default=None)


def _told(
    report: Report, headers: Mapping[str, str], *, now: datetime, limited: bool
) -> Iterator[float]:
    ours = {name.lower(): value for name, value in headers.items()}
    at = _date(ours.get("date")) or now
    yield from _in_headers(ours, at=at)
    for name, value in report.told:
        yield from _in_field(name, value, at=at)
    yield from _in_headers(report.headers, at=at)
    for text in report.says:
        yield from _in_words(text, at=at)
    if limited:
        yield from _in_limits(report.headers, at=at)
        yield from _in_limits(ours, at=at)


def _in_headers(headers: Mapping[str, str], *, at: datetime) -> Iterator[float]:
    # The server's own names are shorter than any that a gateway gives to those of the server behind
    # it.
    for name in sorted(headers, key=len):
        if _HEADER_MS.search(name):
            yield from _given(_duration_s(headers[name], unit_s=0.001))
    for name in sorted(headers, key=len):
        if _HEADER.search(name):
            yield from _given(_seconds(headers[name], at=at))


def _in_field(name: str, value: object, *, at: datetime) -> Iterator[float]:
    found = _FIELD.search(name)
    if found is None or isinstance(value, bool):
        return
    if (found["unit"] or "").startswith("_m"):
        yield from _given(_duration_s(value, unit_s=0.001))
    else:
        yield from _given(_seconds(value, at=at))


def _in_words(text: str, *, at: datetime) -> Iterator[float]:
    for found in _IN_WORDS.finditer(text):
        yield from _given(_duration_s(found["wait"]))
    for found in _AT_IN_WORDS.finditer(text):
        yield from _given(_seconds(re.sub(r"\s*,?\s+at\s+", " ", found["instant"]), at=at))
    for found in _IN_CHINESE.finditer(text):
        yield from _given(_duration_s(found["wait"], unit_s=_CHINESE_UNITS_S[found["unit"]]))


def _in_limits(headers: Mapping[str, str], *, at: datetime) -> Iterator[float]:
    windows = _windows(headers, at=at)
    if windows:
        yield _until_restored_s(windows)


def _until_restored_s(windows: list[_Window]) -> float:
    """The wait for the limit that refused.

    That is one of which nothing remains, and of several the one that lasts longest, as all must be
    restored. Where something remains of each, it is the emptiest: the request was larger than the
    rest. Where that is not told, the longest: what is too short costs one of the few attempts of a
    call, what is too long some seconds.
    """
    exhausted: list[float] = []
    by_share: list[tuple[float, float]] = []
    for window in windows:
        if window.remaining is None:
            continue
        if window.remaining <= 0:
            exhausted.append(window.wait_s)
        if window.limit is not None and window.limit > 0:
            by_share.append((window.remaining / window.limit, window.wait_s))
    if exhausted:
        return max(exhausted)
    if by_share:
        _, wait = min(by_share)
        return wait
    return max(window.wait_s for window in windows)


def _windows(headers: Mapping[str, str], *, at: datetime) -> list[_Window]:
    """Return the limits that these headers tell of, each with the time until it is restored."""
    told: dict[tuple[str, str], dict[str, str]] = {}
    for name, value in headers.items():
        if _DRAFTED.search(name):
            for place, parts in enumerate(_drafted(value)):
                told[name, str(place)] = parts
    for name, value in headers.items():
        for pattern in _LIMIT_HEADERS:
            found = pattern.match(name)
            if found is not None:
                told.setdefault((found["whose"], found["what"] or ""), {})[found["part"]] = value
                break
    windows = []
    for parts in told.values():
        wait = _seconds(parts.get("reset"), at=at)
        if wait is not None:
            windows.append(
                _Window(wait, _number(parts.get("remaining")), _number(parts.get("limit")))
            )
    return windows


_DRAFTED_NAMES = {"reset": "t", "remaining": "r", "limit": ""}
"""The parts of a limit, each with its name in the later draft."""


def _drafted(value: str) -> Iterator[dict[str, str]]:
    """Yield the limits in the one header of the IETF's drafts.

    It is `limit=10, remaining=0, reset=7`, or in the later draft `"a";r=0;t=7, …`.
    """
    policies = value.split(",") if ";" in value else [value.replace(",", ";")]
    for policy in policies:
        found = dict(_DRAFTED_PART.findall(policy.lower()))
        parts: dict[str, str] = {}
        for name, short in _DRAFTED_NAMES.items():
            told = found.get(name, found.get(short))
            if told is not None:
                parts[name] = told
        yield parts


def _given(seconds: float | None) -> Iterator[float]:
    if seconds is not None:
        yield seconds


def _seconds(value: object, *, at: datetime) -> float | None:
    """From now on: a number of seconds, a duration, or what is left until an instant."""
    number = _number(value)
    if number is not None and _EPOCH_FROM <= number < _EPOCH_TO:
        while number >= _EPOCH_SECONDS_TO:
            number /= 1000
        return _usable(number - at.timestamp())
    duration_s = _duration_s(value)
    if number is not None or duration_s is not None or not isinstance(value, str):
        return duration_s
    until = _instant(value)
    if until is None:
        return None
    return _usable((until - at).total_seconds())


def _duration_s(value: object, *, unit_s: float = 1.0) -> float | None:
    """A duration such as 1m30s or "20 seconds"; a bare number is of `unit_s`."""
    number = _number(value)
    if number is not None:
        return _usable(number * unit_s)
    if not isinstance(value, str) or _WHOLE_DURATION.fullmatch(value.strip()) is None:
        return None
    return _usable(
        math.fsum(float(amount) * _unit_s(unit) for amount, unit in _ONE_AMOUNT.findall(value))
    )


def _unit_s(unit: str) -> float:
    name = unit.lower()
    if name.startswith(("ms", "mil")):
        return _UNITS_S["ms"]
    return _UNITS_S[name[0]]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _usable(seconds: float) -> float | None:
    if math.isfinite(seconds) and seconds >= 0:
        return seconds
    return None


def _instant(text: str) -> datetime | None:
    plain = re.sub(r"\s*(?:UTC|GMT)$", "Z", text.strip())
    try:
        stamp = datetime.fromisoformat(plain)
    except ValueError:
        return _date(text)
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def _date(text: str | None) -> datetime | None:
    """An HTTP date."""
    try:
        stamp = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
