"""What all sessions of a benchmark share, and what none of them may."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest

from harness.bench.arms import arms_of
from harness.bench.experiment import Plan, check_plan, left_of, run_experiment, session_of
from harness.bench.files import Bench
from harness.domain.ledger import Spent
from harness.domain.policy import Budget
from harness.engine.stopping import Stop
from harness.errors import DatasetError, ResultsError, RunStopped, SettingsError
from harness.machine.wall_clock import SystemClock
from harness.runs.session import Report
from harness.settings import load_settings
from harness.testing.virtual_time import VirtualClock

TOPIC = '{"id": "sky", "topic": "Why is the sky blue?"}\n'


def a_plan(path: Path, *, text: str = TOPIC, virtual: bool = True, **settings: Any) -> Plan:
    source = path / "topics.jsonl"
    source.write_text(text)
    loaded = load_settings({"endpoint": "mock", "latency": "fixed:1", **settings}, environ={})
    arms = arms_of(("sequential", "batch"), (2,), loaded.settings.limits())
    return Plan(loaded=loaded, source=str(source), arms=arms, repeat=2, virtual=virtual)


def measure(plan: Plan, path: Path, run_async: Any = None) -> Bench:
    clock = VirtualClock() if plan.virtual else SystemClock()
    return run_experiment(plan, path, clock=clock, run_async=run_async, tell=lambda line: None)


def test_a_budget_is_one_for_the_whole_benchmark() -> None:
    sessions = (
        Spent(calls=3, cost=0.25, tokens=100, cost_at_risk=0.5, tokens_at_risk=10),
        Spent(calls=4, cost=0.25),
    )
    left = left_of(Budget(cost=1.5, tokens=1000, calls=10), sessions)
    assert left == {"budget": 0.5, "budget_tokens": 890, "run_calls": 3}
    assert left_of(Budget(cost=0.5, tokens=50, calls=5), sessions) == {
        "budget": 0.0,
        "budget_tokens": 0,
        "run_calls": 0,
    }
    assert left_of(Budget(), sessions) == {"budget": None, "budget_tokens": None, "run_calls": None}


def test_a_benchmark_whose_budget_ends_is_not_complete_and_has_not_passed_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(
        RunStopped, match="one for the whole benchmark: 2 sessions before this one have spent"
    ):
        measure(a_plan(tmp_path, run_calls=15), tmp_path / "b")
    rounds = [
        json.loads(file.read_text()) for file in (tmp_path / "b" / "rounds").glob("*/run.json")
    ]
    assert sum(run["journal"]["calls"] for run in rounds) <= 15
    assert json.loads((tmp_path / "b" / "bench.json").read_text())["status"] == "running"


def test_a_session_differs_from_another_in_its_limits_and_in_what_nobody_may_share(
    tmp_path: Path,
) -> None:
    plan = a_plan(tmp_path, run_calls=9)
    told = [
        session_of(plan, tmp_path, arm, number, spent=[Spent(calls=2)] * number, salt="today")
        for number in (1, 2)
        for arm in plan.arms
    ]
    assert [(one.settings.in_flight, one.settings.runs) for one in told] == [(1, 1), (2, None)] * 2
    assert [one.settings.seed for one in told] == [1, 1, 2, 2]
    assert [one.settings.run_calls for one in told] == [7, 7, 5, 5]
    assert {one.settings.cache_mode for one in told} == {"off"}
    # DeepSeek keeps a prefix cache for each.
    tomorrow = session_of(plan, tmp_path, plan.arms[0], 1, spent=[], salt="tomorrow")
    assert len({one.endpoint().user_id for one in (*told, tomorrow)}) == 5


def test_an_arm_draws_what_the_others_draw_in_its_round(tmp_path: Path) -> None:
    bench = measure(a_plan(tmp_path, latency="uniform:8:12", faults="reset=0.3"), tmp_path / "b")
    drawn: dict[tuple[str, int], dict[str, Any]] = {
        (call.arm, call.round): {} for call in bench.calls
    }
    for call in bench.calls:
        attempts = [one.elapsed_s for one in call.times.before]
        drawn[call.arm, call.round][call.times.id] = (call.key, [*attempts, call.times.service_s])
    for number in (1, 2):
        one, other = (drawn[arm, number] for arm in ("sequential", "batch-2"))
        assert one.keys() == other.keys()
        assert all(one[id_][0] == other[id_][0] for id_ in one)
        assert all(one[id_][1] == pytest.approx(other[id_][1], abs=1e-5) for id_ in one)
    assert drawn["sequential", 1] != drawn["sequential", 2]


def test_bad_lines_are_refused_before_anything_is_made_or_passed_over_in_every_arm(
    tmp_path: Path,
) -> None:
    text = TOPIC + "no topic {\n"
    with pytest.raises(DatasetError, match="1 bad line"):
        measure(a_plan(tmp_path, text=text), tmp_path / "b")
    assert not (tmp_path / "b").exists()
    bench = measure(a_plan(tmp_path, text=text, skip_bad=True), tmp_path / "b")
    assert bench.description.topics == 1


def test_a_plan_that_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    assert check_plan(a_plan(tmp_path)) == 1
    with pytest.raises(DatasetError, match="There is no topic to go on with"):
        check_plan(a_plan(tmp_path, text="no topic {\n", skip_bad=True))
    with pytest.raises(SettingsError, match="nothing takes time"):
        check_plan(a_plan(tmp_path, latency="none"))


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    with pytest.raises(ResultsError, match="holds files already"):
        measure(plan, tmp_path)
    with pytest.raises(ResultsError, match="is a file"):
        measure(plan, tmp_path / "topics.jsonl")


def test_the_warm_up_is_of_no_more_topics_than_there_are_and_in_no_number(tmp_path: Path) -> None:
    def run_async(session: Callable[[Stop], Coroutine[Any, Any, Report]]) -> Report:
        return anyio.run(session, Stop())

    bench = measure(
        a_plan(tmp_path, virtual=False, latency="fixed:0.01"), tmp_path / "b", run_async
    )
    assert bench.description.warm_up == "1 topic in the widest arm, excluded"
    assert (tmp_path / "b" / "rounds" / "0-warm-up").is_dir()
    assert {call.arm for call in bench.calls} == {"sequential", "batch-2"}
