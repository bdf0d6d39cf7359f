"""What the cache costs, as a ratio to SQLite without us. `python benchmarks/cache.py`

Hits: calls with distinct keys out of a filled cache, many at a time, against a bare `sqlite3`
SELECT by key plus `json.loads` of the same rows. Target for the whole stack: at most 6 times its
CPU; aim: 3 times. Writes: a call announced and resolved, many at a time (group commit), against the
same one by one. Choices: what the layout of the table and a compression of the values would change.

CPU of the whole process, both threads; medians of interleaved rounds, so that a busy machine
disturbs all alike. To enter another stack, add a contestant to `compare_hits`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import tempfile
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from harness.cache.sqlite_cache import SqliteCache
from harness.diffs.misses import explain
from harness.domain.call import Call
from harness.domain.completion import Completion, Message, Request, Served, Usage
from harness.domain.key import cache_key
from harness.domain.policy import CachePolicy
from harness.domain.run import Topic
from harness.domain.step_options import StepOptions
from harness.engine.cached import Cached
from harness.engine.leased_keys import LeasedKeys
from harness.engine.step import RunContext, Step
from harness.engine.stopping import Stop
from harness.engine.trace import Trace
from harness.ports import OpenCall, Resolution

WORDS = (
    "scattering",
    "of",
    "light",
    "by",
    "small",
    "particles",
    "grows",
    "with",
    "frequency",
    "and",
    "so",
    "on",
)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT_ONCE = 64
CALLS_PER_TOPIC = 5


SYSTEM = "You are a careful research assistant. Answer in paragraphs. " * 4
MODEL = "deepseek-flash"

Serve = Callable[[Sequence[int]], Awaitable[None]]
"""Answers the requests of these numbers, whichever way; this is what is timed."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def prompt(index: int) -> str:
    return f"Question {index}: why is the sky blue, and when is it not?"


def a_request(index: int) -> Request:
    messages = (Message(role="system", content=SYSTEM), Message(role="user", content=prompt(index)))
    return Request(
        endpoint="mock", model=MODEL, messages=messages, max_tokens=16_384, thinking=True
    )


def an_answer(seed: int) -> Completion:
    """Some 4 KB: a paragraph of reasoning, three of answer."""
    text = " ".join(random.Random(seed).choices(WORDS, k=600))
    usage = Usage(input_tokens=90, output_tokens=800, reasoning_tokens=200)
    served = Served(ttft_reasoning_s=0.4, ttft_answer_s=4.5, latency_s=17.25)
    return Completion(
        model=MODEL, content=text[1000:], reasoning=text[:1000], finish_reason="stop", usage=usage,
        fingerprint="aeb56401ca74e127821c4f9126dcb669", cost=0.0005, owner="run/topic/1", served=served,
    )  # fmt: skip


ANSWERS = [an_answer(seed) for seed in range(100)]


async def store(cache: SqliteCache, index: int) -> None:
    request = a_request(index)
    call = Call(run_id="bench", topic_id=str(index), span_id="1")
    entry = OpenCall(
        key=cache_key(request), call=call, opened_at=NOON, cost_at_most=0.01, tokens_at_most=20_000
    )
    number = await cache.open_call(request, entry)
    completion = ANSWERS[index % len(ANSWERS)]
    await cache.resolve(
        number,
        Resolution(
            outcome="stored", closed_at=NOON, cost=0.0005, tokens=890, completion=completion
        ),
    )


async def spread(
    work: Callable[[int], Awaitable[object]], indexes: Iterable[int], *, at_once: int
) -> None:
    """`work` on every index, `at_once` at a time, each worker taking the next."""
    source = iter(indexes)

    async def worker() -> None:
        for index in source:
            await work(index)

    await asyncio.gather(*(worker() for _ in range(at_once)))


def bare_sqlite(connection: sqlite3.Connection, rows: int) -> Serve:
    """The floor: nothing but the row and its JSON. The keys are at hand."""
    keys = [cache_key(a_request(index)) for index in range(rows)]

    async def serve(indexes: Sequence[int]) -> None:
        for index in indexes:
            row = connection.execute(
                "SELECT value FROM responses WHERE key = ?", (keys[index],)
            ).fetchone()
            json.loads(row[0])

    return serve


def cache_get(cache: SqliteCache) -> Serve:
    """The adapter: request built, key computed, row found, digest and request checked, completion
    built.
    """

    async def one(index: int) -> None:
        request = a_request(index)
        if await cache.get(cache_key(request), request) is None:
            raise AssertionError(f"request {index} was stored and is not found")

    return lambda indexes: spread(one, indexes, at_once=AT_ONCE)


class NothingBelow:
    """Where the layers under the cache would be. No hit comes here."""

    async def complete(self, request: Request, call: Call) -> Completion:
        raise AssertionError("a stored request was not answered by the cache")


def cached(cache: SqliteCache) -> Cached:
    policy = CachePolicy()
    return Cached(
        NothingBelow(),
        cache,
        policy,
        SystemClock(),
        LeasedKeys(cache, policy, Stop(), random.Random(1)),
        explain,
    )


def cached_layer(cache: SqliteCache) -> Serve:
    """The same through the engine's outermost layer: single flight, policy."""
    layer = cached(cache)
    call = Call(run_id="again", topic_id="t", span_id="s")
    return lambda indexes: spread(
        lambda index: layer.complete(a_request(index), call), indexes, at_once=AT_ONCE
    )


def whole_stack(cache: SqliteCache) -> Serve:
    """The same as a workflow asks: options resolved, request built, span written."""
    layer = cached(cache)
    defaults = StepOptions(model=MODEL, max_tokens=16_384, thinking=True)
    context = RunContext(run_id="again", endpoint="mock", workflow="bench", defaults=defaults)

    async def serve(indexes: Sequence[int]) -> None:
        steps: list[Step] = []

        async def one(place: int) -> None:
            if place % CALLS_PER_TOPIC == 0:
                topic, trace = Topic(id=str(place), text=""), Trace(on_span=lambda _: None)
                steps.append(Step(topic=topic, context=context, completer=layer, trace=trace))
            await steps[-1].complete("ask", prompt(indexes[place]), system=SYSTEM)

        await spread(one, range(len(indexes)), at_once=AT_ONCE)

    return serve


async def compare_hits(path: Path, *, rows: int, calls: int, rounds: int) -> None:
    draw = random.Random(1)
    with closing(sqlite3.connect(path)) as connection:
        async with SqliteCache.open(path) as cache:
            contestants = {
                "sqlite3 SELECT + json.loads": bare_sqlite(connection, rows),
                "SqliteCache.get": cache_get(cache),
                "the cache layer": cached_layer(cache),
                "the whole stack (Step.complete)": whole_stack(cache),
            }
            micros: dict[str, list[float]] = {name: [] for name in contestants}
            for _ in range(rounds):
                chosen = draw.sample(range(rows), calls)
                for name, serve in contestants.items():
                    began = time.process_time()
                    await serve(chosen)
                    micros[name].append((time.process_time() - began) / calls * 1e6)
    print(
        f"\nHits, {calls:,} distinct keys of {rows:,} rows, {AT_ONCE} at a"
        f" time\n{'':34}{'µs CPU':>9}{'ratio':>8}"
    )
    floor = statistics.median(next(iter(micros.values())))
    for name, figures in micros.items():
        print(
            f"  {name:32}{statistics.median(figures):9.1f}{statistics.median(figures) / floor:8.2f}"
        )


async def compare_writes(directory: Path, *, calls: int, rounds: int) -> None:
    widths = (1, 16, AT_ONCE, 256)
    figures: dict[int, list[tuple[float, float]]] = {width: [] for width in widths}
    async with SqliteCache.open(directory / "writes.db") as cache:
        number = 0
        for _ in range(rounds):
            for width in widths:
                count = calls // 20 if width == 1 else calls
                cpu, wall = time.process_time(), time.perf_counter()
                await spread(
                    lambda index: store(cache, index), range(number, number + count), at_once=width
                )
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                figures[width].append((cpu / count * 1e6, wall / count * 1e6))
                number += count
    print(f"\nWrites: open_call + resolve, durable{'':10}\n{'':34}{'µs CPU':>9}{'µs wall':>9}")
    for width, pairs in figures.items():
        cpu, wall = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"  {f'{width} at a time':32}{cpu:9.1f}{wall:9.1f}")


def compare_choices(path: Path, directory: Path, *, calls: int, rounds: int) -> None:
    """The same values in other layouts; each is read by key and parsed."""
    with closing(sqlite3.connect(path)) as source:
        values = source.execute("SELECT key, request, value FROM responses").fetchall()
    keys = [key for key, _, _ in values]
    columns = "key TEXT NOT NULL, request TEXT NOT NULL, value NOT NULL"
    layouts: list[tuple[str, str, Callable[[bytes], bytes], Callable[[bytes], bytes]]] = [
        (
            "rowid, plain",
            f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns}, UNIQUE (key))",
            bytes,
            bytes,
        ),
        (
            "WITHOUT ROWID, plain",
            f"CREATE TABLE t ({columns}, PRIMARY KEY (key)) WITHOUT ROWID",
            bytes,
            bytes,
        ),
        *(
            (
                f"rowid, zlib level {level}",
                f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns}, UNIQUE (key))",
                lambda value, level=level: zlib.compress(value, level),
                zlib.decompress,
            )
            for level in (1, 6)
        ),
    ]
    print(f"\nChoices, bare sqlite3\n{'':34}{'µs read':>9}{'µs write':>9}{'MB':>8}")
    for name, ddl, pack, unpack in layouts:
        file = directory / f"{name}.db"
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(ddl)
            began = time.process_time()
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO t (key, request, value) VALUES (?, ?, ?)",
                ((key, request, pack(value.encode())) for key, request, value in values),
            )
            connection.execute("COMMIT")
            write = (time.process_time() - began) / len(values) * 1e6
            reads = []
            for _ in range(rounds):
                sample = random.Random(1).sample(keys, calls)
                began = time.process_time()
                for key in sample:
                    (value,) = connection.execute(
                        "SELECT value FROM t WHERE key = ?", (key,)
                    ).fetchone()
                    json.loads(unpack(value))
                reads.append((time.process_time() - began) / calls * 1e6)
        print(
            f"  {name:32}{statistics.median(reads):9.1f}{write:9.1f}{file.stat().st_size / 1e6:8.1f}"
        )


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        path = directory / "cache.db"
        async with SqliteCache.open(path) as cache:
            await spread(lambda index: store(cache, index), range(options.rows), at_once=256)
        await compare_hits(path, rows=options.rows, calls=options.calls, rounds=options.rounds)
        await compare_writes(directory, calls=options.calls, rounds=min(options.rounds, 3))
        compare_choices(path, directory, calls=options.calls, rounds=options.rounds)


if __name__ == "__main__":
    asyncio.run(main())
