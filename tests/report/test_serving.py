"""The view's server, asked over its socket."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from report_runs import a_failed_topic, a_topic, append, append_calls, append_row, write_run
from yarl import URL

from harness.report.serving import serve_view

LOOK_S = 0.01


@asynccontextmanager
async def viewed(root: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    async with serve_view(root, look_s=LOOK_S) as address, aiohttp.ClientSession() as client:
        yield client, address


def data_of(html: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">([^<]*)</script>', html)
    assert found is not None
    return json.loads(found[1])


def bytes_in(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_run(tmp_path / "runs" / "first", [a_topic(0), a_failed_topic(1)])
    write_run(tmp_path / "runs" / "second", [a_topic(0)])
    return tmp_path / "runs"


async def test_without_the_token_nothing_is_answered(runs: Path) -> None:
    async with viewed(runs) as (client, address):
        origin, token = address.rstrip("/").rsplit("/", 1)
        assert len(token) >= 32
        guesses = [
            f"{origin}/",
            f"{origin}/{token[:-1]}/",
            f"{origin}/{token}x/",
            f"{origin}/run/first/",
            f"{origin}/data.json",
        ]
        for guess in guesses:
            async with client.get(guess) as answer:
                assert answer.status == 403
                assert "first" not in await answer.text()


async def test_every_view_has_a_token_of_its_own(runs: Path) -> None:
    async with serve_view(runs) as one, serve_view(runs) as other:
        assert one.rsplit("/", 2)[1] != other.rsplit("/", 2)[1]


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "169.254.0.1:80"])
async def test_a_page_of_another_host_cannot_reach_it(runs: Path, host: str) -> None:
    async with (
        viewed(runs) as (client, address),
        client.get(address, headers={"Host": host}) as answer,
    ):
        assert answer.status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_it_only_reads(runs: Path, method: str) -> None:
    before = bytes_in(runs)
    async with viewed(runs) as (client, address):
        for place in ("", "run/first/", "run/first/topic/0"):
            async with client.request(method, address + place) as answer:
                assert answer.status == 405
    assert bytes_in(runs) == before


@pytest.mark.parametrize(
    "place",
    ["run/third/", "run/..%2F/", "run/%2e%2e/", "run/first/topic/77", "compare/first/third/", "x"],
)
async def test_what_is_not_there_is_not_found(runs: Path, place: str) -> None:
    async with (
        viewed(runs) as (client, address),
        client.get(URL(address + place, encoded=True)) as answer,
    ):
        assert answer.status in (403, 404)


async def test_the_list_tells_of_each_run(runs: Path) -> None:
    async with viewed(runs) as (client, address), client.get(address) as answer:
        listed = {run["name"]: run for run in data_of(await answer.text())["runs"]}
    assert listed["first"]["failed"] == 1
    assert listed["second"]["state"]["word"] == "complete"


async def test_a_page_and_its_topics(runs: Path) -> None:
    async with viewed(runs) as (client, address):
        async with client.get(f"{address}run/first/") as answer:
            page = data_of(await answer.text())
            assert "no-store" in answer.headers["Cache-Control"]
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert [row["id"] for row in page["window"]["rows"]] == ["t0", "t1"]
        async with client.get(f"{address}run/first/{page['runs'][0]['base']}topic/1") as answer:
            assert (await answer.json())["error"]["kind"] == "server"


async def test_two_runs_on_one_page_keep_their_own_topics(runs: Path) -> None:
    async with viewed(runs) as (client, address):
        place = f"{address}compare/second/first/"
        async with client.get(place) as answer:
            page = data_of(await answer.text())
        assert [run["name"] for run in page["runs"]] == ["second", "first"]
        for run in page["runs"]:
            async with client.get(f"{place}{run['base']}topic/0") as answer:
                assert (await answer.json())["id"] == "t0"


async def test_a_page_is_sent_the_lines_that_it_draws(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "many", [a_topic(index) for index in range(300)])
    async with viewed(tmp_path / "runs") as (client, address):
        place = f"{address}run/many/"
        async with client.get(place) as answer:
            window = data_of(await answer.text())["window"]
        assert [row["id"] for row in window["rows"]] == [f"t{index}" for index in range(100)]
        assert window["counts"] == {"all": 300, "ok": 300}
        asked = "rows.json?from=10&most=2&sort=id&down=1&words=t1"
        async with client.get(place + asked) as answer:
            found = await answer.json()
        # t1, t10 to t19 and t100 to t199, from the last.
        assert (found["wanted"], [row["id"] for row in found["rows"]]) == (111, ["t189", "t188"])


async def test_only_what_changed_is_sent_again(runs: Path) -> None:
    async with viewed(runs) as (client, address):
        place = f"{address}run/second/"
        tags = {}
        async with client.get(f"{place}rows.json?most=9") as answer:
            tags["rows.json?most=9"] = answer.headers["ETag"]
        async with client.get(f"{place}data.json") as answer:
            tags["data.json"] = answer.headers["ETag"]
            known = (await answer.json())["runs"][0]["made"]
        for name, tag in tags.items():
            async with client.get(place + name, headers={"If-None-Match": tag}) as answer:
                assert (answer.status, await answer.read()) == (304, b"")
        async with client.get(f"{place}data.json?have={known}") as answer:
            (run,) = (await answer.json())["runs"]
            assert not {"series", "steps", "shares", "time", "attempts"} & run.keys()
            assert run["totals"]["ok"] == 1
        append(runs / "second", [a_topic(1)])
        for name, tag in tags.items():
            async with client.get(place + name, headers={"If-None-Match": tag}) as answer:
                assert answer.status == 200
        async with client.get(f"{place}rows.json?most=1") as answer:
            tag = (await answer.json())["tag"]
        append(runs / "second", [a_topic(2)])
        async with client.get(f"{place}rows.json?most=1&have={tag}") as answer:
            # The first line is as it was, and there are more of them.
            found = await answer.json()
            assert ("rows" in found, found["counts"]["all"]) == (False, 3)
        async with client.get(f"{place}rows.json?most=2&have={tag}") as answer:
            assert [row["id"] for row in (await answer.json())["rows"]] == ["t0", "t1"]
        async with client.get(f"{place}data.json?have={known}") as answer:
            (run,) = (await answer.json())["runs"]
            assert [step["calls"] for step in run["steps"]] == [3, 3]


async def test_a_topic_is_found_by_its_id(runs: Path) -> None:
    async with viewed(runs) as (client, address):
        async with client.get(f"{address}run/first/topic.json?id=t1") as answer:
            found = await answer.json()
        assert (found["row"]["id"], found["before"], found["after"]) == ("t1", "t0", None)
        async with client.get(f"{address}run/first/topic.json?id=t7") as answer:
            assert await answer.json() is None


@pytest.mark.parametrize("query", ["sort=x", "status=x", "run=1", "cause=1", "run=1;DROP"])
async def test_a_query_that_no_page_asks_is_not_answered(runs: Path, query: str) -> None:
    async with (
        viewed(runs) as (client, address),
        client.get(f"{address}run/first/rows.json?{query}") as answer,
    ):
        assert answer.status == 404


async def test_a_large_run_is_there_at_once_and_events_tell_when_more_of_it_is_read(
    tmp_path: Path,
) -> None:
    """The page comes after one slice; nobody but its events reads the rest."""
    many = 3_000
    write_run(tmp_path / "runs" / "large", [a_topic(index) for index in range(many)])
    async with viewed(tmp_path / "runs") as (client, address):
        place = f"{address}run/large/"
        async with client.get(place) as answer:
            since = data_of(await answer.text())["events"]
        async with client.get(place + since) as events, asyncio.timeout(60):
            reading: float | None = 0.0
            while reading is not None:
                await next_event(events.content)
                async with client.get(f"{place}data.json") as answer:
                    (run,) = (await answer.json())["runs"]
                reading = run["reading"]
        assert run["totals"]["ok"] == many
        assert [step["calls"] for step in run["steps"]] == [many, many]


async def test_a_run_that_is_damaged_is_told_of_and_the_others_are_shown(runs: Path) -> None:
    (runs / "second" / "results.jsonl").write_text("not a row\n")
    async with viewed(runs) as (client, address):
        async with client.get(address) as answer:
            listed = {run["name"]: run for run in data_of(await answer.text())["runs"]}
        assert "results.jsonl:1: not a row" in listed["second"]["problem"]
        assert "problem" not in listed["first"]
        async with client.get(f"{address}run/second/") as answer:
            assert answer.status == 409
            assert "not a row" in await answer.text()


async def next_event(stream: aiohttp.StreamReader) -> str:
    async with asyncio.timeout(5):
        while not (line := (await stream.readline()).decode()).startswith("event:"):
            assert line, "the stream has ended"
        return line.strip()


async def test_a_change_is_told_once_and_the_data_have_it(runs: Path) -> None:
    topic = a_topic(1)
    append_calls(runs / "second", topic)
    async with viewed(runs) as (client, address):
        async with client.get(f"{address}run/second/") as answer:
            since = data_of(await answer.text())["events"]
        async with client.get(f"{address}run/second/{since}") as events:
            # A look between the writes to two files would see two changes: this is one.
            append_row(runs / "second", topic)
            assert await next_event(events.content) == "event: changed"
            async with client.get(f"{address}run/second/rows.json?most=9") as answer:
                assert [row["id"] for row in (await answer.json())["rows"]] == ["t0", "t1"]
            quiet = asyncio.ensure_future(next_event(events.content))
            await asyncio.wait([quiet], timeout=10 * LOOK_S)
            assert not quiet.done()
            quiet.cancel()


async def test_what_changed_before_the_page_listens_is_told(runs: Path) -> None:
    async with viewed(runs) as (client, address):
        async with client.get(f"{address}run/second/") as answer:
            since = data_of(await answer.text())["events"]
        append(runs / "second", [a_topic(1)])
        async with client.get(f"{address}run/second/{since}") as events:
            assert await next_event(events.content) == "event: changed"


async def test_a_run_that_begins_appears_in_the_list(tmp_path: Path) -> None:
    async with viewed(tmp_path) as (client, address):
        async with client.get(address) as answer:
            listed = data_of(await answer.text())
        assert listed["runs"] == []
        async with client.get(address + listed["events"]) as events:
            write_run(tmp_path / "new", [a_topic(0)])
            assert await next_event(events.content) == "event: changed"


async def test_a_single_run_can_be_viewed_alone(runs: Path) -> None:
    async with viewed(runs / "first") as (client, address), client.get(address) as answer:
        assert [run["name"] for run in data_of(await answer.text())["runs"]] == ["first"]


async def test_the_view_ends_while_pages_listen(runs: Path) -> None:
    async with aiohttp.ClientSession() as client:
        async with asyncio.timeout(5):
            async with serve_view(runs, look_s=LOOK_S) as address:
                events = await client.get(f"{address}events")
                await events.content.readline()
        events.close()
