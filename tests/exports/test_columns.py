from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from records import a_failed_result, a_hard_won_span, a_result

from harness.errors import ResultsError
from harness.exports.columns import CALLS, TABLES, TOPICS, Column, record, whole
from harness.records.rows import result_to_row, span_to_row

DOCS = Path(__file__).parent.parent.parent / "docs"
FROZEN = Path(__file__).parents[1] / "data" / "runs" / "today"


def named(columns: tuple[Column, ...], row: dict[str, Any]) -> dict[str, Any]:
    return dict(zip((column.name for column in columns), record(columns, row), strict=True))


def a_row(**fields: Any) -> dict[str, Any]:
    return {**result_to_row(a_result(), session=1), **fields}


def test_a_topic_is_one_flat_row() -> None:
    cells = named(TOPICS, a_row(metadata={"lang": "zh"}))

    assert cells["topic_index"] == 0
    assert cells["usage_reasoning_tokens"] == 5
    assert cells["started_at"] == datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
    assert (cells["output"], cells["output_json"], cells["error_type"]) == ("because", None, None)
    assert json.loads(cells["metadata"]) == {"lang": "zh"}


def test_an_output_that_is_no_text_is_json() -> None:
    cells = named(TOPICS, a_row(output={"answer": [42]}))
    assert (cells["output"], cells["output_json"]) == (None, '{"answer":[42]}')


def test_a_call_is_one_flat_row() -> None:
    cells = named(CALLS, span_to_row(a_hard_won_span(), index=7, session=2))

    assert (cells["topic_index"], cells["session"], cells["call_id"]) == (7, 2, "ask")
    assert (cells["request_model"], cells["prompt"], cells["request_thinking"]) == (
        "m",
        "why?",
        None,
    )
    assert (cells["served_attempts"], cells["served_latency_s"], cells["served_backoff_s"]) == (
        2,
        2.0,
        0.25,
    )
    assert json.loads(cells["served_failures"])[0]["kind"] == "rate_limited"
    assert json.loads(cells["tool_calls"]) == [{"id": "c1", "name": "look_up", "arguments": "{}"}]


def test_no_value_of_a_row_is_left_out() -> None:
    """Each leaf of a row is in some column: a field that is added to the rows must be added here,
    too.
    """
    for row, columns in (
        (
            a_row(error={"type": "T", "kind": "k", "message": "m", "step": "s", "status": 429}),
            TOPICS,
        ),
        (span_to_row(a_hard_won_span(), index=0, session=1), CALLS),
    ):
        flat = {
            f"{name}_{part}" if isinstance(value, dict) and name not in ("metadata",) else name
            for name, value in row.items()
            for part in (value if isinstance(value, dict) else ("",))
        }
        renamed = {"id": "call_id", "index": "topic_index"}
        names = {column.name for column in columns}
        # `version` says how to read the row; an absent error or part of a request is a null in its
        # columns.
        assert {renamed.get(name, name) for name in flat} - names - {"version", "error"} == set()


def test_no_column_is_null_in_every_row() -> None:
    """A column that looks in the wrong place is null for ever: each has a value in a frozen run or
    in a full row.
    """
    error = {"type": "T", "kind": "k", "message": "m", "step": "s", "status": 429}
    topic: dict[str, Any] = {**result_to_row(a_failed_result(output={"any": 1}), session=1)}
    call: dict[str, Any] = {**span_to_row(a_hard_won_span(), index=0, session=1)}
    told_nothing = {**topic["usage"], "untold": 1}
    names = ("temperature", "top_p", "sample", "tools", "stop", "seed")
    asked = {**call["request"], **dict.fromkeys((*names, "extra_body"), 1)}
    asked |= {"effort": "high", "thinking": True, "response_format": "json_object"}
    full_topic = {**topic, "error": error, "usage": told_nothing}
    full_call = {**call, "error": error, "usage": told_nothing, "parent": "part", "request": asked}

    for columns, file, full in (
        (TOPICS, "results.jsonl", full_topic),
        (CALLS, "traces.jsonl", full_call),
    ):
        rows = [*map(json.loads, (FROZEN / file).read_text().splitlines()), full]
        found = {
            name for row in rows for name, cell in named(columns, row).items() if cell is not None
        }
        assert {column.name for column in columns} - found == set()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cost": "much"}, "cost: 'much' is no number"),
        ({"calls": None}, "calls: it is missing"),
        ({"calls": True}, "calls: True is no integer"),
        ({"calls": 2**63}, "is no integer"),
        ({"usage": None}, "usage_input_tokens: it is missing"),
        ({"usage": []}, "usage_input_tokens: AttributeError"),
        ({"started_at": "yesterday"}, "started_at: Invalid isoformat"),
    ],
)
def test_a_row_that_is_not_as_documented_is_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ResultsError, match=f"the row of topic 't0' is damaged: .*{said}"):
        record(TOPICS, a_row(**fields))


def test_a_damaged_call_is_named_with_its_topic() -> None:
    row = {**span_to_row(a_hard_won_span(), index=0, session=1), "served": {}}
    with pytest.raises(ResultsError, match="the row of call 'ask' of topic 't0' is damaged"):
        record(CALLS, row)


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert whole("a\ud800b\U0001f680") == "a\ufffdb\U0001f680"


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_documented_with_its_type_and_meaning(table: str) -> None:
    text = (DOCS / "exports.md").read_text()
    section = text[text.index(f"### `{table}`") :].split("\n## ")[0].split("\n### ")[0]

    documented = [line for line in section.splitlines() if line.startswith("| `")]
    assert documented == [
        f"| `{column.name}` | {kind_of(column)} | {column.meaning} |" for column in TABLES[table]
    ]


def kind_of(column: Column) -> str:
    return column.kind if column.required else f"{column.kind} or null"
