from __future__ import annotations

from collections import Counter

from records import a_span

from harness.domain.completion import Answerer, Completion, Request, Usage
from harness.domain.run import Failure
from harness.domain.who_answered import (
    AnswererCounts,
    answered,
    answers_of,
    difference_lines,
    doubt_lines,
    why_unpriced,
)


def from_(
    model: str, fingerprint: str = "", *, asked: str = "x", number: int = 1, endpoint: str = "mock"
) -> AnswererCounts:
    """So many answers of this model and fingerprint."""
    found: AnswererCounts = Counter(answered(endpoint, asked, [Answerer(model, fingerprint)]))
    return Counter(dict.fromkeys(found, number))


def test_one_model_that_answers_as_it_was_asked_for_is_no_doubt() -> None:
    assert doubt_lines(from_("x", "fp_a", number=120)) == []
    assert doubt_lines(from_("x") + from_("org/X-2024-07-18") + from_("")) == []
    assert doubt_lines(Counter()) == []


def test_a_model_that_gave_no_answer_after_all_is_no_doubt() -> None:
    found = from_("x", number=2)
    found.update(from_("other/dear-5", number=0))
    assert doubt_lines(found) == []


def test_another_model_is_told_with_how_often_each_answered() -> None:
    found = from_("x", number=120) + from_("other/dear-5", number=31)
    assert doubt_lines(found) == [
        "x was asked for, and another model answered: x gave 120 answers, other/dear-5 31"
    ]
    assert doubt_lines(from_("other/dear-5")) == [
        "x was asked for, and another model answered: other/dear-5 gave 1 answer"
    ]


def test_a_fingerprint_that_changed_is_told_once_with_both_and_their_counts() -> None:
    found = from_("x", "fp_a", number=1200) + from_("x", "fp_b", number=1)
    assert doubt_lines(found) == [
        "what answers to x was not the same throughout: fingerprint fp_a gave 1,200 answers,"
        " fingerprint fp_b 1"
    ]


def test_answers_without_a_fingerprint_contradict_none() -> None:
    found = from_("x", "fp_a", number=3) + from_("x", number=2)
    assert doubt_lines(found) == []
    assert doubt_lines(found + from_("x", "fp_b")) == [
        "what answers to x was not the same throughout: "
        "fingerprint fp_a gave 3 answers, no fingerprint 2, fingerprint fp_b 1"
    ]


def test_versions_of_one_name_that_contradict_each_other_are_a_change() -> None:
    found = (
        from_("x-2024-05-13", "fp_a", number=2) + from_("x-2024-08-06", "fp_b") + from_("", "fp_c")
    )
    assert doubt_lines(found) == [
        "what answers to x was not the same throughout: x-2024-05-13 gave 2 answers, no name 1,"
        " x-2024-08-06 1"
    ]


def test_a_name_with_several_fingerprints_among_others_is_told_with_each() -> None:
    found = from_("x", "fp_a", number=3) + from_("x", "fp_b", number=2) + from_("other", "fp_c")
    assert doubt_lines(found) == [
        "x was asked for, and another model answered: "
        "x (fingerprint fp_a) gave 3 answers, x (fingerprint fp_b) 2, other 1"
    ]


def test_one_model_in_two_styles_is_told_apart_by_its_fingerprints() -> None:
    found = from_("x", "fp_a", number=2) + from_("org/x", "fp_b")
    assert doubt_lines(found) == [
        "what answers to x was not the same throughout: x (fingerprint fp_a) gave 2 answers, org/x"
        " (fingerprint fp_b) 1"
    ]


def test_of_many_the_most_frequent_are_named() -> None:
    found: AnswererCounts = Counter()
    for number in range(1, 8):
        found += from_("x", f"fp_{number}", number=number)
    assert doubt_lines(found) == [
        "what answers to x was not the same throughout: fingerprint fp_7 gave 7 answers,"
        " fingerprint fp_6 6, fingerprint fp_5 5, fingerprint fp_4 4, and 3 more"
    ]


def test_each_model_at_each_endpoint_is_judged_for_itself() -> None:
    found = (
        from_("x", "fp_a")
        + from_("x", "fp_b", endpoint="elsewhere")
        + from_("y", "fp_c", asked="y")
    )
    assert doubt_lines(found) == []


def test_a_name_that_would_command_a_terminal_is_written_out() -> None:
    (line,) = doubt_lines(from_("\x1b[2Jdear\nmodel"))
    assert line.endswith("\\x1b[2Jdear model gave 1 answer")


def test_two_runs_are_told_apart_by_what_answered_in_each() -> None:
    a, b = from_("x", "fp_a", number=4), from_("x", "fp_b", number=3) + from_("x", "fp_a")
    assert difference_lines(a, b) == [
        "what answers to x was not the same throughout: fingerprint fp_a gave 4 answers in A, 1 in"
        " B; fingerprint fp_b gave 0 answers in A, 3 in B"
    ]
    assert difference_lines(a, a) == []


def test_the_calls_that_were_answered_are_counted_and_a_stream_that_named_two_for_both() -> None:
    request = Request(endpoint="mock", model="x", messages=())
    calls = [
        a_span(request=request, model="x", fingerprint="fp_a"),
        a_span(
            request=request, model="other", fingerprint="fp_b", earlier=(Answerer("x", "fp_a"),)
        ),
        a_span(request=request, model=None, fingerprint=None),
        a_span(request=request, model="lost", error=Failure(type="TransientError", message="gone")),
    ]
    assert answers_of(calls) == from_("x", "fp_a", number=2) + from_("other", "fp_b")
    assert answers_of(calls, {"x": "other"}).total() == 3


def test_an_answer_names_all_that_its_response_named_the_last_of_them_last() -> None:
    answer = Completion(
        model="x",
        content="a",
        finish_reason="stop",
        usage=Usage(),
        earlier=(Answerer("y", "fp_b"),),
    )
    assert answer.answerers == (Answerer("y", "fp_b"), Answerer("x"))


def test_an_alias_and_what_answers_to_it_are_no_change() -> None:
    told = [Answerer("x"), Answerer("other")]
    assert doubt_lines(Counter(answered("mock", "x", told, {"x": "other"}))) == []
    assert len(doubt_lines(Counter(answered("mock", "x", told)))) == 1


def test_why_a_cost_is_not_known_names_the_model_that_answered_where_it_is_another() -> None:
    assert why_unpriced(from_("x")) == "no price is known for the model"
    assert (
        why_unpriced(from_("x") + from_("other")) == "no price is known for the model that answered"
    )
