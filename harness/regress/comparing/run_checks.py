"""The checks of a suite on the topics of any run, to tell a better run from a worse one."""

from __future__ import annotations

from collections.abc import Mapping

from harness.regress.case import Case
from harness.regress.checks.checks import Check, Evidence, look
from harness.regress.checks.golden import Golden
from harness.regress.checks.judge_calls import is_judge
from harness.regress.checks.judging import Judged
from harness.regress.comparing.topic_difference import Checks
from harness.regress.suites.suite import Suite


def checks_of(suite: Suite, golden: Golden) -> Checks:
    """The suite's checks. Those that a model judges are made only where the run has asked the judge
    itself.
    """
    evidence = Evidence(golden=golden, pricing=suite.pricing)

    def passed(case: Case) -> Mapping[str, bool]:
        judged = any(is_judge(call.id) for call in case.calls)
        draws = (
            (one.name, look(one, case, evidence))
            for one in suite.checks
            if judged or not _asks_a_judge(one)
        )
        return {name: draw.state == "passed" for name, draw in draws if draw.state != "not checked"}

    return Checks(names=tuple(check.name for check in suite.checks), passed=passed)


def _asks_a_judge(check: Check) -> bool:
    return any(isinstance(each, Judged) for each in check.expectations)
