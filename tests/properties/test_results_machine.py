"""A results directory under crashes: files cut at any byte, sessions without end, against a model
of what must be.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from records import a_failed_result, a_result, a_span

from harness.records.manifest import Manifest
from harness.records.results_dir import (
    RESULTS_FILE,
    TRACES_FILE,
    ResultsDir,
)
from harness.records.run import read_results, read_spans

TOPICS = 4


def describe(known: Manifest | None) -> dict[str, Any]:
    if known is not None:
        return dict(known.json)
    fresh = {"version": 1, "run_id": "run", "status": "running", "identity": {}, "settings": {}}
    return {**fresh, "dataset": {"topics": TOPICS}}


Row = tuple[int, str, int]
"""The session, the status and the number of calls of a topic's row."""


class ResultsMachine(RuleBasedStateMachine):
    """`rows` is the model: by topic, the session and the status of the row that counts, and how
    many calls it has.

    A crash may take any tail of the last write, and nothing of those before: the system holds them
    already.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.path = self.root / "run"
        self.rows: dict[int, Row] = {}
        self.results: ResultsDir | None = None
        self.last: tuple[list[tuple[int, Row | None]], dict[str, int]] | None = None

    def teardown(self) -> None:
        if self.results is not None:
            self.results.close()
        shutil.rmtree(self.root)

    @initialize()
    def begin(self) -> None:
        self.results = ResultsDir.create_or_continue(self.path, describe)
        self.results.begin()
        self.last = None

    @precondition(lambda self: self.results is not None)
    @rule(
        topics=st.dictionaries(
            st.integers(0, TOPICS - 1),
            st.tuples(st.booleans(), st.integers(0, 3), st.text(max_size=30)),
            min_size=1,
            max_size=4,
        )
    )
    def write(self, topics: dict[int, tuple[bool, int, str]]) -> None:
        """Topics that end at the same time."""
        assert self.results is not None
        session, sizes = self.results.session, self._sizes()
        group: list[tuple[int, Row | None]] = []
        writes = []
        for index, (ok, calls, text) in topics.items():
            before = self.rows.get(index)
            if before is not None and (before[1] == "ok" or before[0] == session):
                continue
            result = a_result(index, output=text) if ok else a_failed_result(index, topic=text)
            spans = [a_span(f"t{index}", f"call{number}", content=text) for number in range(calls)]
            group.append((index, before))
            writes.append(self.results.write(result, spans))
            self.rows[index] = (session, result.status, calls)

        async def write_together() -> None:
            await asyncio.gather(*writes)

        asyncio.run(write_together())
        self.last = (group, sizes)

    @precondition(lambda self: self.results is not None)
    @rule()
    def finish(self) -> None:
        assert self.results is not None
        self.results.finish()
        self.last = None
        raw = (
            (self.path / RESULTS_FILE).read_bytes() if (self.path / RESULTS_FILE).exists() else b""
        )
        assert len(raw.splitlines()) == len(self.rows)

    @precondition(lambda self: self.results is not None)
    @rule()
    def close_and_go_on(self) -> None:
        assert self.results is not None
        self.results.close()
        self.begin()

    @precondition(lambda self: self.results is not None)
    @rule(data=st.data())
    def crash_and_go_on(self, data: st.DataObject) -> None:
        """The process dies; of its last write the system holds a prefix: of the calls first, then
        of the rows.
        """
        assert self.results is not None
        self.results.close()
        if self.last is not None:
            group, sizes = self.last
            now = self._sizes()
            lost = data.draw(
                st.integers(0, sum(now.values()) - sum(sizes.values())), label="bytes lost"
            )
            of_the_rows = min(lost, now[RESULTS_FILE] - sizes[RESULTS_FILE])
            os.truncate(self.path / RESULTS_FILE, now[RESULTS_FILE] - of_the_rows)
            os.truncate(self.path / TRACES_FILE, now[TRACES_FILE] - (lost - of_the_rows))
            raw = (self.path / RESULTS_FILE).read_bytes()[sizes[RESULTS_FILE] :]
            for index, before in group[raw.count(b"\n") :]:
                self.rows.pop(index)
                if before is not None:
                    self.rows[index] = before
        self.begin()

    @invariant()
    def what_is_read_is_what_counts(self) -> None:
        if self.results is None:
            return
        found = {row["index"]: (row["session"], row["status"]) for row in read_results(self.path)}
        assert found == {index: row[:2] for index, row in self.rows.items()}
        calls: dict[int, int] = dict.fromkeys(self.rows, 0)
        for call in read_spans(self.path):
            calls[call["index"]] += 1
        assert calls == {index: row[2] for index, row in self.rows.items()}

    @invariant()
    def what_is_known_is_what_is_read(self) -> None:
        if self.results is None:
            return
        standing = self.results.standing
        assert standing.totals.rows == len(self.rows)
        assert standing.totals.calls == 2 * len(self.rows)
        assert standing.unfinished(TOPICS) == TOPICS - len(self.rows)
        finished = [index for index in range(TOPICS) if standing.state(index) in ("ok", "degraded")]
        assert finished == sorted(index for index, row in self.rows.items() if row[1] == "ok")

    @invariant()
    def no_line_is_torn_and_no_call_is_an_orphan(self) -> None:
        for name in (RESULTS_FILE, TRACES_FILE):
            raw = (self.path / name).read_bytes() if (self.path / name).exists() else b""
            assert raw == b"" or raw.endswith(b"\n")
            for line in raw.splitlines():
                row = json.loads(line)
                # A row of an earlier failure may stay until `finish`; a call of a topic without any
                # row never does.
                assert row["index"] in self.rows

    def _sizes(self) -> dict[str, int]:
        paths = {name: self.path / name for name in (RESULTS_FILE, TRACES_FILE)}
        return {name: path.stat().st_size if path.exists() else 0 for name, path in paths.items()}


TestResultsMachine = ResultsMachine.TestCase
TestResultsMachine.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
