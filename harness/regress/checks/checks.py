"""A check, and what becomes of it in one draw of one topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.domain.failures import CacheMiss
from harness.domain.pricing import Pricing
from harness.domain.run import drawn_id
from harness.records.stored import StoredResult, StoredSpan
from harness.regress.case import Case
from harness.regress.checks.expect_parts import Status
from harness.regress.checks.expect_texts import EqualsGolden
from harness.regress.checks.expectation import Expectation, Shortfall, Unknown, View
from harness.regress.checks.golden import Accepted, Golden
from harness.regress.checks.judge_calls import is_judge, own_calls

State = Literal["passed", "failed", "not checked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Expectations that must all hold: of each call of a step, or, without a step, of the topic's
    output.

    `pass_rate` is the share of a topic's draws that must pass. `line` is where it stands in the
    suite's file. `implied`: nobody wrote it, it holds for every suite.
    """

    name: str
    line: int
    expectations: tuple[Expectation, ...]
    step: str | None = None
    pass_rate: float = 1.0
    implied: bool = False

    @property
    def compares(self) -> bool:
        """Return whether it needs the golden file."""
        return any(isinstance(each, EqualsGolden) for each in self.expectations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """One expectation that did not hold. `checked` is the call that was looked at, None where it
    was the output.

    `call` is the one whose trace explains it: that call, or the one that made the output.
    """

    expectation: str
    shortfall: Shortfall
    checked: str | None
    call: StoredSpan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """The outcome of a check in one draw. `why` says why it was not checked."""

    sample: int
    state: State
    failing: tuple[Failing, ...] = ()
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The material that a check needs beside the case. `unrecorded` are calls whose requests the
    cassette does not know, by draw.

    `left_out` says of draws why they were not replayed at all.
    """

    golden: Golden = Golden()
    pricing: Pricing = Pricing()
    unrecorded: Mapping[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    left_out: Mapping[tuple[str, int], str] = field(default_factory=dict)


def look(check: Check, case: Case, evidence: Evidence) -> Draw:
    """Return what becomes of the check in this draw."""
    draw = (case.topic_id, case.sample)
    if (why := evidence.left_out.get(draw)) is not None:
        return Draw(sample=case.sample, state="not checked", why=why)
    unrecorded = evidence.unrecorded.get(draw, frozenset())
    accepted = evidence.golden.draws.get(drawn_id(*draw), Accepted())

    def view(call: StoredSpan | None) -> View:
        return View(
            case=case, call=call, accepted=accepted, pricing=evidence.pricing, unrecorded=unrecorded
        )

    if check.step is None:
        outcomes = _of_output(check, view(None))
    else:
        calls = [call for call in own_calls(case) if call.step == check.step]
        outcomes = [outcome for call in calls for outcome in _of_call(check, view(call), call)]
        outcomes += _gone(check, accepted, calls) if not _missed(unrecorded) else []
        outcomes += [] if calls else [Unknown(why=_why_it_never_ran(case, unrecorded))]
    return _draw(case.sample, outcomes)


def _draw(sample: int, outcomes: Iterable[Failing | Unknown]) -> Draw:
    """Failed if anything failed, else not checked if anything is not known."""
    found = list(outcomes)
    failing = tuple(one for one in found if isinstance(one, Failing))
    if failing:
        return Draw(sample=sample, state="failed", failing=failing)
    unknown = next((one for one in found if isinstance(one, Unknown)), None)
    if unknown is not None:
        return Draw(sample=sample, state="not checked", why=unknown.why)
    return Draw(sample=sample, state="passed")


def _of_output(check: Check, view: View) -> list[Failing | Unknown]:
    row = view.case.row
    missed = _missed(view.unrecorded)
    if missed or _is_miss(row):
        return [
            Unknown(why=f"the output rests on what is not recorded: {_some(missed) or 'a call'}")
        ]
    call = _maker(view)
    if row.status == "failed":
        # Nothing was put out, so nothing can be said of it but that; a look at the status says it
        # best.
        says = tuple(each for each in check.expectations if isinstance(each, Status)) or (Status(),)
        return _findings(replace(check, expectations=says), view, call)
    return _findings(check, view, call)


def _of_call(check: Check, view: View, call: StoredSpan) -> list[Failing | Unknown]:
    if call.id in view.unrecorded or _is_miss(call):
        return [Unknown(why=f"its call is not recorded: {call.id}")]
    error = call.error
    if error is not None:
        shortfall = Shortfall(
            message=f"the call failed: {error.message}", expected="an answer", got=error.message
        )
        return [Failing(expectation="is answered", shortfall=shortfall, checked=call.id, call=call)]
    return _findings(check, view, call)


def _findings(check: Check, view: View, call: StoredSpan | None) -> list[Failing | Unknown]:
    found: list[Failing | Unknown] = []
    for expectation in check.expectations:
        match expectation.look(view):
            case Shortfall() as shortfall:
                looked_at = view.call.id if view.call is not None else None
                found.append(
                    Failing(
                        expectation=expectation.wanted,
                        shortfall=shortfall,
                        checked=looked_at,
                        call=call,
                    )
                )
            case Unknown() as unknown:
                found.append(unknown)
    return found


def _gone(check: Check, accepted: Accepted, calls: Iterable[StoredSpan]) -> list[Failing | Unknown]:
    """Return what was accepted of calls of the step that were not made now."""
    if not check.compares or check.step is None:
        return []
    made = {call.id for call in calls}
    gone = [span_id for span_id in accepted.of_step(check.step) if span_id not in made]
    return [
        Failing(
            expectation=EqualsGolden().wanted,
            shortfall=Shortfall(
                message="this call was accepted and is not made any more",
                expected=accepted.calls[span_id],
                got="no call",
            ),
            checked=span_id,
            call=None,
        )
        for span_id in gone
    ]


def _maker(view: View) -> StoredSpan | None:
    """The call that said what the output says; else the last one."""
    calls = view.calls
    if not calls:
        return None
    return next(
        (call for call in reversed(calls) if call.content and call.content == view.text), calls[-1]
    )


def _missed(unrecorded: Set[str]) -> list[str]:
    """Calls of the workflow itself; a judge's verdict that is not recorded concerns its own check
    only.
    """
    return sorted(span_id for span_id in unrecorded if not is_judge(span_id))


def _is_miss(row: StoredResult | StoredSpan) -> bool:
    """Return whether a call, or a topic, failed for want of a recorded answer and for no other
    reason.
    """
    error = row.error
    return error is not None and error.type == CacheMiss.__name__


def _why_it_never_ran(case: Case, unrecorded: Set[str]) -> str:
    if _missed(unrecorded) or _is_miss(case.row):
        return "the step was not reached: a call before it is not recorded"
    if case.row.status == "failed":
        return "the step was not reached: the topic failed"
    return "the step did not run"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
