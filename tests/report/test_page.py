from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from browsers import Watched, address_of
from playwright.sync_api import expect
from report_runs import a_topic, write_run

from harness.errors import ResultsError, StorageError
from harness.report.blocks import TOPICS_A_BLOCK, Blocks, json_text
from harness.report.page import report_page
from harness.report.plotting import MISSING, Plotting, plotting
from harness.report.writing import write_report

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def blocks_of(text: str) -> Iterator[list[Any]]:
    for packed in re.findall(
        r'<script type="application/octet-stream" id="block-0-\d+">([^<]*)</script>', text
    ):
        yield json.loads(gzip.decompress(base64.b64decode(packed)))


def test_each_inline_script_and_style_is_allowed_by_its_hash_and_nothing_else_is(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    text = write(write_run(tmp_path / "run", [a_topic(0)])).read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        hashes = {
            f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
            for one in inline
        }
        assert set(rules[rule].split()) == hashes
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    assert "unsafe" not in policy[1]


def test_the_page_refers_to_nothing_outside(tmp_path: Path, write: Callable[..., Path]) -> None:
    page = write(write_run(tmp_path / "run", [a_topic(0)])).read_text()
    markup = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', markup) == []


def test_every_topic_is_in_its_block(tmp_path: Path, write: Callable[..., Path]) -> None:
    number = 2 * TOPICS_A_BLOCK + 1
    page = write(write_run(tmp_path / "run", [a_topic(index) for index in range(number)]))
    found = list(blocks_of(page.read_text()))
    assert [len(block) for block in found] == [TOPICS_A_BLOCK, TOPICS_A_BLOCK, 1]
    assert [detail["id"] for block in found for detail in block] == [
        f"t{index}" for index in range(number)
    ]


def test_json_in_a_script_cannot_end_it() -> None:
    value = {"</script>": "<!-- \u2028 & ]]>"}
    text = json_text(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == value


def test_half_a_pair_of_surrogates_survives_the_packing() -> None:
    file = io.BytesIO()
    blocks = Blocks(file, 0)
    blocks.add("\ud83d")
    blocks.close()
    assert list(blocks_of(file.getvalue().decode())) == [["\ud83d"]]


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path, write: Callable[..., Path]) -> None:
    run = write_run(tmp_path / "run", [a_topic(0), a_topic(1)])
    traces = run / "traces.jsonl"
    traces.write_text(traces.read_text().replace('"served"', '"swerved"'))
    with pytest.raises(
        ResultsError, match=r"traces\.jsonl: a call of topic 't0' is damaged: served: is missing"
    ):
        write(run)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_target_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [a_topic(0)])
    with pytest.raises(StorageError, match=r"no-such-directory"):
        write_report([run], tmp_path / "no-such-directory" / "page.html", plotting(), now=NOW)


def test_without_the_library_the_page_says_what_to_install(
    watched: Watched, tmp_path: Path
) -> None:
    target = tmp_path / "page.html"
    write_report(
        [write_run(tmp_path / "run", [a_topic(0)])], target, Plotting(missing=MISSING), now=NOW
    )
    page = watched.open(address_of(target))
    expect(page.locator("#plots")).to_contain_text("pip install 'reasoning-harness[report]'")
    expect(page.locator("#topics tbody tr")).to_have_count(1)
    assert watched.quiet()


def test_a_run_with_nothing_finished_is_a_page_that_says_so(
    watched: Watched, write: Callable[..., Path], tmp_path: Path
) -> None:
    dataset = {"path": "x", "kept": None, "sha256": "0", "topics": 5}
    page = watched.open(
        address_of(write(write_run(tmp_path / "run", [], status="running", dataset=dataset)))
    )
    expect(page.locator("#topics")).to_contain_text("No topic is finished yet.")
    expect(page.locator("#state-A")).to_contain_text("killed?")
    expect(page.locator("#plots")).to_contain_text("Nothing to draw yet")
    assert watched.quiet()


def test_a_page_that_is_served_may_speak_to_its_server_only() -> None:
    page = b"".join(
        report_page([], Plotting(), (), written_at=NOW, served={"events": "events"})
    ).decode()
    assert "connect-src 'self'" in page
