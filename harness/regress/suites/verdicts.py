"""Judging a suite: every check on every draw of every topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.domain.who_answered import AnswererCounts
from harness.errors import SuiteError
from harness.regress.case import Case
from harness.regress.checks.checks import Check, Draw, Evidence, look
from harness.regress.checks.golden import Golden
from harness.regress.checks.judge_calls import own_calls
from harness.regress.checks.misses import Miss, grouped, unrecorded_calls
from harness.regress.suites.accepting import gone
from harness.regress.suites.measures import spreads
from harness.regress.suites.report import CheckVerdict, SuiteReport, TopicVerdict
from harness.regress.suites.suite import Suite
from harness.settings.toml_tables import suggestion


def judge_all(
    suite: Suite,
    cases: Iterable[Case],
    golden: Golden | None = None,
    *,
    misses: Sequence[Miss] = (),
    not_checked: Mapping[tuple[str, int], str] | None = None,
    stale: int = 0,
    misses_fail: bool = True,
    answers: AnswererCounts | None = None,
) -> SuiteReport:
    """Check everything. `cases` are the draws that were replayed, in the order of the dataset,
    `answers` who gave them.

    `not_checked` says of draws, by topic and sample, why they were left out; they need no case.
    Raises SuiteError where there is no topic at all, or where the suite names a step that no topic
    has.
    """
    replayed, left_out = list(cases), not_checked or {}
    evidence = Evidence(
        golden=golden or Golden(),
        pricing=suite.pricing,
        unrecorded=unrecorded_calls(misses),
        left_out=left_out,
    )
    by_topic = _by_topic(replayed, left_out)
    if not by_topic:
        raise SuiteError(
            f"{suite.place('dataset')}: no topics to check: {suite.dataset} has none that the"
            " settings filter and limit leave"
        )
    _refuse_unknown_steps(suite, replayed, evidence)
    return SuiteReport(
        suite=suite,
        topics=len(by_topic),
        checks=tuple(_check_verdict(check, by_topic, evidence, suite) for check in suite.checks),
        misses=grouped(misses),
        misses_fail=misses_fail,
        stale=stale,
        gone=gone(replayed, evidence.golden, left_out) if suite.compares else (),
        answers=answers or Counter(),
    )


def _by_topic(
    cases: Iterable[Case], left_out: Iterable[tuple[str, int]]
) -> dict[str, dict[int, Case | None]]:
    """The draws of each topic; None for one that was left out."""
    found: dict[str, dict[int, Case | None]] = {}
    for case in cases:
        found.setdefault(case.topic_id, {})[case.sample] = case
    for topic_id, sample in left_out:
        found.setdefault(topic_id, {}).setdefault(sample, None)
    return found


def _refuse_unknown_steps(suite: Suite, cases: Sequence[Case], evidence: Evidence) -> None:
    """Only a topic that was worked on to its end tells which steps there are."""
    ran = {call.step for case in cases for call in own_calls(case)}
    whole = [
        case
        for case in cases
        if case.row.status != "failed" and (case.topic_id, case.sample) not in evidence.unrecorded
    ]
    if not whole:
        return
    named = [(check.line, check.step, "step") for check in suite.checks if check.step is not None]
    named += [(line, step, "the table [steps]") for step, line in suite.step_lines.items()]
    wrong = []
    for line, step, where in sorted(named):
        if step not in ran:
            if ran:
                hint = suggestion(step, ran)
            else:
                hint = "; the workflow made no call"
            wrong.append(f"{suite.path}:{line}: {where}: no topic has a step {step!r}{hint}")
    if wrong:
        raise SuiteError("\n".join(wrong))


def _check_verdict(
    check: Check,
    by_topic: Mapping[str, Mapping[int, Case | None]],
    evidence: Evidence,
    suite: Suite,
) -> CheckVerdict:
    topics = tuple(
        TopicVerdict(
            topic_id=topic_id,
            draws=tuple(
                _draw(check, topic_id, sample, cases[sample], evidence) for sample in sorted(cases)
            ),
            pass_rate=check.pass_rate,
        )
        for topic_id, cases in by_topic.items()
    )
    if suite.samples > 1:
        varying = spreads(check, topics, by_topic, suite.pricing)
    else:
        varying = {}
    return CheckVerdict(check=check, topics=topics, spreads=varying)


def _draw(check: Check, topic_id: str, sample: int, case: Case | None, evidence: Evidence) -> Draw:
    if case is None:
        return Draw(sample=sample, state="not checked", why=evidence.left_out[topic_id, sample])
    return look(check, case, evidence)
