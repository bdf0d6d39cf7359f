from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from batches import loaded
from nights import OFF_PEAK, recorded, unheard
from processes import ended, started, until

from harness.errors import HarnessError
from harness.simulation.forecast import jobs_of
from harness.simulation.from_run import read_run
from harness.simulation.many_runs import WORTH_A_PROCESS, Job, cores, simulate_nights, workers_for
from harness.simulation.recorded import RecordedTopic
from harness.simulation.simulated_run import Plan, SimulatedRun


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> tuple[RecordedTopic, ...]:
    directory = tmp_path_factory.mktemp("recorded")
    recorded(directory, 5, latency="lognormal:5:0.4", faults="reset=0.2")
    return read_run(directory / "out", seed=0).topics


def jobs(
    directory: Path, *, topics: int = 20, in_flight: tuple[int, ...] = (2, 9), repeat: int = 2
) -> tuple[Job, ...]:
    settings = loaded(directory).settings
    plan = Plan(topics=topics, settings=settings, limits=settings.limits(), start=OFF_PEAK)
    return jobs_of(plan, in_flight, repeat=repeat, seed=7)


def test_nights_are_the_same_in_processes_of_their_own(
    tmp_path: Path, topics: tuple[RecordedTopic, ...]
) -> None:
    nights = jobs(tmp_path)

    told: dict[int, SimulatedRun] = {}
    apart = simulate_nights(topics, nights, workers=2, on_night=told.__setitem__)

    assert apart == simulate_nights(topics, nights, workers=1, on_night=unheard)
    assert apart == tuple(told[number] for number in range(4))


@pytest.mark.system
def test_a_process_that_dies_is_an_error_and_not_a_wait_for_ever(
    tmp_path: Path, topics: tuple[RecordedTopic, ...]
) -> None:
    others = children(os.getpid())

    def kill_them(number: int, night: SimulatedRun) -> None:
        for process in children(os.getpid()) - others:
            os.kill(process, signal.SIGKILL)

    with pytest.raises(HarnessError, match="--jobs 1"):
        simulate_nights(
            topics, jobs(tmp_path, topics=200, repeat=20), workers=2, on_night=kill_them
        )


def test_what_goes_wrong_in_both_processes_is_raised_here_once_and_as_it_was(
    tmp_path: Path, topics: tuple[RecordedTopic, ...]
) -> None:
    nowhere = [
        replace(job, plan=replace(job.plan, limits=replace(job.plan.limits, runs=-1)))
        for job in jobs(tmp_path)
    ]

    with pytest.raises(ValueError, match="initial_value"):
        simulate_nights(topics, nowhere, workers=2, on_night=unheard)


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_none_of_its_processes_goes_on_with_its_night(
    tmp_path: Path, number: signal.Signals
) -> None:
    recorded(tmp_path, 5, latency="lognormal:5:0.4")
    nights_of_minutes = ("--topics", "200000", "--in-flight", "8", "--repeat", "2", "--jobs", "2")
    process = started(tmp_path, "simulate", "out", *nights_of_minutes)
    until(lambda: sum(cpu_s(child) > 1 for child in children(process.pid)) == 2, process)
    simulating = children(process.pid)

    process.send_signal(number)
    code, _ = ended(process)

    assert code == (130 if number == signal.SIGINT else -number)
    assert len(simulating) == 2
    until(lambda: not any(map(is_alive, simulating)))


def children(process: int) -> set[int]:
    """The processes that this one has started and that live."""
    return {
        int(number)
        for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    }


def cpu_s(process: int) -> float:
    """Seconds of CPU that it has used: after the first it has imported what it needs, and is at
    work.
    """
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def is_alive(process: int) -> bool:
    """Whether it is there, and not only its exit code."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
