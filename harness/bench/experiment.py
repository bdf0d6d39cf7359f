"""The experiment: all arms in paired rounds, each an ordinary run under other limits, and their
files at the end.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness._version import __version__
from harness.bench.arms import Arm, rounds_of
from harness.bench.description import About, Description
from harness.bench.files import (
    Bench,
    calls_of_round,
    read_bench,
    round_path,
    write_bench,
    write_description,
)
from harness.bench.provider_share import met_in_round
from harness.datasets.dataset import open_dataset
from harness.domain.ledger import Spent
from harness.domain.policy import Budget
from harness.engine.stopping import Stop
from harness.errors import ResultsError, RunStopped, SettingsError, StorageError
from harness.ports import WallClock
from harness.records.manifest import read_manifest
from harness.records.run import Run
from harness.runs.batch import dataset_spec, run_batch
from harness.runs.session import Report
from harness.runs.wanted import STDIN, recorded
from harness.settings import Loaded
from harness.testing.virtual_time import VirtualClock, run_virtual
from harness.text.amounts import counted, money
from harness.workflows.in_use import (
    InUse,
    check_access,
    endpoints_in_use,
    is_simulated,
    workflow_of,
)

RunAsync = Callable[[Callable[[Stop], Coroutine[Any, Any, Report]]], Report]

WARM_UP, WARM_UP_TOPICS = "warm-up", 4

# Where files lie and how they are shown decides no number, and differs from machine to machine.
_NOT_RECORDED = (
    *("out", "cache", "cache_mode", "ttl", "yes", "json", "quiet", "verbose", "in_flight"),
    *("otlp", "otlp_content", "log_format", "log_level", "log_file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A benchmark to be run. `virtual`: on the jumping clock; all else in `loaded`."""

    loaded: Loaded
    source: str
    arms: tuple[Arm, ...]
    repeat: int
    virtual: bool

    @property
    def sessions(self) -> int:
        """The number of times that the whole dataset is run through."""
        return len(self.arms) * self.repeat


def check_plan(plan: Plan) -> int:
    """Return the number of topics, before anything is made or asked.

    Raises SettingsError for what cannot be measured, and what a run raises for its file, workflow
    and key.
    """
    settings = plan.loaded.settings
    if plan.source == STDIN:
        raise SettingsError(
            "bench reads its topics once an arm and round, and - can be read once; give it a file"
        )
    if plan.repeat < 1:
        raise SettingsError("--repeat: at least one round")
    used = plan_endpoints(plan)
    if plan.virtual and not is_simulated(used):
        raise SettingsError("--virtual: only the mock lives on virtual time; add --endpoint mock")
    if plan.virtual and settings.latency == "none":
        raise SettingsError(
            "--virtual: with --latency none nothing takes time; give one, such as uniform:8:12"
        )
    check_access(plan.loaded, used)
    with closing(open_dataset(dataset_spec(settings, plan.source))) as dataset:
        dataset.check(skip_bad=settings.skip_bad)
        return dataset.count


def plan_endpoints(plan: Plan) -> tuple[InUse, ...]:
    """Return the endpoints that are asked.

    Raises what a run raises for its workflow, and for a name that is not known.
    """
    return endpoints_in_use(plan.loaded, workflow_of(plan.loaded))


def about_here(seed: int) -> About:
    """Return the versions and the machine at hand."""
    return About(
        harness=__version__,
        python=platform.python_version(),
        openai=importlib.metadata.version("openai"),
        system=f"{platform.uname().system} {platform.machine()}",
        cores=os.cpu_count(),
        seed=seed,
    )


def run_experiment(
    plan: Plan,
    path: Path,
    *,
    clock: WallClock,
    run_async: RunAsync,
    tell: Callable[[str], None],
    about: About | None = None,
) -> Bench:
    """Measure all arms and leave `bench.json` and `spans.jsonl` in `path`, which must not hold a
    benchmark.

    `run_async` runs a session to its end on real time; on virtual time it is not used. Raises what
    a run raises, RunStopped where a round was stopped, KeyboardInterrupt where it was interrupted,
    and ResultsError where a round cannot be compared with the others.
    """
    topics = check_plan(plan)
    _claim(path)
    rounds = rounds_of(plan.arms, plan.repeat, plan.loaded.settings.seed)
    description = _description_of(plan, topics, rounds, clock, about)
    # The directory says that it is unfinished until it is not.
    write_description(path, description)
    sessions = _Sessions(plan, path, salt=str(description.created_at), run_async=run_async)
    if not plan.virtual:
        widest = max(plan.arms, key=lambda arm: arm.limits.in_flight)
        tell("warming up")
        sessions.run(replace(widest, name=WARM_UP), 0)
    calls, met = [], []
    for number, order in enumerate(rounds, start=1):
        for arm in order:
            tell(f"round {number} of {plan.repeat}: {arm.name}")
            sessions.run(arm, number)
            calls += calls_of_round(path, arm.name, number)
            where = round_path(path, arm.name, number)
            limits = met_in_round(Run.open(where), arm=arm.name, number=number)
            if limits is not None:
                met.append(limits)
    identity = read_manifest(round_path(path, plan.arms[0].name, 1)).identity
    position = {arm.name: index for index, arm in enumerate(plan.arms)}
    calls.sort(key=lambda call: (position[call.arm], call.round))
    complete = replace(description, status="complete", identity=identity, met=tuple(met))
    write_bench(path, complete, calls)
    return read_bench(path)


def _description_of(
    plan: Plan,
    topics: int,
    rounds: Sequence[Sequence[Arm]],
    clock: WallClock,
    about: About | None,
) -> Description:
    """Describe the benchmark as it begins."""
    settings = plan.loaded.settings
    shown = {name: value for name, value in recorded(settings).items() if name not in _NOT_RECORDED}
    created_at = warm_up = None
    if not plan.virtual:
        created_at = clock.now().isoformat(timespec="seconds")
        warm_up = f"{counted(min(WARM_UP_TOPICS, topics), 'topic')} in the widest arm, excluded"
    return Description(
        status="running",
        created_at=created_at,
        about=about or about_here(settings.seed),
        virtual=plan.virtual,
        repeat=plan.repeat,
        topics=topics,
        warm_up=warm_up,
        arms=plan.arms,
        order=tuple(tuple(arm.name for arm in order) for order in rounds),
        settings=shown,
    )


def _claim(path: Path) -> None:
    """Make the directory; one that holds something is another's."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise ResultsError(
                f"{path}: holds files already; choose another directory with --out DIR"
            )
    except FileExistsError:
        raise ResultsError(f"{path}: is a file; choose another directory with --out DIR") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be made: {error.strerror or error}") from error


def session_of(
    plan: Plan, path: Path, arm: Arm, number: int, *, spent: Sequence[Spent], salt: str
) -> Loaded:
    """Return the settings of one arm in one round: what is drawn is drawn alike for all arms, and
    anew for each round.

    The cache answers nothing: its file is there for the journal of what was sent. Nor does the
    provider's: to it each session is a user of its own, told by `salt` from those of another
    benchmark.
    """
    settings = plan.loaded.settings
    where = round_path(path, arm.name, number)
    changes: dict[str, Any] = {
        **arm.settings(),
        **left_of(settings.spending_cap(), spent),
        "out": where,
        "cache": path / "journal.db",
        "cache_mode": "off",
        "seed": settings.seed + number,
    }
    if arm.name == WARM_UP:
        changes["limit"] = min(settings.limit or WARM_UP_TOPICS, WARM_UP_TOPICS)
    user_id = hashlib.sha256(f"{salt} {where}".encode()).hexdigest()[:32]
    return replace(plan.loaded, settings=settings.model_copy(update=changes), user_id=user_id)


def left_of(budget: Budget, sessions: Sequence[Spent]) -> dict[str, Any]:
    """Return the settings of a session that follows these: what they left of each cap.

    The caps hold for a whole benchmark. Payments that are unknown count as made.
    """
    cost, tokens, calls = budget.cost, budget.tokens, budget.calls
    if cost is not None:
        cost = max(0.0, cost - sum(one.cost + one.cost_at_risk for one in sessions))
    if tokens is not None:
        tokens = max(0, tokens - sum(one.tokens + one.tokens_at_risk for one in sessions))
    if calls is not None:
        calls = max(0, calls - sum(one.calls for one in sessions))
    return {"budget": cost, "budget_tokens": tokens, "run_calls": calls}


@dataclass(slots=True)
class _Sessions:
    """The runs of a benchmark, one after another, and what they have spent."""

    plan: Plan
    path: Path
    salt: str
    run_async: RunAsync
    spent: list[Spent] = field(default_factory=list)

    def run(self, arm: Arm, number: int) -> None:
        """Run one arm once through the dataset."""
        loaded = session_of(self.plan, self.path, arm, number, spent=self.spent, salt=self.salt)
        run_id = f"{self.path.name}-{number}-{arm.name}"

        async def session(stop: Stop, clock: WallClock | None = None) -> Report:
            return await run_batch(loaded, self.plan.source, stop=stop, clock=clock, run_id=run_id)

        async def on_virtual_time() -> Report:
            return await session(Stop(), VirtualClock())

        report = run_virtual(on_virtual_time) if self.plan.virtual else self.run_async(session)
        if report.stop is not None and report.stop.kind == "interrupted":
            raise KeyboardInterrupt
        if report.stop is not None:
            left = self._left_words() if report.stop.kind == "budget" else ""
            message = report.stop.message.rstrip(".")
            raise RunStopped(
                f"{arm.name}, round {number}: {message}{left}; the benchmark in {self.path} is"
                " incomplete"
            )
        self.spent.append(report.spent)

    def _left_words(self) -> str:
        return (
            f" (a budget is one for the whole benchmark: {len(self.spent)} sessions before this one"
            f" have spent {money(sum(one.cost for one in self.spent))} and"
            f" {sum(one.tokens for one in self.spent):,} tokens in"
            f" {sum(one.calls for one in self.spent):,} requests)"
        )
