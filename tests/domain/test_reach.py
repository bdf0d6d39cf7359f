"""How far an error reaches: the table of docs/reliability.md, read and asked for; and what belongs
to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from harness.domain.completion import Completion, Usage
from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.domain.reach import Seen, may_concern_everyone, reach_of, wording_of
from harness.errors import FailureKind, Reach

PAGE = (Path(__file__).parent.parent.parent / "docs" / "reliability.md").read_text()
SECTION = PAGE.partition("## How far an error reaches\n")[2].partition("\n### ")[0]
HEAD = "| kind | status | words | begun | answered | others served | alike | reach |\n"
FATAL: set[FailureKind] = {"auth", "balance", "quota", "unknown_model"}
PERMANENT: set[FailureKind] = {
    "length",
    "content_filter",
    "refusal",
    "too_long",
    "bad_request",
    "forbidden",
    "redirect",
}


@dataclass(frozen=True)
class Situation:
    """A line of the table."""

    error: CompletionError
    seen: Seen
    reach: str


def situation(line: str) -> Situation:
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    kind, status, words, begun, answered, others, alike, reach = cells
    assert {begun, others} <= {"yes", "no"}
    error = an_error(
        next(known for known in get_args(FailureKind) if known == kind),
        words,
        status=None if status == "–" else int(status),
        begun=begun == "yes",
    )
    seen = Seen(
        answered=int(answered),
        alike=int(alike),
        others_served=others == "yes",
        worked=int(answered) > 0,
    )
    return Situation(error, seen, reach)


def an_error(
    kind: FailureKind, words: str = "x", *, status: int | None = None, begun: bool = False
) -> CompletionError:
    error_type = (
        FatalError if kind in FATAL else PermanentError if kind in PERMANENT else TransientError
    )
    partial = (
        Completion(model="m", content="half of", finish_reason="", usage=Usage()) if begun else None
    )
    return error_type(words, kind=kind, status=status, partial=partial)


LINES = [line for line in SECTION.partition(HEAD)[2].splitlines()[1:] if line.startswith("|")]


@pytest.mark.parametrize("line", LINES)
def test_each_situation_of_the_page_reaches_as_far_as_it_says(line: str) -> None:
    given = situation(line)
    assert reach_of(given.error, given.seen) == given.reach


def test_the_page_has_every_kind_and_every_reach() -> None:
    assert len(LINES) >= 25
    assert {line.split("|")[1].strip() for line in LINES} == set(get_args(FailureKind))
    assert {situation(line).reach for line in LINES} == set(get_args(Reach))


def test_the_page_tells_what_happens_at_each_reach() -> None:
    table = SECTION.partition("| reach | examples | what happens |\n| --- | --- | --- |\n")[
        2
    ].partition("\n\n")[0]
    assert [line.split("|")[1].strip() for line in table.splitlines()] == [
        "this request",
        "this topic",
        "everyone, for now",
        "everyone, until someone acts",
        "the workflow's author",
    ]


@pytest.mark.parametrize("alike_at_most", [None, 43])
def test_how_many_equal_refusals_end_a_run_is_a_setting(alike_at_most: int | None) -> None:
    error = an_error("bad_request", status=400)
    assert reach_of(error, Seen(alike=42), alike_at_most=alike_at_most) == "topic"


@pytest.mark.parametrize("kind", sorted(get_args(FailureKind)))
def test_what_had_begun_concerns_no_other_call(kind: FailureKind) -> None:
    assert not may_concern_everyone(an_error(kind, begun=True)) or kind == "rate_limited"


def test_refusals_that_differ_in_ids_counts_and_times_are_alike() -> None:
    first = an_error("bad_request", "400: no model m (request 8fa1, call 7, 12:04)", status=400)
    second = an_error("bad_request", "400: No model m (request 77c0, call 19, 12:05)", status=400)
    assert wording_of(first) == wording_of(second)


@pytest.mark.parametrize(
    "other",
    [
        an_error("bad_request", "no such prompt", status=400),
        an_error("bad_request", "no model", status=404),
        an_error("forbidden", "no model", status=400),
    ],
)
def test_refusals_of_other_words_another_status_or_another_kind_are_not_alike(
    other: CompletionError,
) -> None:
    assert wording_of(an_error("bad_request", "no model", status=400)) != wording_of(other)


def test_failing_twice_while_others_were_served_is_the_calls_own_unless_others_fail_too() -> None:
    error = an_error("server", "500: Internal Server Error", status=500)
    assert reach_of(error, Seen(answered=12, alone=1)) == "everyone for now"
    assert reach_of(error, Seen(answered=12, alone=2)) == "request"
    assert reach_of(error, Seen(answered=12, alone=2, others_failed=True)) == "everyone for now"


def test_where_others_recover_a_failure_is_not_held_against_the_call() -> None:
    error = an_error("server", "503: unavailable", status=503)
    assert reach_of(error, Seen(answered=12, others_served=True)) == "request"
    assert (
        reach_of(error, Seen(answered=12, others_served=True, others_recover=True))
        == "everyone for now"
    )


def test_a_lost_route_fails_a_topic_where_it_was_found_to_be_a_calls_own() -> None:
    error = an_error("bad_request", "404: page not found", status=404)
    assert reach_of(error, Seen(answered=12, worked=True)) == "everyone for now"
    assert reach_of(error, Seen(answered=12, worked=True, known_own=True)) == "topic"
    assert reach_of(error, Seen(answered=12)) == "topic"
