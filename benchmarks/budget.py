"""What a budget costs in time: the same batch without one, and with twice its true cost, strict and
likely.

Virtual time, so the figures are equal on every machine: the built-in workflow on the mock, with a
share of its streams broken off. Prints a table in Markdown; `--help` names the options.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.runs.batch import run_batch
from harness.runs.session import Report
from harness.settings import load_settings
from harness.testing.virtual_time import VirtualClock, run_virtual


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is run."""

    topics: int
    in_flight: int
    latency: str
    faults: str
    seed: int


def report_of(batch: Batch, *, budget: float | None = None, reserve: str = "strict") -> Report:
    """Run the batch in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        source = place / "topics.jsonl"
        rows = (
            {"id": f"topic-{n}", "topic": f"The history of invention {n}"}
            for n in range(batch.topics)
        )
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        chosen = {
            "endpoint": "mock",
            "cache": place / "cache.db",
            "out": place / "out",
            "in_flight": batch.in_flight,
            "latency": batch.latency,
            "faults": batch.faults,
            "seed": batch.seed,
            "budget": budget,
            "budget_reserve": reserve,
        }
        loaded = load_settings(
            {name: value for name, value in chosen.items() if value is not None}, environ={}
        )
        return run_virtual(lambda: run_batch(loaded, str(source), clock=VirtualClock()))


AIM = 1.1
"""Times the wall time without a budget that likely reservations may take."""


def main() -> int:
    """Run all arms of each seed and print them. 0 where all topics are done, within the aim, and no
    cap was passed.
    """
    missed = 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", type=int, default=60)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--latency", default="lognormal:8:0.5")
    parser.add_argument("--faults", default="reset=0.02")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--times", type=float, default=2.0, help="budget, as a multiple of the true cost"
    )
    chosen = parser.parse_args()
    print(
        "| seed | arm | topics ok | time | × | spent | broke off, at most | time lost to it | could"
        " pass | passed |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for seed in range(chosen.seeds):
        batch = Batch(
            topics=chosen.topics,
            in_flight=chosen.in_flight,
            latency=chosen.latency,
            faults=chosen.faults,
            seed=seed,
        )
        free = report_of(batch)
        budget = chosen.times * free.spent.cost
        arms = {
            "no budget": free,
            "strict": report_of(batch, budget=budget),
            "likely": report_of(batch, budget=budget, reserve="likely"),
        }
        for name, report in arms.items():
            spent = report.spent
            counted = spent.cost + spent.cost_at_risk
            passed = max(0.0, counted - budget) if name != "no budget" else 0.0
            is_slow = name == "likely" and report.wall_s > AIM * free.wall_s
            missed += is_slow or passed > 0 or report.totals["ok"] < report.topics
            print(
                f"| {seed} | {name} | {report.totals['ok']} of {report.topics} |"
                f" {report.wall_s:.1f} s | {report.wall_s / free.wall_s:.2f} | ${spent.cost:.4f} |"
                f" ${spent.cost_at_risk:.4f} | {report.reservations.lost_s:.1f} s |"
                f" ${report.reservations.could_pass_cost:.4f} | ${passed:.4f} |"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
