"""Taking today's answers as golden: what the golden file becomes, and what stays because it could
not be looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.domain.run import drawn_id
from harness.regress.case import Case
from harness.regress.checks.golden import Accepted, Golden
from harness.regress.checks.judge_calls import is_judge, own_calls
from harness.regress.checks.misses import Miss, unrecorded_calls
from harness.regress.checks.texts import text_of_call
from harness.regress.suites.suite import Suite


def accept(
    suite: Suite,
    cases: Iterable[Case],
    old: Golden,
    *,
    misses: Iterable[Miss] = (),
    left_out: Mapping[tuple[str, int], str] | None = None,
) -> Golden:
    """Return what the golden file of the suite should be: of each draw what its checks compare, and
    nothing else.

    A draw that failed, rests on unrecorded calls or was `left_out` says nothing new, so what was
    accepted of it before stays. Draws that the dataset does not have any more are dropped.
    """
    unrecorded = unrecorded_calls(misses)
    draws: dict[str, Accepted] = {}
    known = dict.fromkeys(drawn_id(*draw) for draw in left_out or ())
    for case in cases:
        name = drawn_id(case.topic_id, case.sample)
        missed = unrecorded.get((case.topic_id, case.sample), frozenset())
        if case.row.status == "failed" or not all(map(is_judge, missed)) or name in known:
            known[name] = None
        else:
            draws[name] = _accepted(suite, case)
    kept = {name: old.draws[name] for name in known if name in old.draws}
    return Golden(draws={**kept, **draws})


def gone(
    cases: Iterable[Case], golden: Golden, left_out: Iterable[tuple[str, int]] = ()
) -> tuple[str, ...]:
    """The draws in the golden file that the dataset does not have any more, sorted."""
    present = {drawn_id(case.topic_id, case.sample) for case in cases} | {
        drawn_id(*draw) for draw in left_out
    }
    return tuple(sorted(golden.draws.keys() - present))


def _accepted(suite: Suite, case: Case) -> Accepted:
    comparing = [check.step for check in suite.checks if check.compares]
    calls = {call.id: text_of_call(call) for call in own_calls(case) if call.step in comparing}
    has_output = None in comparing
    return Accepted(
        output=case.row.output if has_output else None, has_output=has_output, calls=calls
    )
