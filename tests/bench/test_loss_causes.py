"""The real engine on virtual time, with one thing wrong at a time: the benchmark names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benches import known, no_other_clock

from harness.bench.arms import arms_of
from harness.bench.bench_report import ArmFigures, MeanBound, as_json
from harness.bench.experiment import Plan, run_experiment
from harness.bench.files import Bench
from harness.bench.numbers import report_of
from harness.bench.words import story_of
from harness.domain.policy import Limits
from harness.settings import load_settings
from harness.testing.virtual_time import VirtualClock
from harness.timing.losses import CAUSES

IDLE = """
from anyio import sleep


async def idle(step, topic):
    await step.complete("one", topic.text)
    await sleep(60)
    return (await step.complete("two", "And " + topic.text)).content
"""


def benchmark(
    path: Path, *, topics: int = 6, in_flight: int = 4, arms: str = "batch", **settings: Any
) -> Bench:
    """One round, on answers of 8 to 12 s."""
    source = path / "topics.jsonl"
    source.write_text(
        "".join(
            json.dumps({"id": f"t{n}", "topic": f"Question {n}?"}) + "\n" for n in range(topics)
        )
    )
    loaded = load_settings({"endpoint": "mock", "latency": "uniform:8:12", **settings}, environ={})
    plan = Plan(
        loaded=loaded,
        source=str(source),
        arms=arms_of(arms.split(","), (in_flight,), loaded.settings.limits()),
        repeat=1,
        virtual=True,
    )
    return run_experiment(
        plan, path / "bench", clock=VirtualClock(), run_async=no_other_clock, tell=lambda line: None
    )


def measure(path: Path, **settings: Any) -> ArmFigures:
    """The numbers of the one arm of a benchmark."""
    (arm,) = report_of(benchmark(path, **settings)).arms
    check(arm)
    return arm


def check(arm: ArmFigures) -> None:
    """What holds of every arm, whatever went wrong in it."""
    wall_s, bound_s, losses = arm.wall_s, arm.bound.seconds, arm.losses
    assert 0 < bound_s <= wall_s
    assert min(losses.values()) >= 0
    assert sum(losses.values()) == pytest.approx(wall_s - bound_s, abs=1e-6)


@pytest.mark.parametrize(
    ("cause", "settings"),
    [
        ("per_run", {"per_run": 1, "topics": 2}),
        ("runs", {"runs": 1, "per_run": 1}),
        ("in_flight", {"faults": "429-tpm=0.5"}),
        ("backoff", {"faults": "503=0.95", "topics": 1, "in_flight": 1, "patience": "0"}),
        ("outage", {"faults": "503=0.95", "topics": 1, "in_flight": 1}),
        ("attempts", {"faults": "reset=0.5", "topics": 2, "in_flight": 1}),
        ("pace", {"tpm": 6_000, "in_flight": 16}),
        ("budget", {"budget_tokens": 120_000, "in_flight": 8}),
        ("order", {"topics": 5, "in_flight": 8}),
    ],
)
def test_the_greatest_loss_is_laid_to_what_was_made_scarce(
    tmp_path: Path, cause: str, settings: dict[str, Any]
) -> None:
    losses = measure(tmp_path, **settings).losses
    assert max(losses, key=lambda name: losses[name]) == cause, losses


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_has_words_in_the_story_of_an_arm(cause: str) -> None:
    bound = MeanBound(seconds=1.0, by="work", work_s=1.0, critical_path_s=0.0, pace_s=0.0)
    story = story_of(Limits(in_flight=1), 10.0, bound, {cause: 9.0})
    assert "; 9.0 s was lost to " in story


def test_a_benchmark_that_met_no_outage_does_not_speak_of_one(tmp_path: Path) -> None:
    report = report_of(benchmark(tmp_path, topics=2))
    assert "outage" not in json.dumps(as_json(report.arms))


def test_the_pace_is_a_bound_and_no_loss_where_it_is_met(tmp_path: Path) -> None:
    arm = measure(tmp_path, in_flight=16, rpm=6)
    assert arm.bound.by == "pace"
    assert arm.losses["pace"] < 0.1 * arm.wall_s, arm


def test_a_workflow_that_waits_for_itself_is_our_own_code(tmp_path: Path) -> None:
    (tmp_path / "idle.py").write_text(IDLE)
    losses = measure(tmp_path, workflow=f"{tmp_path / 'idle.py'}:idle").losses
    assert max(losses, key=lambda name: losses[name]) == "own_code", losses


@pytest.mark.parametrize("faults", ["none", "0.3", "reset=0.3,503=0.3", "stall=0.1,429-rpm=0.2"])
def test_one_call_at_a_time_loses_as_much_to_its_failed_attempts_as_they_took(
    tmp_path: Path, faults: str
) -> None:
    bench = benchmark(
        tmp_path, arms="sequential,batch", topics=3, faults=faults, patience="0", idle_timeout=30
    )
    sequential, batch = report_of(bench).arms
    check(sequential)
    check(batch)
    assert known(sequential.speedup).value == known(sequential.topic_speedup).value == 1.0
    in_vain_s = sum(
        one.elapsed_s
        for call in bench.calls
        if call.arm == "sequential"
        for one in call.times.before
    )
    assert sequential.losses["attempts"] == pytest.approx(in_vain_s, abs=1e-3)
