"""An account that is refused in the middle of a run: it stops at once; once that is mended only the
rest is paid.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from processes import Server, done, ended, rows_of, started, until, write_topics

from harness.testing import FakeDeepSeek, Fault, FaultPlan, Latency

pytestmark = pytest.mark.system

TOPICS = 20
AT_ONCE_S = 0.3
RUN = (
    "run",
    "topics.jsonl",
    "--model",
    "deepseek-flash",
    "--out",
    "out",
    "--runs",
    "10",
    "-y",
    "-q",
    "--base-url",
)


def refuse(fake: FakeDeepSeek, how: str) -> None:
    match how:
        case "402":
            fake.balance_usd = 0.0
        case _:
            fake.faults = FaultPlan.always(Fault(how))


def mend(fake: FakeDeepSeek) -> None:
    fake.balance_usd = 100.0
    fake.faults = FaultPlan()


@pytest.mark.parametrize("how", ["401", "402", "403", "insufficient-quota"])
def test_nothing_is_sent_after_the_refusal_and_after_it_is_mended_only_the_rest_is_paid(
    how: str, tmp_path: Path
) -> None:
    write_topics(tmp_path, TOPICS)
    fake = FakeDeepSeek(latency=Latency.parse("uniform:0.05:0.4"), delta_tokens=50)
    with Server(fake) as server:
        process = started(tmp_path, *RUN, server.url)
        until(lambda: server.seen > 30, process)
        refuse(server.fake, how)
        code, said = ended(process)

        log = list(server.fake.log)
        refused_at = min(logged.at_s for logged in log if logged.status != 200)
        assert code == 3, said
        assert "stopped" in said
        assert "harness resume out" in said
        assert max(logged.at_s for logged in log) <= refused_at + AT_ONCE_S

        mend(server.fake)
        code, said = done(tmp_path, "resume", "out", "-q")
        assert code == 0, said
        paid = Counter(logged.digest for logged in server.fake.log if logged.status == 200)

    rows = rows_of(tmp_path / "out" / "results.jsonl")
    assert {row["status"] for row in rows} == {"ok"}
    assert len(rows) == TOPICS
    # Every question was answered once, before the refusal or after it.
    assert set(paid.values()) == {1}
    assert len(paid) == sum(row["calls"] for row in rows)
