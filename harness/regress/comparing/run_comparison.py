"""Two runs side by side: what became of the topics that both have, step by step and in all, and how
the runs differ.

Topics are read in pairs, one after another; what is kept of a pair are some numbers.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from statistics import median
from typing import Any

from harness.domain.who_answered import AnswererCounts
from harness.errors import InputError
from harness.records.answers import answers_of_topic
from harness.records.manifest import Manifest
from harness.records.run_index import RunIndex
from harness.regress.case import Case
from harness.regress.comparing.topic_difference import (
    NO_CHECKS,
    Amounts,
    CallDifference,
    Checks,
    TopicDifference,
    compare_cases,
)

# Where a run wrote, what it showed, and what it was allowed to spend: nothing of the work or its
# pace.
_OF_THE_RUN = {"out", "yes", "json", "quiet", "verbose", "prompts", "cache"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A run that is compared. `wall_s` is that of its sessions, None where it was killed."""

    path: str
    run_id: str
    created_at: str
    status: str
    model: str
    endpoint: str
    workflow: str
    prompts: str
    topics: int
    finished: int
    wall_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Something in which two runs differ: `identity`, if it decides the answers, else it decides
    how a run is done.
    """

    name: str
    a: Any
    b: Any
    identity: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDifference:
    """All calls of a step, over the topics of both runs."""

    step: str
    requests_changed: int = 0
    answers_changed: int = 0
    reasoning_changed: int = 0
    lone: int = 0
    a: Amounts = Amounts()
    b: Amounts = Amounts()

    def with_call(self, call: CallDifference) -> StepDifference:
        """This and one call more."""
        pair = call.pair
        return replace(
            self,
            requests_changed=self.requests_changed + call.request_changed,
            answers_changed=self.answers_changed + call.answer_changed,
            reasoning_changed=self.reasoning_changed + call.reasoning_changed,
            lone=self.lone + call.lone,
            a=self.a if pair.a is None else self.a + Amounts.of_call(pair.a),
            b=self.b if pair.b is None else self.b + Amounts.of_call(pair.b),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDifference:
    """The number of topics (draws, where there are several) that pass a check in each run, of those
    where it was made in both.
    """

    name: str
    checked: int
    passed_a: int
    passed_b: int
    lost: int
    gained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs. `changed` topics come the worst first; amounts are those of the topics that both
    have.

    `only_a` and `only_b` are ids. `topic_s` is the median time of a topic in each run. `answers_a`
    and `answers_b` are who answered the calls of these topics.
    """

    a: Head
    b: Head
    settings: tuple[Setting, ...]
    changed: tuple[TopicDifference, ...]
    unchanged: int
    requests_only: int
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    steps: tuple[StepDifference, ...]
    checks: tuple[CheckDifference, ...]
    amounts_a: Amounts
    amounts_b: Amounts
    topic_s: tuple[float, float]
    answers_a: AnswererCounts
    answers_b: AnswererCounts

    @property
    def common(self) -> int:
        return self.unchanged + len(self.changed)

    @property
    def same(self) -> bool:
        """Return whether both runs have the same topics, and all came out the same."""
        return not self.changed and not self.only_a and not self.only_b


def compare_runs(a: RunIndex, b: RunIndex, checks: Checks = NO_CHECKS) -> Comparison:
    """Compare all topics.

    Raises InputError where no topic is in both runs, or there are checks and none can be made on
    both; ResultsError for damaged rows.
    """
    refuse_nothing_to_compare(a, b)
    found = _Found(checks.names)
    for topic_id in a:
        if topic_id in b:
            case_a, case_b = case_of(a, topic_id), case_of(b, topic_id)
            found.add(*compare_cases(case_a, case_b, checks))
            found.answers_a += answers_of_topic(case_a.row, case_a.calls)
            found.answers_b += answers_of_topic(case_b.row, case_b.calls)
    if checks.names and not any(map(Counter.total, found.checks.values())):
        raise InputError(
            "none of the checks could be made on any topic of both runs, so they say nothing"
        )
    return Comparison(
        a=head_of(a),
        b=head_of(b),
        settings=settings_changed(a.manifest, b.manifest),
        changed=tuple(sorted(found.changed, key=lambda topic: topic.badness)),
        unchanged=len(found.times_a) - len(found.changed),
        requests_only=found.requests_only,
        only_a=tuple(topic_id for topic_id in a if topic_id not in b),
        only_b=tuple(topic_id for topic_id in b if topic_id not in a),
        steps=tuple(found.steps.values()),
        checks=tuple(_check(name, passes) for name, passes in found.checks.items()),
        amounts_a=found.amounts_a,
        amounts_b=found.amounts_b,
        topic_s=(median(found.times_a), median(found.times_b)),
        answers_a=found.answers_a,
        answers_b=found.answers_b,
    )


def refuse_nothing_to_compare(a: RunIndex, b: RunIndex) -> None:
    """Raises InputError for one run twice, and for two that have no topic in common."""
    if a.path.resolve() == b.path.resolve():
        raise InputError(f"{a.path} and {b.path} are the same run, so there is nothing to compare")
    for run in (a, b):
        if len(run) == 0:
            raise InputError(
                f"{run.path}: no topic of this run is finished, so there is nothing to compare"
            )
    if not any(topic_id in b for topic_id in a):
        raise InputError(
            f"{a.path} and {b.path} have no topic in common, so there is nothing to compare: the"
            f" first begins with {next(iter(a))!r}, the second with {next(iter(b))!r}"
        )


def case_of(run: RunIndex, topic_id: str) -> Case:
    """A topic of a run, read from its files. Raises ResultsError for damaged rows."""
    row = run.row(topic_id)
    drawn_from, sample = run.draw_of(row)
    return Case(topic_id=drawn_from, sample=sample, row=row, calls=run.calls(topic_id))


def head_of(run: RunIndex) -> Head:
    """Return what `run.json` says of a run, as far as it tells two runs apart."""
    manifest = run.manifest
    identity, settings, sessions = manifest.identity, manifest.settings, manifest.session_log
    return Head(
        path=str(run.path),
        run_id=manifest.run_id,
        created_at=str(manifest.json.get("created_at", "")),
        status=manifest.status,
        model=str(identity.get("model")),
        endpoint=str(identity.get("endpoint")),
        workflow=str(identity.get("workflow")),
        prompts=_prompts_name(identity.get("prompts"), settings.get("prompts")),
        topics=manifest.dataset.topics,
        finished=len(run),
        wall_s=sum(session.get("wall_s", 0.0) for session in sessions) if sessions else None,
    )


def settings_changed(a: Manifest, b: Manifest) -> tuple[Setting, ...]:
    """In what two runs differ by their `run.json`: what identifies them, then the other
    settings.
    """
    identity = [
        Setting(name=name, a=old, b=new, identity=True)
        for name, old, new in _differing(a.identity, b.identity)
    ]
    code = (a.workflow_sha256, b.workflow_sha256)
    if code[0] != code[1]:
        identity.append(Setting(name="workflow code", a=code[0], b=code[1], identity=True))
    known = {*a.identity, *b.identity} | _OF_THE_RUN
    others = [
        Setting(name=name, a=old, b=new, identity=False)
        for name, old, new in _differing(a.settings, b.settings)
        if name not in known
    ]
    return (*identity, *others)


class _Found:
    """The sums that grow while topics pass by."""

    def __init__(self, checks: Sequence[str]) -> None:
        self.changed: list[TopicDifference] = []
        self.requests_only = 0
        self.steps: dict[str, StepDifference] = {}
        self.checks = {name: Counter[tuple[bool, bool]]() for name in checks}
        self.amounts_a = self.amounts_b = Amounts()
        self.answers_a: AnswererCounts = Counter()
        self.answers_b: AnswererCounts = Counter()
        self.times_a, self.times_b = array("d"), array("d")

    def add(self, topic: TopicDifference, calls: Sequence[CallDifference]) -> None:
        for call in calls:
            self.steps[call.step] = self.steps.get(
                call.step, StepDifference(step=call.step)
            ).with_call(call)
        for name, passed_a, passed_b in topic.checks:
            self.checks[name][passed_a, passed_b] += 1
        self.amounts_a += topic.a
        self.amounts_b += topic.b
        self.times_a.append(topic.a.elapsed_s)
        self.times_b.append(topic.b.elapsed_s)
        if not topic.same:
            self.changed.append(topic)
        elif topic.requests_changed:
            self.requests_only += 1


def _check(name: str, passes: Counter[tuple[bool, bool]]) -> CheckDifference:
    return CheckDifference(
        name=name,
        checked=passes.total(),
        passed_a=passes[True, True] + passes[True, False],
        passed_b=passes[True, True] + passes[False, True],
        lost=passes[True, False],
        gained=passes[False, True],
    )


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys((*a, *b)):
        if a.get(name) != b.get(name):
            yield name, a.get(name), b.get(name)


def _prompts_name(sha256: object, path: object) -> str:
    """`my.toml (3f2a91c0)`: a file's name says which prompts, its hash whether they are still the
    same.
    """
    sha = str(sha256)[:8] if sha256 else "none"
    if path:
        return f"{PurePath(str(path)).name} ({sha})"
    return sha
