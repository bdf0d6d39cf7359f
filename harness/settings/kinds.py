"""Kinds of values: what each setting may be, and how a text from a flag or a variable becomes
one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, Field

from harness.domain.base_url import normalized_base_url
from harness.errors import SettingsError
from harness.logs import parse_level
from harness.settings.endpoints import parse_overrides

_SECONDS_IN = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_YES_NO = {
    "on": True,
    "true": True,
    "yes": True,
    "1": True,
    "off": False,
    "false": False,
    "no": False,
    "0": False,
}


def duration_s(value: Any) -> Any:
    """Seconds from `90`, `90s`, `15m`, `12h`, `7d` or `2w`.

    What is no text is left for the type check. Raises ValueError for any other text.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([smhdw]?)\s*", value)
    if match is None:
        raise ValueError("must be seconds, or a time such as 90s, 15m, 12h, 7d or 2w")
    return float(match[1]) * _SECONDS_IN[match[2] or "s"]


def _on_off(value: Any) -> Any:
    if isinstance(value, str):
        return _YES_NO.get(value.strip().lower(), value)
    return value


def _whole_or_off(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() == "off":
        return "off"
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
        raise ValueError("must be a whole number from 1 to 1,000,000, or off")
    return value


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _saying(check: Callable[[str], object]) -> Callable[[str], str]:
    """A check that raises our own error, as pydantic wants it."""

    def checked(text: str) -> str:
        try:
            check(text)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return text

    return checked


def _latency(text: str) -> None:
    # Only those who use the mock pay for it.
    from harness.testing.deepseek.latency import Latency  # noqa: PLC0415

    Latency.parse(text)


def _faults(text: str) -> None:
    from harness.testing.deepseek.fault_plan import FaultPlan  # noqa: PLC0415 - as above

    FaultPlan.parse(text)


def _overrides(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            parse_overrides((text,))
        except SettingsError as error:
            raise ValueError(str(error)) from None
    return texts


def _collector(text: str) -> None:
    # A credential would stand in the run's description; the SDK's own variable for headers takes
    # it.
    if "@" in text:
        raise SettingsError(
            "the URL of a collector must hold no user and no password: put a header into"
            " OTEL_EXPORTER_OTLP_HEADERS"
        )
    try:
        normalized_base_url(text)
    except SettingsError:
        raise SettingsError("must be the URL of a collector, like http://127.0.0.1:4318") from None


def _levels(value: Any) -> Any:
    """Several levels in one text are told apart by commas, as a variable has them."""
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return value
    found = tuple(part.strip() for text in texts for part in text.split(",") if part.strip())
    for part in found:
        parse_level(part)
    return found


WholeOrOff = Annotated[int | str, BeforeValidator(_whole_or_off)]
Attempts = Annotated[int, Field(strict=True, ge=1, le=6)]
Seed = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
Dollars = Annotated[float, Field(strict=True, gt=0, le=1e9)]
Seconds = Annotated[float, BeforeValidator(duration_s), Field(strict=True, gt=0, le=31_536_000)]
SecondsOrZero = Annotated[
    float, BeforeValidator(duration_s), Field(strict=True, ge=0, le=31_536_000)
]
OnOff = Annotated[bool, BeforeValidator(_on_off), Field(strict=True)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
LogFormat = Literal["text", "json"]
LogLevels = Annotated[tuple[str, ...], BeforeValidator(_levels)]
CollectorUrl = Annotated[str, AfterValidator(_saying(_collector))]
Overrides = Annotated[tuple[str, ...], BeforeValidator(_one_or_more), AfterValidator(_overrides)]
BaseUrl = Annotated[str, AfterValidator(_saying(normalized_base_url))]
LatencyModel = Annotated[str, AfterValidator(_saying(_latency))]
FaultRates = Annotated[str, AfterValidator(_saying(_faults))]


def from_text(annotation: Any, text: str) -> Any:
    """Convert the text of a flag or a variable to the kind of value it must be.

    A text that cannot be one stays.
    """
    kind = base_kind(annotation)
    if kind is int and re.fullmatch(r"\s*[+-]?[0-9]{1,30}\s*", text):
        return int(text)
    if kind is float and not _is_duration(annotation):
        try:
            return float(text)
        except ValueError:
            return text
    return text


def base_kind(annotation: Any) -> Any:
    """The type at the bottom of `X`, `X | None` or `Annotated[X, ...]`; a Literal is str."""
    if annotation is None or annotation is type(None):
        return None
    origin = get_origin(annotation)
    if origin is Annotated:
        return base_kind(get_args(annotation)[0])
    if origin is Literal:
        return str
    if origin is tuple:
        return tuple
    if origin is Union or isinstance(annotation, type(int | str)):
        return next(kind for part in get_args(annotation) if (kind := base_kind(part)) is not None)
    return annotation


def choices(annotation: Any) -> tuple[str, ...]:
    """The texts among which to choose, or none where any will do."""
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    return next((found for part in get_args(annotation) if (found := choices(part))), ())


def _is_duration(annotation: Any) -> bool:
    kinds = (annotation, *get_args(annotation))
    return Seconds in kinds or SecondsOrZero in kinds
