"""Faults of the wire, as data, and the plan that decides which request meets one."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from harness.errors import SettingsError
from harness.testing.deepseek.draws import unit
from harness.testing.deepseek.forms import FORMS, Form, form_names, form_of


class Fault(StrEnum):
    """One defined misbehaviour. The value is the name used in scripts and on the command line."""

    # The answer comes, but not at once
    KEEP_ALIVE = "keep-alive"
    BLANK_LINES = "blank-lines"
    # The connection fails
    RESET_BEFORE_HEADERS = "reset-before-headers"
    RESET = "reset"
    STALL = "stall"
    TRICKLE = "trickle"
    ENDLESS_KEEP_ALIVE = "endless-keep-alive"
    BLANK_LINES_THEN_CLOSE = "blank-lines-then-close"
    EOF_AFTER_FINISH = "eof-after-finish"
    EOF_WITHOUT_FINISH = "eof-without-finish"
    CUT_IN_CHUNK = "cut-in-chunk"
    CUT_IN_CHARACTER = "cut-in-character"
    # A whole answer that is none
    EMPTY_STOP = "empty-stop"
    BLANK_JSON = "blank-json"
    INSUFFICIENT_SYSTEM_RESOURCE = "insufficient-system-resource"
    ABORTED = "aborted"
    CONTENT_FILTER = "content-filter"
    LENGTH = "length"
    # Status 200, and something else than a completion
    HTML_200 = "html-200"
    EMPTY_200 = "empty-200"
    MALFORMED_JSON = "malformed-json"
    CHOICES_NULL = "choices-null"
    ERROR_OBJECT_200 = "error-object-200"
    ERROR_EVENT = "error-event"
    BARE_ERROR_LINE = "bare-error-line"
    # Statuses
    REDIRECT = "redirect"
    BAD_REQUEST = "400"
    UNAUTHORIZED = "401"
    INSUFFICIENT_BALANCE = "402"
    FORBIDDEN = "403"
    UNPROCESSABLE = "422"
    RATE_CONCURRENCY = "429-concurrency"
    RATE_TPM = "429-tpm"
    RATE_RPM = "429-rpm"
    RATE_AFTER_SECONDS = "429-retry-after-seconds"
    RATE_AFTER_FLOAT = "429-retry-after-float"
    RATE_AFTER_DATE = "429-retry-after-date"
    RATE_AFTER_MS = "429-retry-after-ms"
    RATE_AFTER_NEGATIVE = "429-retry-after-negative"
    RATE_AFTER_NAN = "429-retry-after-nan"
    RATE_AFTER_HOURS = "429-retry-after-hours"
    INSUFFICIENT_QUOTA = "insufficient-quota"
    SERVER_ERROR = "500"
    SERVER_ERROR_HTML = "500-html"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    OCTET_STREAM_ERROR = "octet-stream-error"


# What a bad night is made of: each of these goes away when the same request is sent again.
TRANSIENT: tuple[Fault, ...] = (
    Fault.KEEP_ALIVE,
    Fault.BLANK_LINES,
    Fault.RESET_BEFORE_HEADERS,
    Fault.RESET,
    Fault.BLANK_LINES_THEN_CLOSE,
    Fault.EOF_WITHOUT_FINISH,
    Fault.CUT_IN_CHUNK,
    Fault.CUT_IN_CHARACTER,
    Fault.EMPTY_STOP,
    Fault.INSUFFICIENT_SYSTEM_RESOURCE,
    Fault.ABORTED,
    Fault.HTML_200,
    Fault.EMPTY_200,
    Fault.MALFORMED_JSON,
    Fault.CHOICES_NULL,
    Fault.ERROR_OBJECT_200,
    Fault.ERROR_EVENT,
    Fault.BARE_ERROR_LINE,
    Fault.RATE_TPM,
    Fault.RATE_RPM,
    Fault.RATE_AFTER_SECONDS,
    Fault.RATE_AFTER_MS,
    Fault.SERVER_ERROR,
    Fault.SERVER_ERROR_HTML,
    Fault.BAD_GATEWAY,
    Fault.UNAVAILABLE,
    Fault.GATEWAY_TIMEOUT,
    Fault.OCTET_STREAM_ERROR,
)


Oddity: TypeAlias = Fault | Form
"""A replacement for DeepSeek's plain answer: a fault, or the form of some server."""


def oddity_named(name: str) -> Oddity:
    """Return a fault or a form by its name, or the form in a file.

    What has a slash in it or ends in `.toml` is a path. Raises SettingsError with the nearest name
    where there is none of this name, and for a file that is no form.
    """
    if name.endswith(".toml") or os.sep in name:
        return form_of(Path(name))
    if name in list(Fault):
        return Fault(name)
    forms = form_names()
    if name in forms:
        return form_of(FORMS / f"{name}.toml")
    near = difflib.get_close_matches(name, [*Fault, *forms], n=1)
    hint = f"; did you mean {str(near[0])!r}?" if near else ";"
    raise SettingsError(f"unknown fault {name!r}{hint} `harness mock forms` lists all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule for requests whose text contains `text`.

    They meet these oddities in turn (None: answered), and `then` ever after.
    """

    text: str = ""
    faults: tuple[Oddity | None, ...] = ()
    then: Oddity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """The fault that each request meets.

    It is a function of the content and of how often that was asked, never of the time. The first
    rule whose text occurs in the request decides. Where none does, `rates` gives each kind its
    probability, drawn anew for each asking; from asking number `at_most` + 1 on the request is
    answered, so retries succeed.
    """

    rules: tuple[Rule, ...] = ()
    rates: tuple[tuple[Oddity, float], ...] = ()
    at_most: int = 2

    def __post_init__(self) -> None:
        if (
            not all(rate >= 0 for _, rate in self.rates)
            or sum(rate for _, rate in self.rates) > 1 + 1e-9
        ):
            raise SettingsError("faults: rates must not be negative, nor sum to more than 1")

    @classmethod
    def always(cls, fault: Oddity) -> FaultPlan:
        """Every request, every time."""
        return cls(rules=(Rule(then=fault),))

    @classmethod
    def first(cls, *faults: Oddity | None) -> FaultPlan:
        """Each content meets these faults in turn, then it is answered."""
        return cls(rules=(Rule(faults=faults),))

    @classmethod
    def script(cls, script: Mapping[str, Sequence[Oddity | None]]) -> FaultPlan:
        """Requests that contain a text meet its faults in turn, then they are answered."""
        return cls(
            rules=tuple(Rule(text=text, faults=tuple(faults)) for text, faults in script.items())
        )

    @classmethod
    def random(cls, rates: Mapping[Oddity, float], *, at_most: int = 2) -> FaultPlan:
        """Each kind with its probability, at most `at_most` askings of one content."""
        return cls(rates=tuple(rates.items()), at_most=at_most)

    @classmethod
    def storm(cls, share: float, *, at_most: int = 2) -> FaultPlan:
        """This share of requests fails in one of the transient ways, all equally likely."""
        return cls.random({fault: share / len(TRANSIENT) for fault in TRANSIENT}, at_most=at_most)

    @classmethod
    def parse(cls, text: str) -> FaultPlan:
        """Return the plan in a text.

        Such as `0.05` (a share of all requests), `429-tpm=0.1,reset=0.05`, `think-tags` (every
        request), or `none`.

        Names are those of faults and of forms, or paths of forms. Raises SettingsError.
        """
        text = text.strip()
        if text in ("", "none"):
            return cls()
        parts = [_part(part.strip()) for part in text.split(",")]
        try:
            if len(parts) == 1 and parts[0][1] is None:
                return cls._of_one(parts[0][0])
            rates: dict[Oddity, float] = {}
            for name, rate in parts:
                oddity = oddity_named(name)
                if rate is None:
                    raise SettingsError(
                        f"without a share {name!r} is every answer: give it one, as in {name}=0.5"
                    )
                rates[oddity] = rates.get(oddity, 0.0) + _rate(rate)
        except SettingsError as error:
            raise SettingsError(f"faults {text!r}: {error}") from None
        return cls.random(rates)

    @classmethod
    def _of_one(cls, text: str) -> FaultPlan:
        """A share of all kinds, or one name for every request."""
        if text not in list(Fault) and _is_number(text):
            return cls.storm(_rate(text))
        return cls.always(oddity_named(text))

    @property
    def is_empty(self) -> bool:
        return not self.rules and not self.rates

    def choose(self, *, digest: bytes, text: bytes, asked: int) -> Oddity | None:
        """The oddity of this asking (counted from 1) of the content with this digest, or None."""
        for rule in self.rules:
            if rule.text.encode() in text:
                if asked <= len(rule.faults):
                    return rule.faults[asked - 1]
                return rule.then
        if not self.rates or asked > self.at_most:
            return None
        draw = unit(digest, f"fault {asked}")
        for fault, rate in self.rates:
            if draw < rate:
                return fault
            draw -= rate
        return None


def _part(text: str) -> tuple[str, str | None]:
    """A name and what is said of its share; None where nothing is."""
    name, separator, rate = text.rpartition("=")
    if separator and not rate.endswith(".toml"):
        return (name.strip(), rate.strip())
    return (text, None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rate(text: str) -> float:
    if not _is_number(text):
        raise SettingsError(f"{text!r} is not a probability")
    rate = float(text)
    if not 0 <= rate <= 1:
        raise SettingsError(f"{text!r} is not between 0 and 1")
    return rate
