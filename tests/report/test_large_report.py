"""Ten thousand topics: the page lives at once, and so does each topic that is opened."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from browsers import Watched, address_of
from playwright.sync_api import expect
from report_runs import a_topic, write_run

from harness.records.run import Run
from harness.report.columns import Columns
from harness.report.digest import Digest

TOPICS = 10_000
INTERACTIVE_S = 4.0


def a_large_run(directory: Path) -> Path:
    """Copies of one topic under other names; made as text, as a run of this size is."""
    run = write_run(directory / "large", [a_topic(0, topic_id="TOPIC")])
    row, calls = ((run / f"{name}.jsonl").read_text() for name in ("results", "traces"))
    for name, text in (("results", row), ("traces", calls)):
        with (run / f"{name}.jsonl").open("w") as file:
            for index in range(TOPICS):
                renamed = text.replace("TOPIC", f"topic-{index:05}").replace(
                    '"index":0', f'"index":{index}'
                )
                file.write(renamed if index % 100 else failed(renamed))
    return run


def failed(row: str) -> str:
    """The same topic without success."""
    error = '{"type":"TopicFailed","kind":null,"message":"no","step":null,"status":null}'
    return row.replace('"status":"ok"', '"status":"failed"').replace(
        '"error":null', f'"error":{error}'
    )


def test_a_report_holds_some_hundred_bytes_of_a_topic_whatever_it_says(tmp_path: Path) -> None:
    long = "texts that nobody wants in memory " * 100
    run = write_run(tmp_path / "run", [a_topic(0, topic=long, output=long)])
    (topic,) = Run.open(run).topics()
    digest, held = Digest(), []
    with (tmp_path / "columns").open("w+b") as file:
        columns = Columns(file)
        tracemalloc.start()
        for count in range(1, 4_001):
            columns.add(digest.add(topic))
            if count in (1_000, 4_000):
                held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    # Two calls, three requests: 30 numbers of 8 bytes and 17 events of 10.
    assert (held[1] - held[0]) / 3_000 < 700


def test_ten_thousand_topics_are_there_within_seconds(
    watched: Watched, write: Callable[..., Path], tmp_path: Path
) -> None:
    file = write(a_large_run(tmp_path))
    began = time.monotonic()
    page = watched.open(address_of(file))
    expect(page.locator("#count")).to_have_text("10,000 topics")
    assert time.monotonic() - began < INTERACTIVE_S
    # Only what is near is drawn, and more of it as one goes down.
    assert page.locator(".topics tbody tr").count() < 500
    page.locator(".end").scroll_into_view_if_needed()
    expect(page.locator(".topics tbody tr").nth(150)).to_be_attached()
    page.fill("#search", "topic-0999")
    assert page.locator(".topics tbody tr").count() == 10
    page.fill("#search", "")
    page.click('[data-status="failed"]')
    expect(page.locator("#count")).to_have_text("100 of 10,000 topics")
    page.goto(address_of(file, "#topic=topic-09999"))
    expect(page.locator("#topic .call")).to_have_count(2)
    assert watched.quiet()
