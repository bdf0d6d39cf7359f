"""The golden file of a suite: the outputs that were accepted, in a form that a reviewer can read as
a diff.

Texts of several lines are lists of lines, so a changed sentence is one changed line. Topics and
calls are sorted, and nothing stands in it that changes from run to run.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.domain.completion import Json
from harness.domain.recorded_call import step_of
from harness.domain.strict_json import NotJson, kind_of, loads
from harness.errors import SuiteError
from harness.records.jsonl_file import write_whole
from harness.text.safe import json_safe

VERSION = 1
_LINE = re.compile(r"line (\d+) column")
_TWICE = re.compile(r"the key (\".*\") appears twice")
_FIELDS = {"output", "calls"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The accepted form of one draw of a topic. `output` counts only where `has_output` says so:
    null is a value.
    """

    output: Json = None
    has_output: bool = False
    calls: Mapping[str, str] = field(default_factory=dict)

    def of_step(self, step: str) -> tuple[str, ...]:
        """The ids of the accepted calls of a step."""
        return tuple(span_id for span_id in self.calls if step_of(span_id) == step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """By the name of the draw: the topic's id, with `#2`, `#3`, … for its later draws."""

    draws: Mapping[str, Accepted] = field(default_factory=dict)


def read_golden(path: Path) -> Golden:
    """The golden file, or an empty one where there is no file yet. Raises SuiteError with file and
    line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return Golden()
    except OSError as error:
        raise SuiteError(
            f"{path}: the golden file cannot be read: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path}: the golden file is not UTF-8: {error}") from error
    try:
        value = loads(text)
    except NotJson as error:
        if "<<<<<<<" in text:
            advice = "resolve the conflict that a merge left"
        else:
            advice = "restore it"
        raise SuiteError(
            f"{path}:{_line_of(error, text)}: not a golden file: {error}; {advice}, or remove it"
            " and run with --accept"
        ) from error
    return _Reader(path, text).golden(value)


def _line_of(error: NotJson, text: str) -> int:
    """Return where the file ceases to be JSON, as far as the error tells."""
    if found := _LINE.search(str(error)):
        return int(found[1])
    twice = _TWICE.search(str(error))
    lines = [
        number
        for number, line in enumerate(text.split("\n"), 1)
        if twice and f"{twice[1]}:" in line
    ]
    return lines[-1] if lines else 1


def golden_text(golden: Golden) -> str:
    """The file's text."""
    topics = {name: _entry(golden.draws[name]) for name in sorted(golden.draws)}
    return (
        json_safe(json.dumps({"golden": VERSION, "topics": topics}, ensure_ascii=False, indent=1))
        + "\n"
    )


def write_golden(path: Path, golden: Golden) -> None:
    """Put the file in its place as a whole. Raises SuiteError."""
    try:
        # It is kept in a repository, for others too.
        write_whole(path, [golden_text(golden).encode()], mode=0o666)
    except OSError as error:
        raise SuiteError(f"{path}: cannot be written: {error.strerror or error}") from error


def golden_diff(old: Golden, new: Golden, name: str) -> str:
    """Say what changes from one to the other, draw by draw as unified diffs; empty where nothing
    does.
    """
    parts: list[str] = []
    for draw in sorted(old.draws.keys() | new.draws.keys()):
        before, after = (_lines(golden.draws.get(draw)) for golden in (old, new))
        title = f"{name}: {draw}"
        parts += difflib.unified_diff(
            before, after, f"{title} (golden)", f"{title} (now)", lineterm="", n=2
        )
    return "\n".join(parts)


def _lines(accepted: Accepted | None) -> list[str]:
    if accepted is None:
        return []
    return json_safe(json.dumps(_entry(accepted), ensure_ascii=False, indent=1)).split("\n")


def _entry(accepted: Accepted) -> dict[str, Any]:
    entry: dict[str, Any] = {"output": _stored(accepted.output)} if accepted.has_output else {}
    if accepted.calls:
        entry["calls"] = {
            span_id: _stored(accepted.calls[span_id]) for span_id in sorted(accepted.calls)
        }
    return entry


def _stored(value: Json) -> Any:
    """A text as itself or as its lines, any other value wrapped, so that the three are told
    apart.
    """
    if isinstance(value, str):
        return value.split("\n") if "\n" in value else value
    return {"value": value}


class _Reader:
    """Reads the parsed file, with its text at hand to name lines."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = text.split("\n")

    def golden(self, value: Json) -> Golden:
        if not isinstance(value, Mapping) or value.get("golden") != VERSION:
            if isinstance(value, Mapping):
                held = f"field 'golden' is {value.get('golden')!r:.40}"
            else:
                held = kind_of(value)
            raise self._error(
                (),
                f"not a golden file of version {VERSION}: {held}; remove it and run with --accept",
            )
        topics = value.get("topics")
        if not isinstance(topics, Mapping) or value.keys() != {"golden", "topics"}:
            raise self._error(
                (), "must have the fields 'golden' and 'topics', an object, and no other"
            )
        return Golden(draws={name: self._accepted(name, entry) for name, entry in topics.items()})

    def _accepted(self, name: str, entry: Json) -> Accepted:
        if not isinstance(entry, Mapping):
            raise self._error(
                (name,), f"{name!r} must be an object of 'output' and 'calls', not {kind_of(entry)}"
            )
        if unknown := sorted(entry.keys() - _FIELDS):
            message = (
                f"{name!r} has an unknown field {unknown[0]!r:.60}; there are only 'output' and"
                " 'calls'"
            )
            raise self._error((name, unknown[0]), message)
        calls = entry.get("calls", {})
        if not isinstance(calls, Mapping):
            raise self._error((name, "calls"), f"the calls of {name!r} must be an object")
        texts = {span_id: self._value((name, span_id), stored) for span_id, stored in calls.items()}
        wrong = next(
            (span_id for span_id, text in texts.items() if not isinstance(text, str)), None
        )
        if wrong is not None:
            raise self._error(
                (name, wrong), f"the answer of {wrong!r} must be a text, or a list of its lines"
            )
        return Accepted(
            output=self._value((name, "output"), entry["output"]) if "output" in entry else None,
            has_output="output" in entry,
            calls={span_id: str(text) for span_id, text in texts.items()},
        )

    def _value(self, path: tuple[str, ...], stored: Json) -> Json:
        match stored:
            case str():
                return stored
            case list() if len(stored) > 1 and all(
                isinstance(line, str) and "\n" not in line for line in stored
            ):
                return "\n".join(str(line) for line in stored)
            case Mapping() if stored.keys() == {"value"} and not isinstance(stored["value"], str):
                return stored["value"]
        raise self._error(
            path, 'expected a text, a list of its lines, or {"value": …} for what is no text'
        )

    def _error(self, path: tuple[str, ...], message: str) -> SuiteError:
        return SuiteError(f"{self._path}:{self._line_of(path)}: {message}")

    def _line_of(self, path: tuple[str, ...]) -> int:
        """Return where the last of these names stands, each looked for behind the one before it."""
        line = 0
        for name in path:
            line = next(self._standing(name, line), line)
        return line + 1

    def _standing(self, name: str, start: int) -> Iterator[int]:
        quoted = json_safe(json.dumps(name, ensure_ascii=False)) + ":"
        return (
            number for number in range(start, len(self._lines)) if quoted in self._lines[number]
        )
