"""Structured log lines: JSON on standard error, with the ids of the run, the topic and the call."""

from __future__ import annotations

import json
import logging
import sys
from typing import TextIO

_IDS = ("run_id", "topic_id", "span_id")


class JsonLines(logging.Formatter):
    """One JSON object a line. Control characters are escaped by JSON itself, so no text can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields.update({name: getattr(record, name) for name in _IDS if hasattr(record, name)})
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that moment: a live display puts itself in its place, and takes it away."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def log_to_stderr(*, verbose: bool) -> None:
    """Show our own log lines: warnings, and with `verbose` each attempt. The root logger is left alone."""
    logger = logging.getLogger("harness")
    handler = _Stderr()
    handler.setFormatter(JsonLines())
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
