"""What `run.json` keeps of the beginning of a session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from manifests import a_manifest

from harness.domain.policy import Budget, Limits
from harness.errors import ResultsError
from harness.records.begun import Begun, SessionLimits, begun_to_json, last_begun
from harness.records.manifest import Manifest
from harness.runs.wanted import begun_words

AT = datetime(2026, 12, 1, 3, 12, 40, tzinfo=UTC)
LIMITS = SessionLimits.of(Limits(in_flight=64), Budget(cost=5.0))
SECOND = Begun(session=2, started_at=AT, pid=4711, limits=LIMITS)


def begun_by(*told: Any, sessions: int = 2) -> Manifest:
    return a_manifest(sessions=sessions, sessions_begun=list(told))


def test_the_last_session_is_found_by_its_number() -> None:
    first = Begun(session=1, started_at=AT, pid=1, limits=LIMITS)
    assert last_begun(begun_by(begun_to_json(first), begun_to_json(SECOND))) == SECOND


def test_a_session_that_an_earlier_version_began_is_not_known() -> None:
    assert last_begun(a_manifest(sessions=1)) is None
    assert last_begun(begun_by(begun_to_json(SECOND), sessions=3)) is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"pid": "4711"}, "pid: must be a whole number"),
        ({"started_at": "noon"}, "started_at: .*noon"),
    ],
)
def test_a_damaged_beginning_is_named(damage: dict[str, Any], said: str) -> None:
    with pytest.raises(ResultsError, match=rf"run\.json: damaged: sessions_begun: {said}"):
        last_begun(begun_by({**begun_to_json(SECOND), **damage}))


def test_a_beginning_reads_as_a_sentence() -> None:
    assert (
        begun_words(SECOND)
        == "2026-12-01 03:12:40 UTC, process 4711; at most 64 calls in flight, 8 of a topic, 128"
        " topics open, budget $5.00"
    )


def test_limits_that_are_set_are_all_told() -> None:
    limits = Limits(in_flight=1, per_run=1, runs=1, requests_per_minute=60, tokens_per_minute=9000)
    narrow = SessionLimits.of(limits, Budget(tokens=20_000, calls=7))
    assert begun_words(Begun(session=1, started_at=AT, pid=1, limits=narrow)).endswith(
        "at most 1 call in flight, 1 of a topic, 1 topic open, 60 requests per minute, 9,000 tokens"
        " per minute, 7 requests in all, budget 20,000 tokens"
    )
