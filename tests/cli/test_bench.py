"""`harness bench` and `harness bench compare` as a person gives them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Harness, problem_of

VIRTUAL = ("--endpoint", "mock", "--virtual", "--latency", "uniform:8:12", "-q")


def test_a_benchmark_prints_its_numbers_and_leaves_its_files(harness: Harness) -> None:
    done = harness("bench", "topics.jsonl", *VIRTUAL, "--in-flight", "1,2", "--repeat", "2", "--out", "b")

    assert done.exit_code == 0, done.output
    for arm in ("sequential", "per-run", "batch-1", "batch-2"):
        assert f"│ {arm}" in done.stdout
    assert "sequential: It took" in done.stdout
    assert "results   b" in done.stdout
    written = {path.name for path in Path("b").iterdir()}
    assert {"bench.json", "spans.jsonl", "report.json", "report.md", "report.csv", "speedup.svg"} <= written
    # The rounds are ordinary runs.
    assert harness("status", "b/rounds/1-batch-2").exit_code == 0


def test_json_is_the_report(harness: Harness) -> None:
    done = harness("bench", "topics.jsonl", *VIRTUAL, "--arms", "sequential", "--repeat", "1", "--json", "--out", "b")
    assert json.loads(done.stdout) == json.loads(Path("b/report.json").read_text())


def test_two_benchmarks_are_compared(harness: Harness) -> None:
    for name, latency in (("a", "uniform:8:12"), ("b", "uniform:8:12"), ("c", "uniform:1:2")):
        flags = ("--endpoint", "mock", "--virtual", "--latency", latency, "-q", "--arms", "batch", "--repeat", "2")
        assert harness("bench", "topics.jsonl", *flags, "--out", name).exit_code == 0

    same = harness("bench", "compare", "a", "b")
    assert same.exit_code == 0, same.output
    assert "no difference shown" in same.stdout
    assert json.loads(harness("bench", "compare", "a", "b", "--json").stdout)["arms"][0]["ratio"]["value"] == 1.0
    assert "the mock's latency was" in problem_of(harness("bench", "compare", "a", "c"))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--endpoint", "deepseek", "--virtual"), "only the mock lives on virtual time"),
        (("--endpoint", "mock", "--virtual"), "with --latency none nothing takes time"),
        ((*VIRTUAL, "--arms", "sequencial"), "unknown arm 'sequencial'"),
        ((*VIRTUAL, "--arms", ","), "name at least one of"),
        ((*VIRTUAL, "--in-flight", "many"), "whole numbers from 1 on"),
        ((*VIRTUAL, "--faults", "empty-200=1", "--attempts", "1"), "2 of 2 topics failed"),
    ],
)
def test_what_cannot_be_measured_is_refused(harness: Harness, flags: tuple[str, ...], said: str) -> None:
    assert said in problem_of(harness("bench", "topics.jsonl", *flags, "--out", "b"))


def test_topics_that_can_be_read_only_once_are_refused(harness: Harness) -> None:
    assert "can be read once" in problem_of(harness("bench", "-", *VIRTUAL, text="a topic\n"))


def test_a_live_benchmark_is_estimated_and_asks(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-test-of-the-benchmark")
    result = harness("bench", "topics.jsonl", "--arms", "sequential,per-run", "--repeat", "3", "--out", "b")
    assert "2 arms, 3 round(s): 12 topics in all" in result.stderr
    assert "$" in result.stderr
    assert "say --yes" in problem_of(result)
    assert not Path("b").exists()


def test_a_directory_that_is_no_finished_benchmark_is_refused(harness: Harness, a_run: Path) -> None:
    assert "a run, not a benchmark" in problem_of(harness("bench", "compare", str(a_run), str(a_run)))
    Path("b").mkdir()
    assert "not a benchmark" in problem_of(harness("bench", "compare", "b", "b"))
    Path("b/bench.json").write_text('{"version": 1, "status": "running"}')
    assert "was interrupted" in problem_of(harness("bench", "compare", "b", "b"))
    assert "holds files already" in problem_of(harness("bench", "topics.jsonl", *VIRTUAL, "--out", "b"))


def test_on_real_time_there_is_a_warm_up_and_it_is_said(harness: Harness) -> None:
    done = harness(
        *("bench", "topics.jsonl", "--endpoint", "mock", "--latency", "fixed:0.01", "-q"),
        *("--arms", "batch", "--repeat", "1", "--out", "b"),
    )
    assert done.exit_code == 0, done.output
    assert "Warm-up: 4 topics in the widest arm, excluded." in done.stdout
    assert Path("b/rounds/0-warm-up").is_dir()
    assert not any("warm-up" in line for line in Path("b/spans.jsonl").read_text().splitlines())
