"""Every kind of expectation: when it holds, what it says when it does not, and what it makes of
what is missing.
"""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regress_cases import a_call, a_case, a_suite, checked, message_of, sections

from harness.domain.completion import ToolCall
from harness.records.stored import StoredSpan
from harness.regress.checks.bounded import TooSlow, bounded
from harness.regress.checks.checks import Draw, Evidence, look
from harness.regress.checks.expect_texts import Contains, Length, Matches
from harness.regress.checks.expectation import Shortfall, View
from harness.regress.checks.golden import Accepted, Golden
from harness.regress.checks.texts import cited_numbers, count_words
from harness.regress.suites.suite_tables import EXPECTATIONS

REPORT = "The report cites [1] and [2, 3]. It has 量子纠缠 in it."
CASE = a_case(
    REPORT,
    calls=[
        a_call("decompose", '["One?", "Two?"]', tokens=(100, 50, 0)),
        a_call("research.1/research", "One is so.", tokens=(100, 50, 20), reasoning="I doubt it"),
        a_call("research.2/research", "Two is so.", tokens=(100, 60, 30), finish_reason="length"),
        a_call("synthesize", REPORT, tokens=(1000, 500, 200), reasoning="So be it"),
    ],
    sections=sections(True, True, True),
)

HOLDS = [
    "contains = 'report'",
    "contains = ['report', '量子']",
    "not_contains = 'nonsense'",
    "matches = '^The report'",
    "matches = ['report', '\\d']",
    "not_matches = 'repor[^t]'",
    "chars = { at_least = 10, at_most = 100 }",
    "words = { at_most = 16 }",
    "citations = true",
    "questions = { at_least = 3, at_most = 3 }",
    "tokens_at_most = 1960",
    "tokens_at_most = 150\nstep = 'decompose'",
    "reasoning_tokens_at_most = 250",
    "calls_at_most = 4",
    "cost_at_most = 0.01",
    "cost_at_most = 0.0001\nstep = 'decompose'",
    "finish_reason = 'stop'\nstep = 'synthesize'",
    "reasoning_contains = 'doubt'",
    "reasoning_contains = 'So be'\nstep = 'synthesize'",
    "reasoning_not_contains = 'cheat'",
    "status = 'ok'",
    "status = ['ok', 'degraded']",
]
TESTED_ELSEWHERE = {"equals_golden", "json_schema", "function", "judge"}
"""These need a file or a call beside them."""


def test_each_expectation_is_shown_to_hold() -> None:
    assert {line.split(" = ")[0] for line in HOLDS} == set(EXPECTATIONS) - TESTED_ELSEWHERE


@pytest.mark.parametrize("line", HOLDS)
def test_what_holds_passes(tmp_path: Path, line: str) -> None:
    assert checked(tmp_path, line, CASE) == Draw(sample=0, state="passed")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("contains = ['report', 'moon', 'sun']", "the text does not contain 'moon', 'sun'"),
        ("not_contains = 'cites'", "the text contains 'cites'"),
        ("matches = 'Report'", "the text does not match 'Report'"),
        ("not_matches = ['moon', 'r.port']", "the text matches 'r.port'"),
        ("chars = { at_least = 100 }", "51 characters, expected at least 100 characters"),
        ("words = { at_least = 17, at_most = 20 }", "15 words, expected 17 to 20 words"),
        ("questions = { at_least = 4 }", "3 sub-questions, expected at least 4 sub-questions"),
        ("tokens_at_most = 1959", "1,960 tokens, expected at most 1,959 tokens"),
        ("tokens_at_most = 155\nstep = 'research'", "160 tokens, expected at most 155 tokens"),
        (
            "reasoning_tokens_at_most = 249",
            "250 tokens of reasoning, expected at most 249 tokens of reasoning",
        ),
        ("calls_at_most = 3", "4 calls, expected at most 3 calls"),
        # 100 tokens in at $0.30 and 50 out at $1.20 a million, the dearer hours.
        ("cost_at_most = 0.00008\nstep = 'decompose'", "$0.000090, expected at most $0.000080"),
        (
            "finish_reason = 'stop'\nstep = 'research'",
            "finish reason length, expected finish reason stop",
        ),
        (
            "reasoning_contains = 'doubt'\nstep = 'synthesize'",
            "the reasoning does not contain 'doubt'",
        ),
        ("reasoning_not_contains = 'doubt'", "the reasoning contains 'doubt'"),
    ],
)
def test_what_does_not_hold_fails_and_says_what_was_expected_and_what_came(
    tmp_path: Path, line: str, message: str
) -> None:
    assert message_of(checked(tmp_path, line, CASE)) == message


def test_all_expectations_of_a_check_must_hold_and_each_that_does_not_is_told(
    tmp_path: Path,
) -> None:
    draw = checked(
        tmp_path, "contains = 'report'\nnot_contains = 'cites'\nchars = { at_most = 5 }", CASE
    )
    assert [each.expectation for each in draw.failing] == [
        "does not contain 'cites'",
        "at most 5 characters",
    ]


def test_a_check_on_a_step_looks_at_each_of_its_calls(tmp_path: Path) -> None:
    draw = checked(tmp_path, "contains = 'Two'\nstep = 'research'", CASE)
    assert [each.checked for each in draw.failing] == ["research.1/research"]
    assert draw.failing[0].call == CASE.calls[1]


def test_a_failure_of_the_output_shows_the_call_that_wrote_it(tmp_path: Path) -> None:
    [failing] = checked(tmp_path, "contains = 'moon'", CASE).failing
    assert (failing.checked, failing.call) == (None, CASE.calls[3])


def test_an_output_that_is_no_text_is_searched_as_json(tmp_path: Path) -> None:
    case = a_case({"name": "量子", "n": 1})
    assert checked(tmp_path, 'contains = \'"name": "量子"\'', case).state == "passed"


def test_a_call_that_wants_functions_called_is_searched_for_them_too(tmp_path: Path) -> None:
    wanted = (ToolCall(id="c1", name="look_up", arguments="{}"),)
    case = a_case(calls=[a_call("ask", "", tool_calls=wanted)])
    assert checked(tmp_path, "contains = 'look_up'\nstep = 'ask'", case).state == "passed"
    assert checked(tmp_path, "contains = 'c1'\nstep = 'ask'", case).state == "failed"
    both = a_case(calls=[a_call("ask", "I look.", tool_calls=wanted)])
    assert (
        checked(tmp_path, "contains = ['I look.', 'look_up']\nstep = 'ask'", both).state == "passed"
    )


def test_an_output_of_null_is_a_text_without_a_word(tmp_path: Path) -> None:
    assert checked(tmp_path, "chars = { at_most = 0 }", a_case(None)).state == "passed"


@pytest.mark.parametrize("where", ["", "\nstep = 'ask'"])
def test_what_did_not_reason_says_nothing_of_what_its_reasoning_does_not_contain(
    tmp_path: Path, where: str
) -> None:
    case = a_case(calls=[a_call("ask", reasoning="")])
    draw = checked(tmp_path, f"reasoning_not_contains = 'cheat'{where}", case)
    assert (draw.state, draw.why) == ("not checked", "there is no reasoning to look at")
    assert "does not contain" in message_of(
        checked(tmp_path, f"reasoning_contains = 'cheat'{where}", case)
    )


def test_where_there_are_no_sub_questions_their_number_is_not_right(tmp_path: Path) -> None:
    draw = checked(tmp_path, "questions = { at_most = 5 }", a_case("a report"))
    assert (
        message_of(draw) == "the output has no sub-questions (its sections) that could be counted"
    )


# Status and failures


def test_a_failed_topic_fails_whatever_is_checked_of_its_output(tmp_path: Path) -> None:
    case = a_case(failed="TopicFailed")
    for line in ("not_contains = 'nonsense'", "status = ['ok', 'degraded']", "calls_at_most = 5"):
        assert (
            message_of(checked(tmp_path, line, case)) == "the topic is failed: it was a TopicFailed"
        )


def test_a_degraded_topic_passes_only_where_a_check_allows_it(tmp_path: Path) -> None:
    case = a_case(status="degraded")
    assert (
        message_of(checked(tmp_path, "status = 'ok'", case))
        == "the topic is degraded: a part is missing"
    )
    assert checked(tmp_path, "status = ['ok', 'degraded']", case).state == "passed"


def test_a_call_that_failed_fails_its_checks(tmp_path: Path) -> None:
    case = a_case(calls=[a_call("ask", error="PermanentError")])
    draw = checked(tmp_path, "not_contains = 'nonsense'\nstep = 'ask'", case)
    assert message_of(draw) == "the call failed: it was a PermanentError"


def test_a_step_that_did_not_run_in_a_topic_is_not_checked(tmp_path: Path) -> None:
    assert checked(tmp_path, "contains = 'x'\nstep = 'ask'", a_case()).why == "the step did not run"
    failed = checked(tmp_path, "contains = 'x'\nstep = 'ask'", a_case(failed="TopicFailed"))
    assert (failed.state, failed.why) == (
        "not checked",
        "the step was not reached: the topic failed",
    )


# Citations


@pytest.mark.parametrize(
    ("output", "found", "state"),
    [
        ("no numbers", sections(True, True), "passed"),
        ("[1] [2]", sections(True, False), "failed"),
        ("[1] and [2]", sections(None, None), "passed"),
        ("[1,2]", sections(None, None), "passed"),
        ("[1] and [3]", sections(None, None), "failed"),
        ("[1]", sections(True, False, failed=[2]), "passed"),
        ("[1]", sections(False, failed=[1]), "failed"),
        ("[1]", [], "failed"),
    ],
)
def test_each_answered_sub_question_must_be_cited(
    tmp_path: Path, output: str, found: list[dict[str, Any]], state: str
) -> None:
    assert checked(tmp_path, "citations = true", a_case(output, sections=found)).state == state


def test_citations_name_the_numbers_that_are_missing(tmp_path: Path) -> None:
    draw = checked(
        tmp_path, "citations = true", a_case("see [1]", sections=sections(True, False, False))
    )
    shortfall = draw.failing[0].shortfall
    assert shortfall.message == "sub-question 2, 3 of 3 is not cited"
    assert (shortfall.expected, shortfall.got) == ("citations of 1, 2, 3", "citations of 1")


@given(st.sets(st.integers(0, 9999), max_size=6))
def test_cited_numbers_are_found_alone_and_in_groups(numbers: set[int]) -> None:
    apart = " ".join(f"so [{number}]." for number in numbers)
    together = f"so [{', '.join(map(str, numbers))}]"
    assert cited_numbers(apart) == numbers
    assert cited_numbers(together) == numbers


# Length


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("one two, three!", 3),
        ("it's a well-known fact", 5),
        ("量子纠缠是什么？", 7),
        ("用 DeepSeek 写 report", 4),
        ("ひらがなとカタカナ", 9),
        ("한국어 문장", 2),
        ("3.5 %", 2),
    ],
)
def test_words_are_counted_with_and_without_spaces_between_them(text: str, words: int) -> None:
    assert count_words(text) == words


@given(st.text(), st.integers(0, 50), st.integers(0, 50))
def test_a_length_holds_exactly_within_its_bounds(text: str, least: int, more: int) -> None:
    expectation = Length(unit="chars", at_least=least, at_most=least + more)
    holds = expectation.look(View(case=a_case(text))) is None
    assert holds == (least <= len(text) <= least + more)


@given(st.text(), st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3))
def test_contains_and_its_opposite_never_both_fail_on_one_text(text: str, parts: list[str]) -> None:
    view = View(case=a_case(text))
    each = [
        Contains(texts=(part,), absent=absent).look(view)
        for part in parts
        for absent in (False, True)
    ]
    assert [
        first is None or second is None for first, second in zip(each[::2], each[1::2], strict=True)
    ]
    assert (Contains(texts=tuple(parts)).look(view) is None) == all(part in text for part in parts)
    assert (Contains(texts=tuple(parts), absent=True).look(view) is None) == (
        not any(part in text for part in parts)
    )


# Patterns that explode

EXPLODING = re.compile(r"(a+)+$")


def test_a_pattern_that_backtracks_without_end_is_a_failed_check_and_no_hang() -> None:
    found = Matches(patterns=(EXPLODING,), most_cpu_s=0.05).look(View(case=a_case("a" * 60 + "b")))
    assert isinstance(found, Shortfall)
    assert (
        found.message
        == "'(a+)+$' took more than 0.05 s of CPU on this text; it backtracks too much"
    )


def test_a_look_that_was_stopped_leaves_no_timer_behind() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(TooSlow):
        bounded(lambda: EXPLODING.search("a" * 60 + "b"), most_cpu_s=0.02)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGVTALRM) is before


def test_looking_works_where_there_are_no_signals() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(bounded(lambda: 3)))
    thread.start()
    thread.join()
    assert found == [3]


# Golden


def accepted(**calls: str) -> Golden:
    return Golden(draws={"t": Accepted(output="because", has_output=True, calls=calls)})


def test_an_output_equal_to_golden_passes(tmp_path: Path) -> None:
    assert (
        checked(tmp_path, "equals_golden = true", a_case("because"), golden=accepted()).state
        == "passed"
    )


def test_another_output_fails_with_both_texts_to_compare(tmp_path: Path) -> None:
    draw = checked(tmp_path, "equals_golden = true", a_case("why not"), golden=accepted())
    shortfall = draw.failing[0].shortfall
    assert (shortfall.expected, shortfall.got, shortfall.compared) == ("because", "why not", True)


@pytest.mark.parametrize(
    ("golden", "output", "equal"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1], [True], False),
        ("1", 1, False),
        (None, None, True),
    ],
)
def test_values_are_equal_as_json_is(tmp_path: Path, golden: Any, output: Any, equal: bool) -> None:
    known = Golden(draws={"t": Accepted(output=golden, has_output=True)})
    assert (
        checked(tmp_path, "equals_golden = true", a_case(output), golden=known).state == "passed"
    ) == equal


def test_what_was_never_accepted_fails_and_says_how_to_accept(tmp_path: Path) -> None:
    assert "--accept" in message_of(checked(tmp_path, "equals_golden = true", a_case("because")))


def step_calls(**answers: str) -> list[StoredSpan]:
    return [a_call(f"{name}/ask", answer) for name, answer in answers.items()]


def test_calls_are_compared_by_their_ids_and_one_that_is_gone_is_missed(tmp_path: Path) -> None:
    golden = Golden(
        draws={"t": Accepted(calls={"a/ask": "one", "b/ask": "two", "c/other": "three"})}
    )
    line = "equals_golden = true\nstep = 'ask'"

    same = checked(tmp_path, line, a_case(calls=step_calls(a="one", b="two")), golden=golden)
    changed = checked(tmp_path, line, a_case(calls=step_calls(a="one", b="2")), golden=golden)
    gone = checked(tmp_path, line, a_case(calls=step_calls(a="one")), golden=golden)
    more = checked(
        tmp_path, line, a_case(calls=step_calls(a="one", b="two", d="four")), golden=golden
    )

    assert same.state == "passed"
    assert [each.checked for each in changed.failing] == ["b/ask"]
    assert message_of(gone) == "this call was accepted and is not made any more"
    assert [each.checked for each in more.failing] == ["d/ask"]


# Money


def test_a_price_that_nobody_knows_fails_and_says_where_to_give_one(tmp_path: Path) -> None:
    case = a_case(calls=[a_call("ask", model="some-model")])
    assert message_of(checked(tmp_path, "cost_at_most = 1.0", case)).startswith(
        "no price is known for the model 'some-model'; give one in the suite as [prices."
    )


def test_the_suite_can_give_a_price(tmp_path: Path) -> None:
    prices = '[prices."some-model"]\ninput = 1.0\noutput = 1.0\n[[check]]\ncost_at_most = 0.00002\n'
    suite = a_suite(tmp_path, prices)
    case = a_case(calls=[a_call("ask", model="some-model", tokens=(10, 20, 0))])
    draw = look(suite.checks[-1], case, Evidence(pricing=suite.pricing))
    assert message_of(draw) == "$0.000030, expected at most $0.000020"


def test_what_judges_use_is_not_counted_for_the_workflow(tmp_path: Path) -> None:
    judge = a_call(
        "judge.fair/judge", '{"pass": true}', tokens=(9_000, 9_000, 0), reasoning="doubt"
    )
    case = a_case(calls=[a_call("ask", tokens=(1, 2, 0), reasoning="so"), judge])
    for line in (
        "tokens_at_most = 3",
        "calls_at_most = 1",
        "cost_at_most = 0.0001",
        "reasoning_not_contains = 'doubt'",
    ):
        assert checked(tmp_path, line, case).state == "passed"
