"""One topic and one call through every layer in bad weather, and what is left of it; for the
weather table.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from batches import a_workflow, rows_of, run
from processes import journal

from harness.runs.session import Report
from harness.testing import FakeDeepSeek, FakeTransport, FaultPlan, VirtualClock

ATTEMPTS = 6
FIRST_TOKEN_S, IDLE_S, TOTAL_S = 90.0, 60.0, 600.0


@dataclass(frozen=True)
class Weathered:
    """What is left of a run of one call."""

    report: Report
    sent: int
    row: dict[str, Any] | None
    failures: list[dict[str, Any]]
    answers_kept: int
    journal: list[tuple[str, str | None]]
    logged: list[logging.LogRecord]
    took_s: float

    @property
    def kinds(self) -> set[str]:
        return {failure["kind"] for failure in self.failures}


async def weathered(
    directory: Path, caplog: pytest.LogCaptureFixture, transport: Sending, *, stream: bool
) -> Weathered:
    """Run one topic through whatever `transport` brings, and check what holds in any weather."""
    topics = directory / "topics.jsonl"
    topics.write_text('{"id": "one", "topic": "Why is the sky blue? 瑞利散射"}\n')
    caplog.set_level(logging.INFO, logger="harness.retry")
    began_s = asyncio.get_running_loop().time()
    report = await run(
        directory,
        topics,
        transport=transport,
        workflow=a_workflow(directory),
        attempts=ATTEMPTS,
        patience=0.0,
        stream=stream,
        first_token_timeout=FIRST_TOKEN_S,
        idle_timeout=IDLE_S,
        total_timeout=TOTAL_S,
    )
    with journal(directory / "cache.db") as database:
        kept = database.execute("SELECT count(*) FROM responses").fetchone()[0]
        calls = database.execute("SELECT outcome, error FROM calls ORDER BY id").fetchall()
    rows, spans = rows_of(directory), rows_of(directory, "traces")
    found = Weathered(
        report=report,
        sent=transport.sent,
        row=rows[0] if rows else None,
        failures=[failure for span in spans for failure in span["served"]["failures"]],
        answers_kept=kept,
        journal=calls,
        logged=[record for record in caplog.records if record.name == "harness.retry"],
        took_s=asyncio.get_running_loop().time() - began_s,
    )
    assert found.sent == len(found.journal) <= ATTEMPTS
    assert report.spent.open_calls == 0
    assert not any(state == "open" for state, _ in found.journal)
    # Each attempt that failed is logged with its cause, under the ids by which it is found.
    failed = [error for state, error in found.journal if state == "failed"]
    assert len(found.logged) == len(failed)
    for record, error in zip(found.logged, failed, strict=True):
        assert error is not None
        assert error.partition(":")[0] in record.getMessage()
        assert (record.run_id, record.topic_id) == (report.run_id, "one")  # type: ignore[attr-defined]
    # Nothing but a whole answer is ever kept.
    assert found.answers_kept == (1 if found.row is not None and found.row["status"] == "ok" else 0)
    return found


class Sending(httpx2.AsyncBaseTransport):
    """The fake behind a counter."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self.sent = 0
        self._fake = FakeTransport(
            FakeDeepSeek(faults=plan or FaultPlan(), delta_tokens=50, clock=VirtualClock())
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent += 1
        return await self._fake.handle_async_request(request)


Piece = bytes | float | Exception
"""Bytes to send, seconds of silence, or how the connection ends."""


@dataclass
class Reply:
    """A reply as no well-behaved server sends it; an exception in `before` comes instead of it."""

    pieces: Sequence[Piece] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    before: Piece | None = None


class Squall(Sending):
    """One odd reply, once or for ever, and then the fake."""

    def __init__(self, reply: Reply, *, times: int) -> None:
        super().__init__()
        self._reply = reply
        self._times = times

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.sent >= self._times:
            return await super().handle_async_request(request)
        self.sent += 1
        if self._reply.before is not None:
            await _happen(self._reply.before)
        return httpx2.Response(
            self._reply.status, headers=self._reply.headers, stream=_Body(self._reply.pieces)
        )


class _Body(httpx2.AsyncByteStream):
    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                await _happen(piece)


async def _happen(piece: Piece) -> None:
    if isinstance(piece, Exception):
        raise piece
    assert isinstance(piece, float)
    await asyncio.sleep(piece)
