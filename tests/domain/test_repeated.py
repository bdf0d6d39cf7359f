"""When a run is stopped for what its workflow raises."""

from __future__ import annotations

from harness.domain.repeated import Alike, Repeated, Verdict, stopped_words
from harness.domain.run import Failure


def at(line: int, kind: str = "IndexError") -> Alike:
    return frozenset({(kind, f"flow.py:{line}")})


def verdicts(repeated: Repeated, *raised: Alike) -> list[Verdict]:
    return [repeated.raised(alike) for alike in raised]


def test_the_run_is_stopped_at_the_last_of_so_many_in_a_row() -> None:
    assert verdicts(Repeated(at_most=3), at(1), at(1), at(1)) == ["go on", "go on", "stop"]
    assert verdicts(Repeated(at_most=1), at(1)) == ["stop"]


def test_what_was_under_way_then_is_left_for_later() -> None:
    assert verdicts(Repeated(at_most=1), at(1), at(1), at(2)) == ["stop", "leave", "leave"]


def test_another_line_or_another_type_begins_a_new_row() -> None:
    assert verdicts(Repeated(at_most=2), at(1), at(2), at(2, "KeyError"), at(2, "KeyError")) == [
        "go on",
        "go on",
        "go on",
        "stop",
    ]


def test_several_at_once_are_the_same_as_another_if_they_have_one_in_common() -> None:
    both = at(1) | at(2)
    assert verdicts(Repeated(at_most=3), both, at(2), both) == ["go on", "go on", "stop"]
    assert verdicts(Repeated(at_most=3), both, at(2), at(1)) == ["go on", "go on", "go on"]


def test_after_a_first_success_no_number_of_them_stops_the_run() -> None:
    repeated = Repeated(at_most=2)
    repeated.raised(at(1))
    repeated.success()
    assert verdicts(repeated, *[at(1)] * 9) == ["go on"] * 9
    assert verdicts(Repeated(at_most=2, succeeded=True), *[at(1)] * 9) == ["go on"] * 9


def test_a_success_after_the_stop_does_not_take_it_back() -> None:
    repeated = Repeated(at_most=1)
    repeated.raised(at(1))
    repeated.success()
    assert repeated.raised(at(1)) == "leave"


def test_switched_off_it_never_stops() -> None:
    assert verdicts(Repeated(at_most=None), *[at(1)] * 99) == ["go on"] * 99


def test_the_reason_names_the_exception_its_line_and_what_to_do() -> None:
    failure = Failure(type="KeyError", message="'year'", where="flow.py:7", code='row["year"]')
    assert stopped_words(failure, 5, "harness resume out") == (
        "the workflow failed for 5 topics in a row, and nothing has succeeded yet: "
        "KeyError at flow.py:7 (row[\"year\"]): 'year'; mend it, then `harness resume out`: "
        "what was paid comes from the cache (--max-failures off goes on all the same)"
    )


def test_the_reason_says_what_is_known_and_no_more() -> None:
    assert (
        "for the first topic, and nothing has succeeded yet: AssertionError; mend it"
        in stopped_words(Failure(type="AssertionError", message=""), 1, "harness resume out")
    )
