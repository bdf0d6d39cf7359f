"""The experiment: all arms in paired rounds, each an ordinary run under other limits, and their files at the end."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness._version import __version__
from harness.adapters.results_dir import read_manifest
from harness.batch import Report, run_batch
from harness.bench.arms import Arm, rounds_of
from harness.bench.files import (
    BENCH_VERSION,
    Bench,
    arm_to_json,
    calls_of_round,
    read_bench,
    round_path,
    write_bench,
    write_description,
)
from harness.domain.policy import Limits
from harness.engine.stopping import Stop
from harness.errors import ResultsError, RunStopped, SettingsError
from harness.manifest import recorded
from harness.ports import WallClock
from harness.settings import Loaded
from harness.testing.virtual_time import VirtualClock, run_virtual

RunAsync = Callable[[Callable[[Stop], Coroutine[Any, Any, Report]]], Report]

WARM_UP, WARM_UP_TOPICS = "warm-up", 4

# Where files lie and how they are shown decides no number, and differs from machine to machine.
_NOT_RECORDED = (
    *("out", "cache", "cache_mode", "yes", "json", "quiet", "verbose", "in_flight", "per_run", "runs"),
    *("otlp", "otlp_content", "log_format", "log_level", "log_file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured. `virtual`: on the jumping clock; all else in `loaded`."""

    loaded: Loaded
    source: str
    arms: tuple[Arm, ...]
    repeat: int
    virtual: bool

    @property
    def sessions(self) -> int:
        """How often the whole dataset is run through."""
        return len(self.arms) * self.repeat


def check_plan(plan: Plan) -> None:
    """Raise SettingsError for what cannot be measured."""
    settings = plan.loaded.settings
    if plan.repeat < 1:
        raise SettingsError("--repeat: at least one round")
    if plan.virtual and not settings.is_mock:
        raise SettingsError("--virtual: only the mock lives on virtual time; add --endpoint mock")
    if plan.virtual and settings.latency == "none":
        raise SettingsError("--virtual: with --latency none nothing takes time; give one, such as uniform:8:12")


def about_here(settings_seed: int) -> dict[str, Any]:
    """Versions, cores and seed: what every file of a benchmark names."""
    return {
        "harness": __version__,
        "python": platform.python_version(),
        "openai": importlib.metadata.version("openai"),
        "system": f"{platform.uname().system} {platform.machine()}",
        "cores": os.cpu_count(),
        "seed": settings_seed,
    }


def run_experiment(
    plan: Plan,
    path: Path,
    *,
    clock: WallClock,
    run_async: RunAsync,
    tell: Callable[[str], None],
    about: dict[str, Any] | None = None,
) -> Bench:
    """Measure all arms and leave `bench.json` and `spans.jsonl` in `path`, which must not hold a benchmark.

    `run_async` runs a session to its end on real time; on virtual time it is not used. Raises what a run raises,
    RunStopped for an interruption, and ResultsError where a round cannot be compared with the others.
    """
    check_plan(plan)
    settings = plan.loaded.settings
    if path.exists() and any(path.iterdir()):
        raise ResultsError(f"{path}: holds files already; choose another directory with --out DIR")
    rounds = rounds_of(plan.arms, plan.repeat, settings.seed)
    path.mkdir(parents=True, exist_ok=True)
    description: dict[str, Any] = {
        "version": BENCH_VERSION,
        "status": "running",
        "created_at": None if plan.virtual else clock.now().isoformat(timespec="seconds"),
        "about": about or about_here(settings.seed),
        "virtual": plan.virtual,
        "repeat": plan.repeat,
        "warm_up": None if plan.virtual else f"{WARM_UP_TOPICS} topics in the widest arm, excluded",
        "arms": [arm_to_json(arm) for arm in plan.arms],
        "order": [[arm.name for arm in order] for order in rounds],
        "settings": {name: value for name, value in recorded(settings).items() if name not in _NOT_RECORDED},
    }
    # The directory says that it is unfinished until it is not.
    write_description(path, description)
    if not plan.virtual:
        widest = max(plan.arms, key=lambda arm: arm.limits.in_flight)
        tell("warming up")
        _session(plan, path, replace(widest, name=WARM_UP), 0, run_async)
    calls = []
    for number, order in enumerate(rounds, start=1):
        for arm in order:
            tell(f"round {number} of {plan.repeat}: {arm.name}")
            _session(plan, path, arm, number, run_async)
            calls += calls_of_round(path, arm.name, number)
    manifest = read_manifest(round_path(path, plan.arms[0].name, 1))
    position = {arm.name: index for index, arm in enumerate(plan.arms)}
    write_bench(
        path,
        {
            **description,
            "status": "complete",
            "topics": manifest["dataset"]["topics"],
            "identity": manifest["identity"],
        },
        sorted(calls, key=lambda call: (position[call.arm], call.round)),
    )
    return read_bench(path)


def _session(plan: Plan, path: Path, arm: Arm, number: int, run_async: RunAsync) -> None:
    """One arm once through the dataset. What is drawn is drawn alike for all arms of a round, and anew for each round.

    The cache answers nothing: its file is there for the journal of what was sent.
    """
    where = round_path(path, arm.name, number)
    settings = plan.loaded.settings
    changes: dict[str, Any] = {
        **_settings_of(arm.limits),
        "out": where,
        "cache": path / "journal.db",
        "cache_mode": "off",
        "seed": settings.seed + number,
    }
    if arm.name == WARM_UP:
        changes["limit"] = min(settings.limit or WARM_UP_TOPICS, WARM_UP_TOPICS)
    loaded = replace(plan.loaded, settings=settings.model_copy(update=changes))
    run_id = f"{path.name}-{number}-{arm.name}"

    async def session(stop: Stop, clock: WallClock | None = None) -> Report:
        return await run_batch(loaded, plan.source, stop=stop, clock=clock, run_id=run_id)

    async def on_virtual_time() -> Report:
        return await session(Stop(), VirtualClock())

    report = run_virtual(on_virtual_time) if plan.virtual else run_async(session)
    if report.stop is not None:
        raise RunStopped(f"{arm.name}: {report.stop.message}; the benchmark in {path} is not complete")


def _settings_of(limits: Limits) -> dict[str, int]:
    return {"in_flight": limits.in_flight, "per_run": limits.per_run, "runs": limits.runs}
