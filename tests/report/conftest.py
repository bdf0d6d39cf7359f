"""A browser for a module's tests, and the page of a run that they look at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
from browsers import Watched, open_browser, watched_page
from playwright.sync_api import Browser
from report_runs import a_degraded_topic, a_failed_topic, a_topic, write_run

from harness.report.plotting import plotting
from harness.report.writing import write_report

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


class WriteReport(Protocol):
    def __call__(self, *runs: Path) -> Path: ...


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    with watched_page(browser, viewport={"width": 1200, "height": 900}) as page:
        yield page


@pytest.fixture
def write(tmp_path: Path) -> WriteReport:
    """Writes the report of one run or two, and says where."""

    def write_to(*runs: Path) -> Path:
        target = tmp_path / "report.html"
        write_report(runs, target, plotting(), now=NOW)
        return target

    return write_to


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with something of everything."""
    directory = tmp_path_factory.mktemp("night")
    told = [a_topic(index, cost=0.01 * (index + 1)) for index in range(40)]
    told += [a_failed_topic(index) for index in range(40, 45)]
    told += [
        a_degraded_topic(45, metadata={"field": "physics"}),
        a_failed_topic(46, message="the stream ended early"),
    ]
    target = directory / "night.html"
    write_report([write_run(directory / "night", told)], target, plotting(), now=NOW)
    return target
