"""The rows of a run as values: what `results.jsonl` and `traces.jsonl` say, typed.

A stored row is the value that was written, and the two numbers that only the files know: the topic's place in the dataset
and the session that wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from harness.domain.completion import Answerer
from harness.domain.logprobs import TokenLogprob
from harness.domain.run import Answered, Span, TopicResult
from harness.records.answers import FIELD, answers_from_json
from harness.records.codec import answerer_from_json, token_from_json
from harness.records.typed import TypedReader


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult(TopicResult):
    """A row of `results.jsonl`. `session` counts the times that the run was begun or resumed, from 1."""

    session: int
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSpan(Span):
    """A row of `traces.jsonl`. `index` is its topic's, `session` the one that made the call."""

    index: int
    session: int
    version: Literal[1] = 1


def result_of(line: bytes) -> StoredResult:
    """The topic in a line of `results.jsonl`. Raises ValueError, naming the field, where it is none."""
    return _RESULTS.of_line(line)


def span_of(line: bytes) -> StoredSpan:
    """The call in a line of `traces.jsonl`. Raises ValueError, naming the field, where it is none."""
    return _SPANS.of_line(line)


def _moment(text: Any) -> datetime:
    if not isinstance(text, str):
        raise ValueError("a time of day must be a text")
    return datetime.fromisoformat(text)


_SPECIAL = {
    Answerer: answerer_from_json,
    TokenLogprob: token_from_json,
    datetime: _moment,
    Mapping[Answered, int]: answers_from_json,
}
_RESULTS = TypedReader(StoredResult, special=_SPECIAL, named={"answers": FIELD})
_SPANS = TypedReader(StoredSpan, special=_SPECIAL, named={})
