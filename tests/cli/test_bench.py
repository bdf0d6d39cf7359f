"""`harness bench`, `bench report` and `bench compare` as a person gives them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from command_line import Harness, problem_of

from harness.bench.arms import arms_of
from harness.bench.experiment import Plan
from harness.cli.bench_consent import question_of
from harness.errors import RunStopped, StorageError
from harness.runs.estimating import Estimate, StepEstimate
from harness.settings import load_settings

VIRTUAL = ("--endpoint", "mock", "--virtual", "--latency", "uniform:8:12", "-q")


def a_bench(harness: Harness, name: str, *flags: str) -> Result:
    """A small benchmark in a directory of that name."""
    done = harness(
        "bench", "topics.jsonl", *VIRTUAL, "--arms", "batch", "--repeat", "2", *flags, "--out", name
    )
    assert done.exit_code == 0, done.output
    return done


def test_a_benchmark_prints_its_numbers_and_leaves_its_files(harness: Harness) -> None:
    done = harness(
        "bench", "topics.jsonl", *VIRTUAL, "--in-flight", "1,2", "--repeat", "2", "--out", "b"
    )

    assert done.exit_code == 0, done.output
    for arm in ("sequential", "per-run", "batch-1", "batch-2"):
        assert f"\n{arm}  " in done.stdout
    assert "sequential: It took" in done.stdout
    assert "results   b" in done.stdout
    written = {path.name for path in Path("b").iterdir()}
    assert {
        "bench.json",
        "spans.jsonl",
        "report.json",
        "report.md",
        "report.csv",
        "speedup.svg",
    } <= written
    # The rounds are ordinary runs.
    assert harness("status", "b/rounds/1-batch-2").exit_code == 0


def test_json_is_the_report(harness: Harness) -> None:
    done = a_bench(harness, "b", "--json")
    assert json.loads(done.stdout) == json.loads(Path("b/report.json").read_text())


def test_reports_are_written_again_from_what_was_measured(harness: Harness) -> None:
    first = a_bench(harness, "b")
    written = {
        path: path.read_bytes()
        for path in Path("b").glob("*.*")
        if path.suffix in (".svg", ".csv", ".md")
    }
    for path in written:
        path.unlink()
    again = harness("bench", "report", "b")
    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout
    assert {path: path.read_bytes() for path in written} == written


def test_two_benchmarks_are_compared(harness: Harness) -> None:
    for name, latency in (("a", "uniform:8:12"), ("b", "uniform:8:12"), ("c", "uniform:1:2")):
        a_bench(harness, name, "--latency", latency)

    same = harness("bench", "compare", "a", "b")
    assert same.exit_code == 0, same.output
    assert "no difference shown" in same.stdout
    assert (
        json.loads(harness("bench", "compare", "a", "b", "--json").stdout)["arms"][0]["ratio"][
            "value"
        ]
        == 1.0
    )
    assert "the mock's latency was" in problem_of(harness("bench", "compare", "a", "c"))
    assert "are one benchmark" in problem_of(
        harness("bench", "compare", "a", "../" + Path.cwd().name + "/a")
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--endpoint", "deepseek", "--virtual"), "only the mock lives on virtual time"),
        (("--endpoint", "mock", "--virtual"), "with --latency none nothing takes time"),
        ((*VIRTUAL, "--arms", "sequencial"), "unknown arm 'sequencial'"),
        ((*VIRTUAL, "--arms", ","), "name at least one of"),
        ((*VIRTUAL, "--in-flight", "many"), "whole numbers such as 1,4,16,64"),
        ((*VIRTUAL, "--in-flight", "4", "--arms", "sequential"), "--in-flight is of the arm batch"),
        ((*VIRTUAL, "--filter", "id=nobody"), "topics.jsonl"),
        ((*VIRTUAL, "--workflow", "nowhere:flow"), "the workflow cannot be imported"),
        (("--endpoint", "deepseek", "--yes"), "no key for deepseek"),
    ],
)
def test_what_cannot_be_measured_is_refused_and_leaves_nothing(
    harness: Harness, flags: tuple[str, ...], said: str
) -> None:
    assert said in problem_of(harness("bench", "topics.jsonl", *flags, "--out", "b"))
    assert not Path("b").exists()


def test_an_arm_in_which_topics_failed_is_no_measurement(harness: Harness) -> None:
    flags = (
        *VIRTUAL,
        "--faults",
        "empty-200=1",
        "--attempts",
        "1",
        "--patience",
        "0",
        "--out",
        "b",
    )
    assert "2 of 2 topics failed" in problem_of(harness("bench", "topics.jsonl", *flags))
    assert "was interrupted" in problem_of(harness("bench", "report", "b"))


def test_topics_that_can_be_read_only_once_are_refused(harness: Harness) -> None:
    assert "can be read once" in problem_of(harness("bench", "-", *VIRTUAL, text="a topic\n"))


def test_a_live_benchmark_is_estimated_and_asks(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-test-of-the-benchmark")
    flags = ("--arms", "sequential,per-run", "--repeat", "3", "--budget", "0.001", "--out", "b")
    result = harness("bench", "topics.jsonl", *flags)
    # Two topics in two arms and three rounds, and two to warm up.
    assert "2 arms, 3 rounds and a warm-up: 14 topics in all" in result.stderr
    assert "likely some $" in result.stderr
    assert "the budget of $0.0010 is one for all of that, and likely too small" in result.stderr
    assert "say --yes" in problem_of(result)
    assert not Path("b").exists()


def test_the_question_names_the_calls_the_money_and_the_time_of_all_rounds() -> None:
    step = StepEstimate(
        step="a", calls=100, input_tokens=1, output_tokens=1, cost=2.0, cost_at_most=20.0
    )
    one = Estimate(topics=8, bad_lines=0, sample=8, steps=(step,), wall_s=600.0, latency="fixed:1")
    loaded = load_settings({"endpoint": "deepseek"}, environ={})
    arms = arms_of(("sequential", "batch"), (4,), loaded.settings.limits())
    plan = Plan(loaded=loaded, source="x", arms=arms, repeat=3, virtual=False)

    # Six sessions of 8 topics, and half of one to warm up.
    said = question_of([one, one], plan, 8)

    assert said.startswith(
        "2 arms, 3 rounds and a warm-up: 52 topics in all, about 650 calls, likely some $13.00,"
    )
    assert "$130.00 at most without retries" in said
    assert "some 1 h 00 with answers timed fixed:1" in said


def test_a_directory_that_is_no_finished_benchmark_is_refused(
    harness: Harness, a_run: Path
) -> None:
    assert "a run, not a benchmark" in problem_of(
        harness("bench", "compare", str(a_run), str(a_run))
    )
    Path("b").mkdir()
    assert "not a benchmark" in problem_of(harness("bench", "compare", "b", "b"))
    Path("b/bench.json").write_text('{"version": 1, "status": "running"}')
    assert "was interrupted" in problem_of(harness("bench", "compare", "b", "b"))
    assert "holds files already" in problem_of(
        harness("bench", "topics.jsonl", *VIRTUAL, "--out", "b")
    )
    assert "is a file" in problem_of(
        harness("bench", "topics.jsonl", *VIRTUAL, "--out", "topics.jsonl")
    )
    nowhere = harness("bench", "topics.jsonl", *VIRTUAL, "--out", "topics.jsonl/b")
    assert isinstance(nowhere.exception, StorageError)


def test_a_budget_that_ends_says_that_it_was_for_all(harness: Harness) -> None:
    result = harness(
        "bench", "topics.jsonl", *VIRTUAL, "--arms", "batch", "--run-calls", "20", "--out", "b"
    )
    assert isinstance(result.exception, RunStopped)
    assert "a budget is one for the whole benchmark" in str(result.exception)


def test_an_interruption_on_virtual_time_is_said(harness: Harness) -> None:
    Path("interrupted.py").write_text("async def flow(step, topic):\n    raise KeyboardInterrupt\n")
    result = harness(
        "bench", "topics.jsonl", *VIRTUAL, "--workflow", "interrupted.py:flow", "--out", "b"
    )
    assert result.exit_code == 130
    assert "interrupted: this benchmark is not complete, and says so" in result.stderr
    assert "was interrupted" in problem_of(harness("bench", "report", "b"))


def test_on_real_time_there_is_a_warm_up_and_it_is_said(harness: Harness) -> None:
    done = harness(
        *("bench", "topics.jsonl", "--endpoint", "mock", "--latency", "fixed:0.01", "-q"),
        *("--arms", "batch", "--repeat", "1", "--out", "b"),
    )
    assert done.exit_code == 0, done.output
    assert "Warm-up: 2 topics in the widest arm, excluded." in done.stdout
    assert Path("b/rounds/0-warm-up").is_dir()
    assert not any("warm-up" in line for line in Path("b/spans.jsonl").read_text().splitlines()[1:])
