"""The two tables, `topics` and `calls`: each column with its type, its meaning, and where its value
comes from.

A column is a path into a row: `usage_input_tokens` is `row["usage"]["input_tokens"]`. The few that
are not say how they are made. The meanings are those of docs/exports.md, which a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from harness.domain.waits import BACKOFF, HELD, WAITS, Wait
from harness.errors import ResultsError

Kind = Literal["integer", "number", "text", "json", "boolean", "time"]
Cell: TypeAlias = "int | float | str | bool | datetime | None"

LARGEST = 2**63 - 1
_TYPES: dict[Kind, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "text": (str,),
    "boolean": (bool,),
    "time": (str,),
}


@dataclass(frozen=True, slots=True)
class Column:
    """`required`: never null. `of` finds the raw value in a row; it may raise what a damaged row
    raises.
    """

    name: str
    kind: Kind
    meaning: str
    of: Callable[[Mapping[str, Any]], Any]
    required: bool = False

    def cell(self, row: Mapping[str, Any]) -> Cell:
        """The value of this column for a row. Raises ResultsError where the row does not hold what
        it must.
        """
        try:
            value = self.of(row)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise _damaged(row, self.name, repr(error)) from None
        if value is None:
            if self.required:
                raise _damaged(row, self.name, "it is missing")
            return None
        if self.kind == "json":
            return whole(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        if type(value) not in _TYPES[self.kind] or (type(value) is int and abs(value) > LARGEST):
            raise _damaged(row, self.name, f"{value!r:.40} is no {self.kind}")
        if self.kind == "time":
            return self._instant(row, value)
        if self.kind == "number":
            return float(value)
        return whole(value) if isinstance(value, str) else value

    def _instant(self, row: Mapping[str, Any], text: str) -> datetime:
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except ValueError as error:
            raise _damaged(row, self.name, str(error)) from None


def whole(text: str) -> str:
    """The text as UTF-8 can hold it: half a surrogate pair, which no file can, becomes U+FFFD."""
    return (
        text
        if text.isascii()
        else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def _damaged(row: Mapping[str, Any], name: str, why: str) -> ResultsError:
    which = f"call {row['id']!r} of topic" if "id" in row else "topic"
    return ResultsError(
        f"the row of {which} {row.get('topic_id')!r} is damaged: {name}: {why}; restore or"
        " remove it"
    )


def _at(*path: str) -> Callable[[Mapping[str, Any]], Any]:
    """The value at this path; null where something before its last part is null, or the last part
    is left out.
    """

    def find(row: Mapping[str, Any]) -> Any:
        value: Any = row
        for part in path[:-1]:
            value = value[part]
            if value is None:
                return None
        return value.get(path[-1])

    return find


def _column(name: str, kind: Kind, meaning: str, *path: str, required: bool = False) -> Column:
    return Column(name, kind, meaning, _at(*(path or (name,))), required)


def _text_output(row: Mapping[str, Any]) -> Any:
    return row["output"] if isinstance(row["output"], str) else None


def _other_output(row: Mapping[str, Any]) -> Any:
    return None if isinstance(row["output"], str) else row["output"]


def _prompt(row: Mapping[str, Any]) -> Any:
    return row["request"]["messages"][-1].get("content", "")


def _response_format(row: Mapping[str, Any]) -> Any:
    wanted = row["request"].get("response_format")
    return f"json_schema {wanted['name']}" if isinstance(wanted, dict) else wanted


def _backoff_s(row: Mapping[str, Any]) -> float:
    return round(sum(float(failure["backoff_s"]) for failure in row["served"]["failures"]), 6)


def _wait(wait: Wait) -> Column:
    """The column of a kind of wait. One that rows leave out where there was none is 0 then."""
    if not wait.is_sparse:
        return _column(f"served_{wait.field}", "number", wait.meaning, "served", wait.field)

    def find(row: Mapping[str, Any]) -> float:
        return float(row["served"].get(wait.field, 0.0))

    return Column(f"served_{wait.field}", "number", wait.meaning, find, required=True)


def _cost_known(row: Mapping[str, Any]) -> bool:
    return row["cost"] is not None


_OF_ERROR: tuple[tuple[str, Kind, str], ...] = (
    ("type", "text", "Why it failed, or is degraded: the name of the exception."),
    ("kind", "text", "Class of a failed call: `timeout`, `rate_limited`, `length` and so on."),
    ("message", "text", "The same in words."),
    ("step", "text", "Step in which it happened, where that is known."),
    ("status", "integer", "HTTP status, where there was one."),
)
_OF_USAGE = (
    ("input_tokens", "Tokens of the prompts."),
    ("output_tokens", "Tokens of reasoning and answer together."),
    ("reasoning_tokens", "The part of the output that is reasoning."),
    ("cached_tokens", "The part of the input that the provider took from its own prefix cache."),
)
_OF_CODE = (
    _column(
        "error_where",
        "text",
        "Of an exception of the workflow: file and line of its code.",
        "error",
        "where",
    ),
    _column("error_code", "text", "That line of code.", "error", "code"),
)
_USAGE = tuple(
    _column(f"usage_{name}", "integer", meaning, "usage", name, required=True)
    for name, meaning in _OF_USAGE
)
_UNTOLD = _column(
    "usage_untold",
    "integer",
    "Answers whose tokens the server did not tell; null: it told all.",
    "usage",
    "untold",
)
_ERROR = tuple(
    _column(f"error_{name}", kind, meaning, "error", name) for name, kind, meaning in _OF_ERROR
)

TOPICS: tuple[Column, ...] = (
    _column(
        "topic_index",
        "integer",
        "Place in the dataset, from 0; the key of the table.",
        "index",
        required=True,
    ),
    _column("topic_id", "text", "Id of the topic.", required=True),
    _column("run_id", "text", "Run.", required=True),
    _column("session", "integer", "Session of the run that wrote the row, from 1.", required=True),
    _column("workflow", "text", "Workflow.", required=True),
    _column("status", "text", "`ok`, `degraded` or `failed`.", required=True),
    _column("topic", "text", "The topic itself.", required=True),
    Column("output", "text", "What the workflow returned, if that is a text.", _text_output),
    Column("output_json", "json", "What it returned, if that is anything else.", _other_output),
    _column(
        "sections", "json", "Parts of the output, each an object; for `research` the sub-questions."
    ),
    *_ERROR,
    *_OF_CODE,
    *_USAGE,
    _UNTOLD,
    _column("cost", "number", "USD that this run paid for it; null where a price is not known."),
    _column(
        "saved", "number", "USD that the answers from the cache had cost before.", required=True
    ),
    _column("calls", "integer", "Number of its calls.", required=True),
    _column("hits", "integer", "How many of them were not asked anew.", required=True),
    _column("started_at", "time", "When it was begun, UTC.", required=True),
    _column("elapsed_s", "number", "Seconds from its begin to its end.", required=True),
    _column(
        "sequential_s",
        "number",
        "Seconds that its calls would take one after another.",
        required=True,
    ),
    _column("metadata", "json", "All other fields of its line in the dataset."),
    _column(
        "answered_by",
        "json",
        "Who answered its calls, and how often; `other`: not the model that was asked for.",
    ),
    Column("cost_known", "boolean", "Whether its cost is known.", _cost_known, required=True),
)

CALLS: tuple[Column, ...] = (
    _column("topic_index", "integer", "Topic that it belongs to.", "index", required=True),
    _column("topic_id", "text", "The same by its id.", required=True),
    _column("call_id", "text", "Id of the call within its topic.", "id", required=True),
    _column("run_id", "text", "Run.", required=True),
    _column("session", "integer", "Session of the run that made it, from 1.", required=True),
    _column(
        "parent", "text", "Part of the workflow that it belongs to; null for the workflow itself."
    ),
    _column("step", "text", "Step of the workflow.", required=True),
    _column(
        "start_s",
        "number",
        "When it was wanted, in seconds since its session began.",
        required=True,
    ),
    _column("end_s", "number", "When it ended, likewise.", required=True),
    _column(
        "own_s",
        "number",
        "Seconds that its requests took, waits left out; 0 for a hit.",
        required=True,
    ),
    _column("key", "text", "Key of the request in the cache.", required=True),
    _column("request_endpoint", "text", "Who was asked.", "request", "endpoint", required=True),
    _column(
        "request_model", "text", "Model that was asked for.", "request", "model", required=True
    ),
    Column("prompt", "text", "The last message of the request.", _prompt),
    _column(
        "request_messages",
        "json",
        "All messages of the request.",
        "request",
        "messages",
        required=True,
    ),
    _column(
        "request_max_tokens",
        "integer",
        "Cap on output tokens; null: not sent.",
        "request",
        "max_tokens",
    ),
    _column(
        "request_thinking", "boolean", "Reasoning on or off; null: not sent.", "request", "thinking"
    ),
    _column("request_effort", "text", "How much reasoning; null: not sent.", "request", "effort"),
    _column("request_temperature", "number", "Null: not sent.", "request", "temperature"),
    _column("request_top_p", "number", "Null: not sent.", "request", "top_p"),
    Column(
        "request_response_format",
        "text",
        "A JSON schema is told by its name. Null: not sent.",
        _response_format,
    ),
    _column("request_seed", "integer", "Null: not sent.", "request", "seed"),
    _column("request_extra_body", "json", "Fields that the user added.", "request", "extra_body"),
    _column("request_tools", "json", "Functions that were offered.", "request", "tools"),
    _column("request_stop", "json", "Texts at which to stop.", "request", "stop"),
    _column("request_sample", "integer", "Number of the draw; null is 0.", "request", "sample"),
    _column("model", "text", "Model that answered, as the response names it."),
    _column("fingerprint", "text", "`system_fingerprint` of the response."),
    _column("trace_id", "text", "The provider's id of the response."),
    _column("reasoning", "text", "Reasoning."),
    _column("content", "text", "Answer."),
    _column("tool_calls", "json", "Functions that the model wants called."),
    _column("finish_reason", "text", "Why the model stopped."),
    _column("rejected", "text", "Why the step did not take the answer; null if it did."),
    *_USAGE,
    _UNTOLD,
    _column("cost", "number", "USD that this run paid for it; null where the price is not known."),
    _column("saved", "number", "USD that its answer had cost another run or call.", required=True),
    _column(
        "served_source",
        "text",
        "`endpoint`, `cache`, `shared` or `replay`.",
        "served",
        "source",
        required=True,
    ),
    _column(
        "served_attempts",
        "integer",
        "Requests that were sent.",
        "served",
        "attempts",
        required=True,
    ),
    *(_wait(wait) for wait in HELD if not wait.is_sparse),
    Column("served_backoff_s", "number", BACKOFF.meaning, _backoff_s),
    _column(
        "served_ttft_reasoning_s",
        "number",
        "Seconds to the first piece of reasoning.",
        "served",
        "ttft_reasoning_s",
    ),
    _column(
        "served_ttft_answer_s",
        "number",
        "Seconds to the first piece of the answer.",
        "served",
        "ttft_answer_s",
    ),
    _column(
        "served_latency_s",
        "number",
        "Seconds of the attempt that succeeded.",
        "served",
        "latency_s",
    ),
    *(_wait(wait) for wait in WAITS if not wait.is_held and not wait.is_sparse),
    _column(
        "served_failures",
        "json",
        "Attempts that failed, each an object.",
        "served",
        "failures",
        required=True,
    ),
    *_ERROR,
    *(_wait(wait) for wait in WAITS if wait.is_sparse),
    Column("cost_known", "boolean", "Whether its cost is known.", _cost_known, required=True),
)

TABLES: dict[str, tuple[Column, ...]] = {"topics": TOPICS, "calls": CALLS}


def record(columns: tuple[Column, ...], row: Mapping[str, Any]) -> list[Cell]:
    """A row of a table. Raises ResultsError for a damaged row."""
    return [column.cell(row) for column in columns]
