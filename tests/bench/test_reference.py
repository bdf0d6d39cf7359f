"""The committed reference benchmark, measured again: the same bytes on every machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benches import no_other_clock

from harness.bench.arms import arms_of
from harness.bench.experiment import Plan, run_experiment
from harness.bench.files import BENCH_FILE, SPANS_FILE, read_bench
from harness.bench.numbers import elapsed_by_topic
from harness.bench.outputs import REPORT_CSV, REPORT_JSON, REPORT_MARKDOWN, write_reports
from harness.bench.plots import PLOTS
from harness.bench.tables import markdown_of
from harness.settings import load_settings
from harness.testing.virtual_time import VirtualClock

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"


def test_the_reference_is_reproduced_to_the_byte(tmp_path: Path) -> None:
    recorded = read_bench(REFERENCE).description
    loaded = load_settings({}, config=ROOT / "benchmarks" / "reference.toml", environ={})
    arms = arms_of(("sequential", "per-run", "batch"), (1, 2, 4, 6), loaded.settings.limits())
    plan = Plan(
        loaded=loaded,
        source=str(ROOT / "datasets" / "topics.jsonl"),
        arms=arms,
        repeat=5,
        virtual=True,
    )
    path = tmp_path / "reference"

    # Its files name the versions and the machine that it was made with, and nothing in its numbers
    # depends on them.
    bench = run_experiment(
        plan,
        path,
        clock=VirtualClock(),
        run_async=no_other_clock,
        tell=lambda line: None,
        about=recorded.about,
    )
    report = write_reports(bench, lambda line: None, plots=False)
    (path / REPORT_MARKDOWN).write_text(markdown_of(report, PLOTS))

    for name in (BENCH_FILE, SPANS_FILE, REPORT_JSON, REPORT_CSV, REPORT_MARKDOWN):
        assert (path / name).read_bytes() == (REFERENCE / name).read_bytes(), name


def test_the_table_in_the_readme_is_that_of_the_reference() -> None:
    report = (REFERENCE / REPORT_MARKDOWN).read_text()
    first_table = next(part for part in report.split("\n\n") if part.startswith("| arm | wall |"))
    assert first_table in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("number", [1, 2])
def test_five_calls_take_forty_to_sixty_seconds_in_sequence_and_sixteen_to_twenty_four_three_at_a_time(
    number: int,
) -> None:
    calls = [call for call in read_bench(REFERENCE).calls if call.round == number]
    sequence = elapsed_by_topic([call for call in calls if call.arm == "sequential"], "research")
    three = elapsed_by_topic([call for call in calls if call.arm == "per-run"], "research")

    assert len(sequence) == len(three) == 6
    assert all(40 <= seconds <= 60 for seconds in sequence.values())
    assert all(16 <= seconds <= 24 for seconds in three.values())
    assert all(2 <= sequence[topic] / three[topic] <= 2.7 for topic in sequence)


def test_every_file_names_versions_cores_settings_and_seed() -> None:
    about = json.loads((REFERENCE / BENCH_FILE).read_text())["about"]
    for name in (BENCH_FILE, SPANS_FILE, REPORT_JSON, REPORT_CSV, REPORT_MARKDOWN, *PLOTS):
        text = (REFERENCE / name).read_text()
        for value in (
            about["harness"],
            about["python"],
            about["openai"],
            str(about["cores"]),
            str(about["seed"]),
        ):
            assert value in text, (name, value)
        for setting in ("uniform:8:12", "questions", "timeout", "attempts"):
            assert setting in text, (name, setting)
