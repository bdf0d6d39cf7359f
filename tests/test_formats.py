"""What a run leaves, against the schemas in docs/schemas: no field missing, none too many, all of
their type.
"""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from batches import a_topic_file, manifest_of, rows_of, run
from jsonschema import Draft202012Validator
from records import a_failed_result, a_hard_won_span

from harness.cache.admin import CacheAdmin
from harness.cache.sqlite_schema import create
from harness.domain.completion import Message, Request, Tool, ToolCall
from harness.domain.logprobs import Alternative, TokenLogprob
from harness.engine.stopping import Stop
from harness.errors import ResultsError
from harness.records.rows import result_to_row, span_to_row
from harness.runs.live_file import Live, live_to_json, read_live
from harness.runs.snapshot import EndpointStanding, Failing, InFlight, Snapshot
from harness.testing.virtual_time import VirtualClock
from harness.timing.outlook import Range

DOCS = Path(__file__).parent.parent / "docs"
SCHEMAS = {name: json.loads((DOCS / "schemas" / f"{name}.schema.json").read_text()) for name in
           ("results.row", "traces.row", "run", "live")}  # fmt: skip


def check(name: str, *values: Any) -> None:
    validator = Draft202012Validator(
        SCHEMAS[name], format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    for value in values:
        validator.validate(json.loads(json.dumps(value)))


def check_run(directory: Path) -> None:
    check("results.row", *rows_of(directory))
    check("traces.row", *rows_of(directory, "traces"))
    check("run", manifest_of(directory))


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("age", ["first", "second", "today"])
def test_a_run_of_any_version_is_as_documented(age: str) -> None:
    frozen = Path(__file__).parent / "data" / "runs" / age
    for name, file in (("results.row", "results.jsonl"), ("traces.row", "traces.jsonl")):
        check(name, *map(json.loads, (frozen / file).read_text().splitlines()))
    check("run", json.loads((frozen / "run.json").read_text()))


@pytest.mark.harness_virtual_time
async def test_a_night_with_everything_in_it_is_as_documented(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 8)
    with source.open("a") as file:
        file.write(
            '{"no topic": 1}\n{"id": "zh", "topic": "量子纠缠是什么？", "lang": "zh", "tags": [1,'
            " null]}\n"
        )
    # A line that is no topic is skipped; the topic after it keeps its place.
    storm: dict[str, Any] = {"skip_bad": True, "attempts": 2, "latency": "fixed:2", "runs": 3}
    stop = Stop()
    asyncio.get_running_loop().call_later(9.0, stop.set, "interrupted", "interrupted by a test")

    statuses = set()
    for weather in ({"faults": "0.7", "stop": stop}, {"faults": "0.7"}, {}):
        await run(tmp_path, source, **storm, **weather)
        check_run(tmp_path)
        statuses |= {row["status"] for row in rows_of(tmp_path)}

    spans = rows_of(tmp_path, "traces")
    # What is checked above is worth something only if all of it was there.
    assert statuses >= {"ok", "failed"}
    assert {span["served"]["source"] for span in spans} >= {"endpoint", "cache"}
    assert any(span["served"]["failures"] for span in spans)
    assert manifest_of(tmp_path)["dataset"]["skipped"] == 1


@pytest.mark.harness_virtual_time
async def test_rows_of_topics_and_calls_that_failed_are_as_documented(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 12)
    report = await run(
        tmp_path, source, attempts=1, faults="eof-without-finish=0.15,500=0.1,length=0.05"
    )

    check_run(tmp_path)
    assert report.totals["failed"] > 0
    assert report.totals["degraded"] > 0
    assert any(span["error"] for span in rows_of(tmp_path, "traces"))


@pytest.mark.harness_virtual_time
async def test_a_run_that_was_just_begun_is_as_documented(tmp_path: Path) -> None:
    task = asyncio.create_task(run(tmp_path, a_topic_file(tmp_path, 2), latency="fixed:100"))
    await asyncio.sleep(1)
    check("run", manifest_of(tmp_path))
    assert manifest_of(tmp_path)["status"] == "running"
    task.cancel()
    await asyncio.wait([task])
    check("run", manifest_of(tmp_path))


def test_rows_with_all_that_may_be_in_them_are_as_documented() -> None:
    tool = Tool(name="look_up", description="looks up", parameters={"type": "object"})
    call = ToolCall(id="c1", name="look_up", arguments="{}")
    request = Request(
        endpoint="mock",
        model="m",
        messages=(
            Message(role="system", content="be brief"),
            Message(role="assistant", content="", reasoning="hm", tool_calls=(call,)),
            Message(role="tool", content="42", tool_call_id="c1"),
        ),
        max_tokens=10,
        thinking=True,
        effort="max",
        temperature=0.5,
        top_p=0.9,
        response_format="json_object",
        tools=(tool,),
        stop=("END",),
        sample=2,
    )
    span = span_to_row(a_hard_won_span(), index=0, session=1)
    half = TokenLogprob(token="\ufffd", logprob=-1.5, top=(Alternative("a", -0.5),), raw=b"\xe5")
    told = replace(a_hard_won_span(), request=request, logprobs=(half,), reasoning_logprobs=(half,))
    fields = span_to_row(told, index=0, session=1)

    check("traces.row", {**fields, "key": "0" * 64}, {**span, "key": "0" * 64})
    check(
        "results.row",
        result_to_row(a_failed_result(output={"any": ["json"]}, metadata={"n": None}), session=1),
    )


def test_what_a_run_tells_of_itself_is_as_documented_and_is_read_as_it_was_written(
    tmp_path: Path,
) -> None:
    span = Range(low=1.0, likely=2.0, high=None)
    numbers: dict[str, Any] = {
        **dict.fromkeys(
            ("topics", "finished", "degraded", "failed", "open_topics", "in_flight", "places"), 3
        ),
        **dict.fromkeys(("maximum", "refusals", "calls", "tokens", "waiting"), 4),
        **dict.fromkeys(("elapsed_s", "paused_s", "cost", "unknown_cost"), 0.5),
    }
    seen = Snapshot(
        **numbers,
        hit_rate=None,
        tokens_per_s=7.5,
        paced=True,
        left=span,
        to_come=span,
        steps={"ask": 2},
        stages={"all": 1},
        oldest=tuple(
            InFlight(topic_id=f"t{n}", span_id="ask", age_s=1.0, tokens=5) for n in range(5)
        ),
        causes={"server 500": 2},
        failures=(Failing(topic_id="a", span_id=None, cause="blank", message="no", ago_s=1.0),),
        stopping="interrupted",
        endpoints=(
            EndpointStanding(
                name="local", in_flight=1, waiting=2, places=3, maximum=4, down="local down"
            ),
        ),
    )
    live = Live(at=datetime(2026, 12, 1, 3, 12, tzinfo=UTC), session=2, pid=4711, seen=seen)
    check("live", live_to_json(live))

    (tmp_path / "live.json").write_text(json.dumps(live_to_json(live)))
    assert read_live(tmp_path) == live


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"at": 7}'])
def test_a_damaged_word_of_a_run_is_told_from_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "live.json").write_text(text)
    with pytest.raises(ResultsError, match=r"live\.json: .*it may be removed"):
        read_live(tmp_path)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_has_a_meaning_in_words(name: str) -> None:
    def missing(schema: Any, path: str) -> list[str]:
        found = []
        for field, value in schema.get("properties", {}).items():
            if not ({"description", "$ref"} & value.keys() or value.get("properties")):
                found.append(f"{path}.{field}")
            found += missing(value, f"{path}.{field}")
        for field, value in schema.get("$defs", {}).items():
            found += missing(value, f"{path}.{field}")
        return found

    assert missing(SCHEMAS[name], name) == []


@pytest.mark.parametrize("table", ["responses", "calls", "answers"])
def test_every_column_of_the_cache_is_described(table: str) -> None:
    text = (DOCS / "formats.md").read_text()

    with closing(sqlite3.connect(":memory:")) as database:
        create(database)
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]

    assert len(columns) > 9
    assert [column for column in columns if f"`{column}`" not in text] == []


@pytest.mark.harness_virtual_time
async def test_every_field_of_a_cassette_is_described(tmp_path: Path) -> None:
    await run(tmp_path, a_topic_file(tmp_path, 1))
    cassette = io.BytesIO()
    async with CacheAdmin.open(tmp_path / "cache.db", clock=VirtualClock()) as admin:
        await admin.export(cassette)
    text = (DOCS / "formats.md").read_text()

    entries = [json.loads(line) for line in cassette.getvalue().splitlines()]
    assert len(entries) > 4
    for entry in entries:
        names = (*entry, *entry["completion"], *entry["completion"]["usage"])
        assert [name for name in names if f"`{name}`" not in text] == []
