from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from batches import loaded
from nights import OFF_PEAK, recorded, unheard

from harness.errors import HarnessError
from harness.simulation.forecast import jobs_of
from harness.simulation.from_run import read_run
from harness.simulation.night import Night, Plan
from harness.simulation.nights import WORTH_A_PROCESS, Job, cores, simulate_nights, workers_for
from harness.simulation.recorded import RecordedTopic


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> tuple[RecordedTopic, ...]:
    directory = tmp_path_factory.mktemp("recorded")
    recorded(directory, 5, latency="lognormal:5:0.4", faults="reset=0.2")
    return read_run(directory / "out", seed=0).topics


def jobs(directory: Path, *, topics: int = 20, in_flight: tuple[int, ...] = (2, 9), repeat: int = 2) -> tuple[Job, ...]:
    settings = loaded(directory).settings
    plan = Plan(topics=topics, settings=settings, limits=settings.limits(), start=OFF_PEAK)
    return jobs_of(plan, in_flight, repeat=repeat, seed=7)


def test_nights_are_the_same_in_processes_of_their_own(tmp_path: Path, topics: tuple[RecordedTopic, ...]) -> None:
    nights = jobs(tmp_path)

    told: dict[int, Night] = {}
    apart = simulate_nights(topics, nights, workers=2, on_night=told.__setitem__)

    assert apart == simulate_nights(topics, nights, workers=1, on_night=unheard)
    assert apart == tuple(told[number] for number in range(4))


@pytest.mark.system
def test_a_process_that_dies_is_an_error_and_not_a_wait_for_ever(
    tmp_path: Path, topics: tuple[RecordedTopic, ...]
) -> None:
    others = children()

    def kill_them(number: int, night: Night) -> None:
        for process in children() - others:
            os.kill(process, signal.SIGKILL)

    with pytest.raises(HarnessError, match="--jobs 1"):
        simulate_nights(topics, jobs(tmp_path, repeat=8), workers=2, on_night=kill_them)


def children() -> set[int]:
    """The processes that this one has started and that live."""
    return {int(number) for number in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_few_calls_are_worth_no_process(tmp_path: Path, topics: tuple[RecordedTopic, ...]) -> None:
    assert workers_for(topics, jobs(tmp_path)) == 1


def test_many_calls_are_worth_one_a_core_and_no_more_than_there_are_nights(
    tmp_path: Path, topics: tuple[RecordedTopic, ...]
) -> None:
    many = jobs(tmp_path, topics=WORTH_A_PROCESS, repeat=500)

    assert workers_for(topics, many) == min(cores(), 1000)
    assert workers_for(topics, many[:1]) == 1


def test_sizes_share_their_draws_and_repetitions_do_not(tmp_path: Path) -> None:
    first, second, third, fourth = jobs(tmp_path)

    assert (first.seed, second.seed) == (third.seed, fourth.seed) == (8, 9)
    assert replace(first.plan, limits=third.plan.limits) == third.plan
