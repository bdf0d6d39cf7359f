"""What a suite comes to: over topics and draws, with requests that are not recorded, and with
nothing to check.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regress_cases import HEAD, FakeMiss, a_call, a_case, a_suite

from harness.errors import SuiteError
from harness.regress.case import Case
from harness.regress.checks.golden import Accepted, Golden
from harness.regress.checks.misses import grouped
from harness.regress.checks.spread import pass_at_k, spread_of
from harness.regress.suites.report import CheckVerdict, SuiteReport
from harness.regress.suites.verdicts import judge_all

OUTPUT = "[[check]]\nname = 'says so'\ncontains = 'so'\n"
STEP = "[[check]]\nname = 'asks so'\nstep = 'ask'\ncontains = 'so'\n"


def topics(*outputs: str) -> list[Case]:
    """A topic for each output, with one call that said it."""
    return [
        a_case(text, topic_id=f"t{n}", calls=[a_call("ask", text)])
        for n, text in enumerate(outputs, start=1)
    ]


def draws(*outputs: str, topic_id: str = "t") -> list[Case]:
    return [
        a_case(text, topic_id=topic_id, sample=n, calls=[a_call("ask", text)])
        for n, text in enumerate(outputs)
    ]


def of(report: SuiteReport, name: str) -> CheckVerdict:
    return next(one for one in report.checks if one.check.name == name)


def states(report: SuiteReport) -> dict[str, str]:
    return {one.check.name: one.state for one in report.checks}


def test_all_is_well_where_every_check_holds_on_every_topic(tmp_path: Path) -> None:
    report = judge_all(a_suite(tmp_path, OUTPUT + STEP), topics("so", "so so"))
    assert states(report) == {"no topic failed": "passed", "says so": "passed", "asks so": "passed"}
    assert (report.exit_code, report.checked) == (0, 4)
    assert report.headline == "suite: passed (3 checks of 2 topics: 3 passed)"


def test_one_topic_that_fails_a_check_fails_the_suite(tmp_path: Path) -> None:
    report = judge_all(a_suite(tmp_path, OUTPUT + STEP), topics("so", "not", "so"))
    assert [topic.topic_id for topic in of(report, "says so").of_state("failed")] == ["t2"]
    assert report.exit_code == 1
    assert report.headline == "suite: failed (3 checks of 3 topics: 1 passed, 2 failed)"


def test_a_failed_topic_is_never_green(tmp_path: Path) -> None:
    cases = [*topics("so"), a_case(topic_id="bad", failed="TopicFailed")]
    report = judge_all(a_suite(tmp_path, STEP), cases)
    assert states(report) == {"no topic failed": "failed", "asks so": "passed"}
    assert report.exit_code == 1


def test_a_degraded_topic_is_red_unless_the_suite_allows_it(tmp_path: Path) -> None:
    cases = [a_case("so", status="degraded")]
    assert judge_all(a_suite(tmp_path, OUTPUT), cases).exit_code == 1
    assert (
        judge_all(
            a_suite(tmp_path, f"{OUTPUT}[[check]]\nstatus = ['ok', 'degraded']\n"), cases
        ).exit_code
        == 0
    )


# Nothing checked


def test_a_dataset_without_topics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SuiteError, match=r"suite\.toml:1: no topics to check: .*topics\.jsonl has none"
    ):
        judge_all(a_suite(tmp_path, OUTPUT), [])


def test_nothing_checked_at_all_is_neither_green_nor_red(tmp_path: Path) -> None:
    left_out = {("t1", 0): "not recorded", ("t2", 0): "not recorded"}
    report = judge_all(a_suite(tmp_path, OUTPUT), [], not_checked=left_out)
    assert (report.exit_code, report.checked, report.topics) == (2, 0, 2)
    assert report.headline == "suite: nothing was checked (2 checks of 2 topics: 2 not checked)"
    assert of(report, "says so").topics[0].draws[0].why == "not recorded"


def test_a_draw_that_was_left_out_is_not_checked_even_where_it_has_a_case(tmp_path: Path) -> None:
    report = judge_all(
        a_suite(tmp_path, OUTPUT), topics("so", "not"), not_checked={("t2", 0): "interrupted"}
    )
    assert [topic.state for topic in of(report, "says so").topics] == ["passed", "not checked"]
    assert report.exit_code == 0


def test_that_topics_did_not_fail_is_not_enough_to_be_green(tmp_path: Path) -> None:
    suite = a_suite(tmp_path, "[[check]]\nstep = 'ask'\ncontains = 'so'\n")
    cases = [*topics("so")]
    report = judge_all(suite, cases, misses=[FakeMiss(topic_id="t1")], misses_fail=False)
    assert [one.state for one in report.checks] == ["not checked", "not checked"]
    assert report.exit_code == 2


# Steps that are none


def test_a_check_on_a_step_that_never_ran_is_refused_with_the_steps_that_did(
    tmp_path: Path,
) -> None:
    suite = a_suite(tmp_path, OUTPUT + STEP.replace("'ask'", "'aks'"))
    with pytest.raises(SuiteError) as refused:
        judge_all(suite, topics("so"))
    assert str(refused.value) == (
        f"{tmp_path}/suite.toml:8: step: no topic has a step 'aks'; did you mean 'ask'?"
    )


def test_a_check_on_a_step_of_a_workflow_without_calls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SuiteError, match=r"step: no topic has a step 'ask'; the workflow made no call"
    ):
        judge_all(a_suite(tmp_path, OUTPUT + STEP), [a_case("so")])


def test_options_of_a_step_that_never_ran_are_refused(tmp_path: Path) -> None:
    suite = a_suite(tmp_path, OUTPUT, head=f"{HEAD}[steps.decompos]\nmax_tokens = 3\n")
    with pytest.raises(
        SuiteError,
        match=r"suite\.toml:5: the table \[steps\]: no topic has a step 'decompos'; known: ask",
    ):
        judge_all(suite, topics("so"))


def test_a_judge_is_no_step_of_the_workflow(tmp_path: Path) -> None:
    case = a_case("so", calls=[a_call("ask"), a_call("judge.x/judge")])
    with pytest.raises(SuiteError, match="no topic has a step 'judge'"):
        judge_all(a_suite(tmp_path, "[[check]]\nstep = 'judge'\ncontains = 'a'\n"), [case])


@pytest.mark.parametrize("cause", ["failed", "missed"])
def test_steps_cannot_be_told_where_no_topic_came_to_its_end(tmp_path: Path, cause: str) -> None:
    case = a_case("so", failed="TopicFailed") if cause == "failed" else a_case("so")
    misses = [FakeMiss()] if cause == "missed" else []
    report = judge_all(a_suite(tmp_path, STEP), [case], misses=misses)
    assert of(report, "asks so").state == "not checked"
    assert report.exit_code == 1


# Requests that are not recorded


def research(topic_id: str = "t") -> Case:
    calls = [
        a_call(span_id, "so") for span_id in ("ask", "weigh.1/weigh", "weigh.2/weigh", "report")
    ]
    return a_case("so", topic_id=topic_id, calls=calls)


WEIGH = "[[check]]\nname = 'weighs so'\nstep = 'weigh'\ncontains = 'so'\n"


def test_what_rests_on_an_unrecorded_call_is_not_checked_and_the_rest_is(tmp_path: Path) -> None:
    miss = FakeMiss(span_id="weigh.1/weigh", step="weigh")
    report = judge_all(a_suite(tmp_path, OUTPUT + STEP + WEIGH), [research()], misses=[miss])
    assert states(report) == {
        "no topic failed": "not checked",
        "says so": "not checked",
        "asks so": "passed",
        "weighs so": "not checked",
    }
    assert (
        of(report, "says so").topics[0].draws[0].why
        == "the output rests on what is not recorded: weigh.1/weigh"
    )
    assert (
        of(report, "weighs so").topics[0].draws[0].why == "its call is not recorded: weigh.1/weigh"
    )
    assert report.exit_code == 1


def test_a_call_that_fails_a_check_is_told_beside_one_that_is_not_recorded(tmp_path: Path) -> None:
    case = a_case("so", calls=[a_call("ask", "so"), a_call("ask#2", "not")])
    report = judge_all(a_suite(tmp_path, STEP), [case], misses=[FakeMiss()])
    assert of(report, "asks so").state == "failed"


def test_misses_fail_a_suite_only_where_they_shall(tmp_path: Path) -> None:
    cases = [research("t"), research("u")]
    report = judge_all(a_suite(tmp_path, OUTPUT), cases, misses=[FakeMiss()], misses_fail=False)
    assert (report.exit_code, of(report, "says so").state) == (0, "passed")
    assert judge_all(a_suite(tmp_path, OUTPUT), cases, misses=[FakeMiss()]).exit_code == 1


def test_a_topic_that_failed_for_want_of_a_recording_is_not_checked(tmp_path: Path) -> None:
    case = a_case(failed="CacheMiss", calls=[a_call("ask", error="CacheMiss")])
    report = judge_all(a_suite(tmp_path, OUTPUT + STEP + WEIGH), [case], misses=[FakeMiss()])
    assert set(states(report).values()) == {"not checked"}
    why = of(report, "weighs so").topics[0].draws[0].why
    assert why == "the step was not reached: a call before it is not recorded"


def test_a_verdict_that_is_not_recorded_leaves_the_other_checks_alone(tmp_path: Path) -> None:
    case = a_case("so", calls=[a_call("ask", "so"), a_call("judge.fair/judge", '{"pass": true}')])
    judge = "[[check]]\nname = 'fair'\njudge = 'Is it?'\n"
    report = judge_all(
        a_suite(tmp_path, OUTPUT + judge), [case], misses=[FakeMiss(span_id="judge.fair/judge")]
    )
    assert states(report) == {
        "no topic failed": "passed",
        "says so": "passed",
        "fair": "not checked",
    }


def test_a_thousand_topics_with_one_changed_prompt_are_one_finding() -> None:
    misses = [FakeMiss(topic_id=f"t{n}", span_id="ask", step="ask") for n in range(1000)]
    misses += [
        FakeMiss(topic_id=f"t{n}", span_id="report", step="report", verdict="follows")
        for n in range(1000)
    ]
    misses.insert(0, FakeMiss(topic_id="t7", span_id="report", step="report", verdict="follows"))
    groups = grouped(misses)
    assert [(group.step, group.reason, group.calls, group.topics) for group in groups] == [
        ("ask", "changed", 1000, 1000),
        ("report", "follows", 1001, 1000),
    ]
    assert groups[0].example.topic_id == "t0"


def test_misses_are_told_with_what_changed_first_and_any_other_reason_last() -> None:
    reasons = ["follows", "strange", "unknown topic", "new step", "changed"]
    groups = grouped([FakeMiss(verdict=reason) for reason in reasons])
    assert [group.reason for group in groups] == [
        "changed",
        "new step",
        "unknown topic",
        "follows",
        "strange",
    ]


def test_a_check_that_found_nothing_to_look_at_is_a_mistake_though_others_pass(
    tmp_path: Path,
) -> None:
    suite = a_suite(
        tmp_path, f"{OUTPUT}[[check]]\nname = 'honest'\nreasoning_not_contains = 'cheat'\n"
    )
    report = judge_all(suite, [a_case("so", calls=[a_call("ask", reasoning="")])])
    assert (report.exit_code, [one.check.name for one in report.blind]) == (2, ["honest"])
    assert (
        report.headline
        == "suite: 1 check checked nothing (3 checks of 1 topic: 2 passed, 1 not checked)"
    )


def test_a_check_that_rests_on_what_is_skipped_is_no_mistake(tmp_path: Path) -> None:
    checks = f"{OUTPUT}[[check]]\nname = 'honest'\nreasoning_not_contains = 'cheat'\n"
    case = a_case("so", calls=[a_call("ask", reasoning="")])
    report = judge_all(
        a_suite(tmp_path, checks), [case], misses=[FakeMiss(topic_id="u")], misses_fail=False
    )
    assert (report.exit_code, report.blind) == (0, ())


def test_stale_answers_and_accepted_topics_that_are_gone_are_told_and_fail_nothing(
    tmp_path: Path,
) -> None:
    golden = Golden(draws={name: Accepted(output="so", has_output=True) for name in ("t1", "gone")})
    report = judge_all(
        a_suite(tmp_path, "[[check]]\nequals_golden = true\n"), topics("so"), golden, stale=3
    )
    assert (report.exit_code, report.stale, report.gone) == (0, 3, ("gone",))


# Repeated draws

HEAD_5 = f"samples = 5\n{HEAD}"


@pytest.mark.parametrize(("rate", "code"), [(1.0, 1), (0.8, 1), (0.6, 0), (0.61, 1)])
def test_a_topic_passes_where_enough_of_its_draws_do(
    tmp_path: Path, rate: float, code: int
) -> None:
    suite = a_suite(tmp_path, f"{OUTPUT}pass_rate = {rate}\n", head=HEAD_5)
    assert judge_all(suite, draws("so", "so", "so", "no", "no")).exit_code == code


def test_pass_at_k_is_the_mean_over_the_topics(tmp_path: Path) -> None:
    cases = [
        *draws("so", "so", "no", "no", "no", topic_id="a"),
        *draws("so", "so", "so", "so", "so", topic_id="b"),
    ]
    one = of(judge_all(a_suite(tmp_path, OUTPUT, head=HEAD_5), cases), "says so")
    assert one.pass_rate == 0.7
    assert one.pass_at(1) == pytest.approx((0.4 + 1) / 2)
    assert one.pass_at(2) == pytest.approx((0.7 + 1) / 2)  # 1 - C(3,2) / C(5,2) = 1 - 3/10
    assert one.pass_at(5) == 1.0
    assert one.pass_at(6) is None


def test_draws_that_were_not_checked_count_for_nothing(tmp_path: Path) -> None:
    suite = a_suite(tmp_path, f"{OUTPUT}pass_rate = 0.5\n", head=HEAD_5)
    left_out = {("t", 2): "skipped", ("t", 3): "skipped", ("t", 4): "skipped"}
    one = of(judge_all(suite, draws("so", "no"), not_checked=left_out), "says so")
    assert (one.state, one.pass_rate, one.pass_at(2), one.pass_at(5)) == ("passed", 0.5, 1.0, None)


def test_the_spread_tells_how_much_draws_vary(tmp_path: Path) -> None:
    cases = [
        a_case("so", topic_id="a", sample=0, calls=[a_call("ask", "so", tokens=(10, 10, 0))]),
        a_case("so so", topic_id="a", sample=1, calls=[a_call("ask", "so so", tokens=(10, 20, 0))]),
        a_case("so", topic_id="b", sample=0, calls=[a_call("ask", "so", tokens=(100, 100, 0))]),
        a_case("no", topic_id="b", sample=1, calls=[a_call("ask", "no", tokens=(100, 100, 0))]),
    ]
    report = judge_all(a_suite(tmp_path, OUTPUT + STEP, head=f"samples = 2\n{HEAD}"), cases)
    for name in ("says so", "asks so"):
        spreads = of(report, name).spreads
        # 20 and 30 tokens vary by 50, 200 and 200 by nothing; 2 and 5 characters by 4.5.
        assert (spreads["tokens"].mean, spreads["tokens"].variance) == (112.5, 25.0)
        assert (spreads["length"].mean, spreads["length"].variance) == (2.75, 2.25)
        # All topics pass in the first draw, half of them in the second.
        assert (spreads["pass_rate"].mean, spreads["pass_rate"].variance) == (0.75, 0.125)
        # Ten tokens of output at $1.20 a million.
        assert spreads["cost"].variance == pytest.approx((10 * 1.2e-6) ** 2 / 2 / 2)


def test_a_price_that_is_not_known_has_no_spread(tmp_path: Path) -> None:
    cases = [a_case("so", sample=n, calls=[a_call("ask", "so", model="m")]) for n in range(2)]
    report = judge_all(a_suite(tmp_path, OUTPUT, head=f"samples = 2\n{HEAD}"), cases)
    assert set(of(report, "says so").spreads) == {"pass_rate", "tokens", "length"}


def test_single_draws_have_no_spread(tmp_path: Path) -> None:
    assert of(judge_all(a_suite(tmp_path, OUTPUT), topics("so")), "says so").spreads == {}


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_pass_at_k_is_the_share_of_choices_with_a_draw_that_passes(
    passes: list[bool], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(passes)))
    choices = [any(choice) for choice in itertools.combinations(passes, k)]
    assert math.isclose(
        pass_at_k(len(passes), sum(passes), k), sum(choices) / len(choices), abs_tol=1e-12
    )


@pytest.mark.parametrize("numbers", [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_pass_at_k_of_what_cannot_be_is_an_error(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no pass@"):
        pass_at_k(*numbers)


@given(st.lists(st.lists(st.integers(-1000, 1000).map(float), max_size=5), max_size=4))
def test_a_spread_is_there_where_anything_was_drawn_twice(
    groups: Sequence[Sequence[float]],
) -> None:
    spread = spread_of(groups)
    assert (spread is None) == all(len(group) < 2 for group in groups)
    if spread is not None:
        assert spread.variance >= 0
        assert (spread.variance == 0) == all(
            len(set(group)) == 1 for group in groups if len(group) > 1
        )
        assert spread.deviation**2 == pytest.approx(spread.variance)
