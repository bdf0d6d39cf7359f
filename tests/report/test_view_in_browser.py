"""The view in a real browser: a run is followed from its first topic to its end."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browsers import Watched, address_of
from playwright.sync_api import Browser, Page, expect
from processes import started
from report_runs import Told, a_failed_topic, a_topic, append, write_run

from harness.records.directory_lock import DirectoryLock
from harness.runs.live_file import Live, live_to_json
from harness.runs.snapshot import Snapshot

A_MOMENT = Live(
    at=datetime(2026, 12, 1, 3, 12, tzinfo=UTC),
    session=1,
    pid=4711,
    seen=Snapshot(
        topics=3, finished=0, degraded=0, failed=0, open_topics=3, elapsed_s=1.0, in_flight=0, places=8, maximum=8,
        refusals=0, paused_s=0.0, calls=0, hit_rate=None, tokens_per_s=None, cost=0.0, unknown_cost=0.0, tokens=0,
    ),
)  # fmt: skip


@contextmanager
def view_of(directory: Path) -> Iterator[str]:
    """`harness view` as a process; its address. Ctrl-C ends it, and it ends well."""
    with started(directory, "view", str(directory)) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:\d+/\S+/", process.stdout.readline())
            assert found is not None
            yield found[0]
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with view_of(root) as found:
        yield found


def test_a_run_is_followed_to_its_end(watched: Watched, address: str, root: Path) -> None:
    page = watched.open(address)
    expect(page.locator("#home")).to_contain_text("There is no run in this directory yet")
    dataset = {"path": "x", "kept": None, "sha256": "0", "topics": 3}
    run = write_run(root / "tonight", [], status="running", dataset=dataset, session_log=[])
    lock = DirectoryLock.take(run)
    page.get_by_role("link", name="tonight").click()
    expect(page.locator("#state-A")).to_have_text("running")
    expect(page.locator("#topics")).to_contain_text("No topic is finished yet.")
    page.locator('[data-status="all"]').focus()
    append(run, [a_topic(0), a_topic(1)])
    expect(page.locator("#count")).to_have_text("2 topics")
    expect(page.locator("button:focus")).to_have_attribute("data-status", "all")
    page.fill("#search", "t1")
    page.get_by_role("link", name="t1", exact=True).click()
    expect(page.locator("#topic .prose strong").first).to_have_text("so")
    append(run, [a_topic(2)])
    page.keyboard.press("Escape")
    expect(page.locator("#count")).to_have_text("1 of 3 topics")
    assert page.input_value("#search") == "t1"
    manifest = json.loads((run / "run.json").read_text())
    log = [{"wall_s": 9.0, "places": [[0, 4]], "stop": None}]
    (run / "run.json").write_text(
        json.dumps({**manifest, "status": "complete", "session_log": log})
    )
    lock.release()
    expect(page.locator("#state-A")).to_have_text("complete")
    # The view outlives the run.
    page.reload()
    expect(page.locator("#count")).to_have_text("3 topics")
    assert watched.quiet(address.rsplit("/", 2)[0])


def test_a_run_that_waits_for_its_provider_says_so_until_it_is_back(
    watched: Watched, address: str, root: Path
) -> None:
    run = write_run(root / "waiting", [a_topic(0)], status="running", session_log=[])
    lock = DirectoryLock.take(run)

    def tell(down: str | None) -> None:
        (run / "live.json").write_text(
            json.dumps(live_to_json(replace(A_MOMENT, seen=replace(A_MOMENT.seen, down=down))))
        )

    tell(None)
    page = watched.open(f"{address}run/waiting/")
    expect(page.locator("#state-A")).to_have_text("running")
    tell("provider down since 03:12, 9 probes, next look in 40 s: \x1b[2Jrefused")
    expect(page.locator("#state-A")).to_have_text("running, waiting for the provider")
    expect(page.locator(".said")).to_have_text(
        "provider down since 03:12, 9 probes, next look in 40 s: \\x1b[2Jrefused"
    )
    tell(None)
    expect(page.locator("#state-A")).to_have_text("running")
    (run / "live.json").write_text("{")
    page.reload()
    expect(page.locator("#state-A")).to_have_text("running")
    lock.release()


def test_a_real_run_is_seen_while_it_goes_on_and_when_it_has_ended(
    watched: Watched, address: str, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "topics.jsonl").write_text(
        "".join(
            json.dumps({"id": f"t{index}", "topic": f"Invention number {index}"}) + "\n"
            for index in range(8)
        )
    )
    arguments = [
        "run",
        "topics.jsonl",
        "--endpoint",
        "mock",
        "--latency",
        "fixed:0.15",
        "--runs",
        "1",
        "-q",
    ]
    page = watched.open(address)
    with started(
        tmp_path, *arguments, "--out", str(root / "real"), "--cache", "cache.db"
    ) as process:
        page.get_by_role("link", name="real").click()
        expect(page.locator("#state-A")).to_have_text("running")
        assert process.wait(30) == 0
    expect(page.locator("#state-A")).to_have_text("complete")
    expect(page.locator("#count")).to_have_text("8 topics")
    page.goto(f"{page.url.split('#')[0]}#topic=t3&call=synthesize")
    expect(page.locator(".call[open] .call-id")).to_have_text("synthesize")
    assert watched.quiet(address.rsplit("/", 2)[0])


def test_two_runs_are_chosen_and_compared(watched: Watched, address: str, root: Path) -> None:
    write_run(root / "old", [a_topic(0), a_topic(1)])
    write_run(root / "new", [a_topic(0), a_topic(1, output="other")])
    page = watched.open(address)
    for name in ("old", "new"):
        page.get_by_label(f"Compare {name}").focus()
        page.keyboard.press("Space")
        expect(page.locator("input:focus")).to_have_attribute("aria-label", f"Compare {name}")
    page.get_by_role("link", name="Compare old and new").click()
    expect(page.locator(".topics tbody tr td:last-child")).to_have_text(["same", "differs"])
    page.get_by_role("link", name="t1", exact=True).click()
    expect(page.locator('article[data-run="B"] .prose').first).to_have_text("other")
    assert watched.quiet(address.rsplit("/", 2)[0])


def test_a_page_whose_run_was_deleted_says_so_and_keeps_what_it_knew(
    browser: Browser, address: str, root: Path
) -> None:
    run = write_run(root / "deleted", [a_topic(0)])
    page = browser.new_page()
    page.goto(f"{address}run/deleted/")
    expect(page.locator("#count")).to_have_text("1 topic")
    shutil.rmtree(run)
    expect(page.locator(".offline")).to_contain_text("The run's directory is gone")
    expect(page.locator("#count")).to_have_text("1 topic")
    page.close()


def test_a_page_whose_view_has_ended_says_so_and_keeps_what_it_knew(
    watched: Watched, tmp_path: Path
) -> None:
    write_run(tmp_path / "runs" / "one", [a_topic(0)])
    with view_of(tmp_path / "runs") as address:
        page = watched.open(f"{address}run/one/")
        expect(page.locator(".offline")).to_be_hidden()
    expect(page.locator(".offline")).to_contain_text("The view has ended")
    expect(page.locator("#count")).to_have_text("1 topic")


def odd_lines() -> list[Told]:
    """Topics whose order is not that of their text, or of anything else."""
    ids = ["t10", "t9", "T2", "\u00e9clair", "zoo", "10", "9", "t1"]
    costs = [0.5, None, 0.25, 0.5, 2.0, 0.0, None, 1.0]
    topics = []
    for index, (topic_id, cost) in enumerate(zip(ids, costs, strict=True)):
        make = a_failed_topic if index % 3 == 2 else a_topic
        topics.append(make(index, topic_id=topic_id, cost=cost, elapsed_s=float(index % 4)))
    return topics


def lines_of(page: Page) -> list[str]:
    return page.locator(".topics tbody th a").all_inner_texts()


def test_the_view_sorts_and_filters_as_the_page_of_a_file_does(
    watched: Watched, address: str, root: Path, write: Callable[..., Path]
) -> None:
    run = write_run(root / "odd", odd_lines())
    heads = ["Topic", "Status", "Cost", "Time", "Calls", "Retries", "Tokens out"]
    found: dict[str, list[list[str]]] = {}
    for name, place in (("file", address_of(write(run))), ("view", f"{address}run/odd/")):
        page = watched.open(place)
        found[name] = [lines_of(page)]
        for head in heads:
            button = page.locator(".topics thead button", has_text=head)
            for direction in ("first", "second"):
                button.click()
                expect(page.locator(".topics thead [aria-sort]")).to_contain_text(head)
                expect(page.locator(".topics thead [aria-sort]")).to_have_attribute(
                    "aria-sort",
                    "ascending" if (head == "Topic") == (direction == "first") else "descending",
                )
                found[name].append(lines_of(page))
            button.click()
            expect(page.locator(".topics thead [aria-sort]")).to_have_count(0)
        page.click('[data-status="failed"]')
        expect(page.locator("#count")).to_have_text("2 of 8 topics")
        found[name].append(lines_of(page))
        page.click('[data-status="all"]')
        page.fill("#search", "T1")
        expect(page.locator("#count")).to_have_text("2 of 8 topics")
        found[name].append(lines_of(page))
    assert found["view"] == found["file"]
    # Not the order of the dataset fifteen times.
    assert len({tuple(lines) for lines in found["view"]}) > 8


def test_a_large_run_is_drawn_as_one_goes_down_and_a_topic_leads_to_those_beside_it(
    watched: Watched, address: str, root: Path
) -> None:
    write_run(root / "many", [a_topic(index) for index in range(1_000)])
    page = watched.open(f"{address}run/many/")
    expect(page.locator("#count")).to_have_text("1,000 topics")
    assert page.locator(".topics tbody tr").count() < 500
    page.locator(".end").scroll_into_view_if_needed()
    expect(page.locator(".topics tbody tr").nth(150)).to_be_attached()
    page.fill("#search", "t99")
    expect(page.locator("#count")).to_have_text("11 of 1,000 topics")
    page.locator("#search").press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#topic h1").first).to_have_text("t990")
    page.keyboard.press("]")
    expect(page.locator("#topic h1").first).to_have_text("t991")
    page.keyboard.press("[")
    expect(page.locator("#topic h1").first).to_have_text("t990")
    expect(page.get_by_role("link", name="← Previous")).to_have_attribute("href", "#topic=t99")
    page.goto(f"{address}run/many/#topic=t500")
    expect(page.locator("#topic .call")).to_have_count(2)
    page.goto(f"{address}run/many/#topic=nobody")
    expect(page.locator("#topic")).to_contain_text("No finished topic has the id")
    assert watched.quiet(address.rsplit("/", 2)[0])
