"""The rows of a run as values: what `results.jsonl` and `traces.jsonl` say, typed.

A stored row is the value that was written, and the two numbers that only the files know: the
topic's place in the dataset and the session that wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from harness.domain.completion import Answerer
from harness.domain.logprobs import TokenLogprob
from harness.domain.run import Answered, Span, TopicResult
from harness.errors import ResultsError
from harness.records.answers import FIELD, answers_from_json
from harness.records.codec import JsonObject, answerer_from_json, token_from_json
from harness.records.jsonl_file import line_number, texts_of
from harness.records.rows import result_to_row, span_to_row
from harness.records.typed import TypedReader, moment

T = TypeVar("T")


class Lines(NamedTuple):
    """From where to where something stands in a file, in bytes."""

    began: int
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The part that rows of both files have: the topic, and the session that wrote the row."""

    topic_id: str
    index: int
    session: int

    def __post_init__(self) -> None:
        _check_numbers(self.index, self.session)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult(TopicResult):
    """A row of `results.jsonl`. `session` counts the times that the run was begun or resumed, from
    1.
    """

    session: int
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        _check_numbers(self.index, self.session)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSpan(Span):
    """A row of `traces.jsonl`. `index` is its topic's, `session` the one that made the call.

    `written_own_s` is `own_s` as it was before its parts were rounded.
    """

    index: int
    session: int
    written_own_s: float
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        _check_numbers(self.index, self.session)


def results_in(path: Path, *, start: int = 0) -> Iterator[tuple[Lines, StoredResult]]:
    """The whole lines of a `results.jsonl`, from a byte on where a line begins.

    Raises ResultsError for a line that is no row, and says what is wrong with it.
    """
    for at, raw in texts_of(path, start=start):
        yield Lines(at, at + len(raw)), result_of(raw, path, at)


def spans_in(path: Path, *, start: int = 0) -> Iterator[tuple[Lines, StoredSpan]]:
    """The same of a `traces.jsonl`."""
    for at, raw in texts_of(path, start=start):
        yield Lines(at, at + len(raw)), span_of(raw, path, at)


def result_of(raw: bytes, path: Path, at: int) -> StoredResult:
    """The row in a line of a `results.jsonl` that begins at byte `at`. Raises ResultsError."""
    return _row_of(_RESULTS, raw, path, at, "the row")


def span_of(raw: bytes, path: Path, at: int) -> StoredSpan:
    """The row in a line of a `traces.jsonl` that begins at byte `at`. Raises ResultsError."""
    return _row_of(_SPANS, raw, path, at, "a call")


def owner_of(raw: bytes, path: Path, at: int) -> Owner:
    """Return the owner of the row in a line of either file; nothing else of it is read. Raises
    ResultsError.
    """
    return _row_of(_OWNERS, raw, path, at, "a row")


def stored_result(result: TopicResult, *, session: int) -> StoredResult:
    """Return what a run directory would say of a result: times and money are rounded as they are
    there.
    """
    return _RESULTS.of_value(result_to_row(result, session=session))


def stored_span(span: Span, *, index: int, session: int) -> StoredSpan:
    """Return what a run directory would say of a call. `index` is its topic's."""
    return _SPANS.of_value(span_to_row(span, index=index, session=session))


def result_row(row: StoredResult) -> JsonObject:
    """The row again, as it stands in the file."""
    return result_to_row(row, session=row.session)


def span_row(span: StoredSpan) -> JsonObject:
    """The row again, as it stands in the file."""
    return {
        **span_to_row(span, index=span.index, session=span.session),
        "own_s": span.written_own_s,
    }


def _row_of(reader: TypedReader[T], raw: bytes, path: Path, at: int, what: str) -> T:
    """Raises ResultsError that names the topic, where the line tells it."""
    try:
        return reader.of_line(raw)
    except (ValueError, RecursionError) as error:
        whose = _topic_in(raw)
        if whose is None:
            raise ResultsError(
                f"{path}:{line_number(path, at)}: not a row of ours ({error}); restore or remove"
                " the line"
            ) from None
        raise ResultsError(
            f"{path}: {what} of topic {whose!r} is damaged: {error}; restore or remove the line"
        ) from None


def _topic_in(raw: bytes) -> str | None:
    try:
        whose = json.loads(raw)["topic_id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return whose if isinstance(whose, str) else None


def _check_numbers(index: int, session: int) -> None:
    if index < 0 or session < 1:
        raise ValueError(f"index {index} must be 0 or more, and session {session} 1 or more")


_SPECIAL = {
    Answerer: answerer_from_json,
    TokenLogprob: token_from_json,
    datetime: moment,
    Mapping[Answered, int]: answers_from_json,
}
_RESULTS = TypedReader(StoredResult, special=_SPECIAL, named={"answers": FIELD})
_OWNERS = TypedReader(Owner, special={}, named={})
_SPANS = TypedReader(StoredSpan, special=_SPECIAL, named={"written_own_s": "own_s"})
