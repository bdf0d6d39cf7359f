"""Words and JSON on standard output, whatever the terminal and the reader at its other end can take."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import click

from harness.domain.sanitize import json_safe


def prepare_streams() -> None:
    """Let no character crash the program: what the encoding of a stream cannot hold is written out as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON that can command no terminal."""
    click.echo(json_safe(json.dumps(value, ensure_ascii=False, indent=indent, default=str)))
