"""Structured log lines with the ids of the run, the topic and the call: JSON for machines, one line
of text for people.

A line is made where something happens, by the logger of its concern; which run, topic and call it
belongs to is known from the context it is made in. The context decorates lines and nothing else.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TextIO

ROOT = "harness"
CONCERNS: Mapping[str, str] = MappingProxyType(
    {
        "run": "a run's begin and end, each topic, what a workflow raised",
        "call": "each call: asked, and what came of it",
        "retry": "each attempt that failed",
        "limit": "each refusal (429) and what was learned from it",
        "cache": "each hit and miss, and entries that are not used",
        "telemetry": "what did not reach the collector",
    }
)
LEVELS: Mapping[str, int] = MappingProxyType(
    {
        "debug": logging.DEBUG,
        "info": logging.INFO,
        "warning": logging.WARNING,
        "error": logging.ERROR,
    }
)
Style = Literal["text", "json"]

_IDS = ("run_id", "topic_id", "span_id")
_NOTHING: Mapping[str, str] = MappingProxyType({})
_ids: ContextVar[Mapping[str, str]] = ContextVar("ids of log lines", default=_NOTHING)

# What could forge a line, command a terminal or hide text. The domain's function for it lies above
# this layer.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class logged_with:  # noqa: N801 - reads as what it does
    """Within it, lines carry these ids: `with logged_with(topic_id="tea"): …`."""

    __slots__ = ("_given", "_token")

    def __init__(self, **ids: str) -> None:
        self._given = ids

    def __enter__(self) -> None:
        self._token: Token[Mapping[str, str]] = _ids.set({**_ids.get(), **self._given})

    def __exit__(self, *raised: object) -> None:
        _ids.reset(self._token)


def parse_level(text: str) -> tuple[str, int]:
    """The logger and the level that `debug` or `cache=debug` names. Raises ValueError."""
    concern, separator, level = text.strip().lower().rpartition("=")
    concern = concern.strip().removeprefix(f"{ROOT}.")
    if level.strip() not in LEVELS:
        raise ValueError(f"must end with one of {', '.join(LEVELS)}, not {level.strip()!r}")
    if not separator or concern == ROOT:
        return ROOT, LEVELS[level.strip()]
    if concern not in CONCERNS:
        near = difflib.get_close_matches(concern, CONCERNS, n=1)
        raise ValueError(
            f"there is no concern {concern!r}; "
            + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(CONCERNS)}")
        )
    return f"{ROOT}.{concern}", LEVELS[level.strip()]


class JsonLines(logging.Formatter):
    """One JSON object a line, all three ids in each.

    JSON escapes control characters itself: no text forges a line.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **dict.fromkeys(_IDS),
            **_ids_of(record),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


class TextLines(logging.Formatter):
    """One line for people: time, level, concern, what it is about, what happened.

    A traceback follows, indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        ids = _ids_of(record)
        about = " ".join(ids[name] for name in _IDS[1:] if name in ids) or ids.get("run_id", "")
        head = (
            f"{self.formatTime(record, '%H:%M:%S')}.{int(record.msecs):03d}"
            f" {record.levelname.lower():<7}"
        )
        concern = record.name.removeprefix(f"{ROOT}.")
        line = _seen(f"{head} {concern}{f' [{about}]' if about else ''}: {record.getMessage()}")
        if not record.exc_info:
            return line
        raised = self.formatException(record.exc_info)
        return "\n".join([line, *(f"    {_seen(each)}" for each in raised.splitlines())])


class Redacted(logging.Formatter):
    """The lines of another formatter without secrets, whatever they were made from."""

    def __init__(self, inner: logging.Formatter, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._inner = inner
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(self._inner.format(record))


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that moment: a live display puts itself in its place, and
    takes it away.
    """

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def start_logging(
    *,
    verbose: bool = False,
    style: Style | None = None,
    levels: Iterable[tuple[str, int]] = (),
    file: Path | None = None,
    redact: Callable[[str], str] = lambda line: line,
) -> None:
    """Show our own log lines on standard error: warnings, and with `verbose` also what is worth a
    line of its own.

    `levels` are those of `parse_level`; the later rules. `style` None: text on a terminal, else
    JSON. With `file` all lines are appended to it as JSON, and standard error has only the
    warnings. The root logger is left alone. Raises OSError if the file cannot be opened.
    """
    logger = logging.getLogger(ROOT)
    text = style == "text" or (style is None and sys.stderr.isatty())
    shown: list[logging.Handler] = [_Stderr()]
    shown[0].setFormatter(Redacted(TextLines() if text else JsonLines(), redact))
    if file is not None:
        shown[0].setLevel(logging.WARNING)
        shown.append(_appending(file))
        shown[1].setFormatter(Redacted(JsonLines(), redact))
    for handler in logger.handlers:
        handler.close()
    logger.handlers = shown
    logger.propagate = False
    chosen = {ROOT: logging.INFO if verbose else logging.WARNING, **dict(levels)}
    for name in (ROOT, *(f"{ROOT}.{concern}" for concern in CONCERNS)):
        logging.getLogger(name).setLevel(chosen.get(name, logging.NOTSET))
    for handler in shown:
        handler.addFilter(_with_ids)


def _with_ids(record: logging.LogRecord) -> bool:
    """Put the ids of the context on a line that has none of its own; every line passes."""
    for name, value in _ids.get().items():
        if not hasattr(record, name):
            setattr(record, name, value)
    return True


def _appending(file: Path) -> logging.StreamHandler[TextIO]:
    """A file that nobody but its owner can read, like the results."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return _Closing(os.fdopen(descriptor, "a", encoding="utf-8"))


class _Closing(logging.StreamHandler[TextIO]):
    """Closes its stream with itself."""

    def close(self) -> None:
        self.stream.close()
        super().close()


def _ids_of(record: logging.LogRecord) -> dict[str, str]:
    return {name: getattr(record, name) for name in _IDS if hasattr(record, name)}


def _seen(text: str) -> str:
    return _UNSEEN.sub(
        lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text
    )
