"""Log lines where no command is: ids, and who else hears of them. The rest is in
cli/test_log_lines.py.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from harness.logs import logged_with, start_logging

log = logging.getLogger("harness.run")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    logger = logging.getLogger("harness")
    before = logger.handlers, logger.propagate
    yield
    logger.handlers, logger.propagate = before


def test_ids_of_the_context_are_on_a_line_and_gone_after_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_logging(style="json")
    with logged_with(run_id="r", topic_id="outer"):
        with logged_with(topic_id="t", span_id="s"):
            log.warning("in it")
        log.warning("half out of it")
    log.warning("out of it")

    ids = [
        [json.loads(line)[name] for name in ("run_id", "topic_id", "span_id")]
        for line in _said(capsys)
    ]
    assert ids == [["r", "t", "s"], ["r", "outer", None], [None, None, None]]


def test_what_a_line_says_of_itself_rules_over_its_context(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_logging(style="json")
    with logged_with(topic_id="context"):
        log.warning("mine", extra={"topic_id": "own"})

    assert json.loads(_said(capsys)[0])["topic_id"] == "own"


def test_the_root_logger_hears_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[logging.LogRecord] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record)

    ear = Ear()
    logging.getLogger().addHandler(ear)
    try:
        start_logging(style="json")
        log.warning("between us")
    finally:
        logging.getLogger().removeHandler(ear)

    assert heard == []
    assert len(_said(capsys)) == 1


def test_starting_again_replaces_what_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(style="json")
    start_logging(style="json")
    log.warning("once")

    assert len(_said(capsys)) == 1


def test_a_time_is_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(style="json")
    record = logging.LogRecord("harness.run", logging.WARNING, __file__, 1, "x", (), None)
    record.created = 0.25
    logging.getLogger("harness").handle(record)

    assert json.loads(_said(capsys)[0])["at"] == "1970-01-01T00:00:00.250+00:00"


def _said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()
