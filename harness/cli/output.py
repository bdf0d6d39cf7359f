"""Words and JSON on standard output, whatever the terminal and the reader at its other end can
take.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from harness.render.document import Field, Fields
from harness.render.terminal import columns_of, show
from harness.text.safe import json_safe, terminal_safe


def say(text: str, *, hanging: int = 10) -> None:
    """Print lines that can command no terminal: wrapped to its width on one, each whole in a pipe
    or a file.

    `hanging` is how far the rest of a line that is too long is indented.
    """
    safe, columns = terminal_safe(text), columns_of(sys.stdout)
    if columns is not None:
        from harness.render.wrapping import wrapped  # noqa: PLC0415 - what measures words is of use to a terminal only

        safe = wrapped(safe, columns, hanging=hanging)
    click.echo(safe)


def say_fields(*fields: Field, err: bool = False) -> None:
    """Print labels with what is said of each; `err`: on standard error."""
    show([Fields(fields=fields)], sys.stderr if err else sys.stdout)


def say_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON that can command no terminal."""
    click.echo(json_safe(json.dumps(value, ensure_ascii=False, indent=indent, default=str)))
