"""The mock's latency, as a function of the request's content and of the length of its answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, NamedTuple

from harness.errors import SettingsError
from harness.testing.deepseek.draws import unit

LatencyKind = Literal["none", "fixed", "uniform", "lognormal", "per-token"]

_FORMS: dict[str, tuple[LatencyKind, int, str]] = {
    "none": ("none", 0, "none"),
    "fixed": ("fixed", 1, "fixed:SECONDS"),
    "uniform": ("uniform", 2, "uniform:LOW:HIGH"),
    "lognormal": ("lognormal", 2, "lognormal:MEDIAN:SIGMA"),
    "per-token": ("per-token", 2, "per-token:FIRST:EACH"),
}

# A reasoning model is silent for about a tenth of the time it takes.
_SHARE_BEFORE_FIRST_TOKEN = 0.1


class Timing(NamedTuple):
    """Seconds to the first token, and between two tokens."""

    first_s: float
    token_s: float


@dataclass(frozen=True, slots=True)
class Latency:
    """A model of time.

    `fixed`, `uniform` and `lognormal` draw the whole duration of an answer, in seconds, and spread
    its tokens over it evenly; `per-token` gives the time to the first token and between tokens.

    The draw is a function of the content alone, so the same call takes as long in every arm of a
    benchmark.
    """

    kind: LatencyKind = "none"
    a: float = 0.0
    b: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Return the latency in a text.

        It is `none`, `fixed:0.2`, `uniform:8:12`, `lognormal:5:0.4` (median, sigma) or
        `per-token:0.5:0.02`.

        Raises SettingsError for anything else, for negative numbers, and for a range that is upside
        down.
        """
        name, *rest = text.strip().split(":")
        if name not in _FORMS:
            raise SettingsError(
                f"latency {text!r}: unknown model {name!r}; expected one of {_expected()}"
            )
        kind, count, form = _FORMS[name]
        try:
            numbers = [float(part) for part in rest]
        except ValueError:
            raise SettingsError(f"latency {text!r}: not a number; expected {form}") from None
        if len(numbers) != count or not all(
            math.isfinite(number) and number >= 0 for number in numbers
        ):
            raise SettingsError(
                f"latency {text!r}: expected {form}, in seconds, none of them negative"
            )
        if kind == "uniform" and numbers[0] > numbers[1]:
            raise SettingsError(f"latency {text!r}: LOW is greater than HIGH")
        return cls(kind, *numbers)

    def __str__(self) -> str:
        numbers = (self.a, self.b)[: _FORMS[self.kind][1]]
        return ":".join([self.kind, *(f"{number:g}" for number in numbers)])

    def timing(self, digest: bytes, tokens: int) -> Timing:
        """The timing of an answer of so many tokens to the request with this digest."""
        if self.kind == "none":
            return Timing(0.0, 0.0)
        if self.kind == "per-token":
            return Timing(self.a, self.b)
        whole_s = self._duration_s(unit(digest, "latency"))
        if tokens < 2:
            return Timing(whole_s, 0.0)
        first_s = whole_s * _SHARE_BEFORE_FIRST_TOKEN
        return Timing(first_s, (whole_s - first_s) / (tokens - 1))

    def _duration_s(self, draw: float) -> float:
        if self.kind == "fixed":
            return self.a
        if self.kind == "uniform":
            return self.a + (self.b - self.a) * draw
        # The open interval: inv_cdf knows no 0.
        return self.a * math.exp(self.b * NormalDist().inv_cdf(min(max(draw, 1e-12), 1 - 1e-12)))


def _expected() -> str:
    return ", ".join(form for _, _, form in _FORMS.values())
