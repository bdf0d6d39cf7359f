"""A process that is stopped for longer than its time-outs and continued: no call is given up for
that.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from processes import Server, ended, rows_of, started, until, write_topics

from harness.testing import FakeDeepSeek, Latency

pytestmark = pytest.mark.system

STOPPED_S = 4.0
RUN = (
    "run",
    "topics.jsonl",
    "--model",
    "deepseek-flash",
    "--out",
    "out",
    "-q",
    "-y",
    "--limit",
    "6",
)
TIMEOUTS = (
    "--first-token-timeout",
    "2",
    "--idle-timeout",
    "2",
    "--total-timeout",
    "3",
    "--base-url",
)


def test_a_run_that_was_stopped_and_continued_repeats_no_call(tmp_path: Path) -> None:
    write_topics(tmp_path, 6)
    with Server(FakeDeepSeek(latency=Latency.parse("fixed:1.2"), delta_tokens=50)) as server:
        process = started(tmp_path, *RUN, *TIMEOUTS, server.url)
        until(lambda: server.seen >= 12, process)  # the second wave is in flight
        process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        process.send_signal(signal.SIGCONT)
        code, said = ended(process)
        seen = server.seen

    assert code == 0, said
    calls = rows_of(tmp_path / "out" / "traces.jsonl")
    assert [call["served"]["failures"] for call in calls] == [[]] * len(calls)
    assert seen == len(calls)
