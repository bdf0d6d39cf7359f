"""One benchmark against another: did the same work get slower?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness.bench.comparable import by_round, check_arms, check_benches
from harness.bench.files import Bench
from harness.bench.numbers import report_of, wall_s
from harness.bench.tables import Table, ratio_words
from harness.bench.words import duration
from harness.domain.stats import Ratio, paired_ratio


def compare(one: Bench, other: Bench) -> dict[str, Any]:
    """The wall times of the arms that both have, as paired ratios `other / one`, with a verdict each.

    Rounds are paired by their number: in each, both drew alike. Raises ResultsError where they cannot be compared.
    """
    check_arms(one)
    check_arms(other)
    check_benches(one, other)
    rounds = by_round(one.calls), by_round(other.calls)
    reports = [{arm["name"]: arm for arm in report_of(bench)["arms"]} for bench in (one, other)]
    repeat = min(one.description["repeat"], other.description["repeat"])
    arms = []
    for arm in one.arms:
        if arm.name not in reports[1]:
            continue
        pairs = [
            [(wall_s(rounds[1][arm.name, number]), wall_s(rounds[0][arm.name, number]))]
            for number in range(1, repeat + 1)
        ]
        ratio = paired_ratio(pairs, random.Random(0).random)  # noqa: S311 - a bootstrap, no secret
        limits = [report[arm.name]["limits"] for report in reports]
        arms.append(
            {
                "name": arm.name,
                "wall_s": [report[arm.name]["wall_s"] for report in reports],
                "efficiency": [report[arm.name]["efficiency"] for report in reports],
                "cost": [report[arm.name]["cost"] for report in reports],
                "ratio": None if ratio is None else asdict(ratio),
                "verdict": "not comparable: other limits" if limits[0] != limits[1] else verdict_of(ratio),
            }
        )
    return {
        "benchmarks": [bench.name for bench in (one, other)],
        "about": [bench.description["about"] for bench in (one, other)],
        "settings": [bench.description["settings"] for bench in (one, other)],
        "rounds": repeat,
        "arms": arms,
        "notes": _notes(one, other, repeat),
    }


def verdict_of(ratio: Ratio | None) -> str:
    """In words, and never more than the interval says."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return "cannot say: one round has no interval"
    if ratio.low > 1:
        return "slower"
    if ratio.high < 1:
        return "faster"
    return "no difference shown"


def comparison_table(found: Mapping[str, Any]) -> Table:
    """The comparison for a terminal."""
    one, other = found["benchmarks"]
    return Table(
        title=f"{other} against {one}",
        columns=("arm", one, other, "ratio", "efficiency", "verdict"),
        rows=tuple(
            (
                arm["name"],
                *(duration(wall) for wall in arm["wall_s"]),
                ratio_words(arm["ratio"]),
                " → ".join("–" if share is None else f"{share:.0%}" for share in arm["efficiency"]),
                arm["verdict"],
            )
            for arm in found["arms"]
        ),
    )


def _notes(one: Bench, other: Bench, repeat: int) -> list[str]:
    notes = []
    if repeat == 1:
        notes.append("One round only in one of them: nothing says how much the numbers vary, so there is no verdict.")
    for name in ("harness", "python", "openai", "system", "cores"):
        a, b = (bench.description["about"].get(name) for bench in (one, other))
        if a != b:
            notes.append(f"They differ in {name}: {a} and {b}.")
    for bench, against in ((one, other), (other, one)):
        missing = {arm.name for arm in bench.arms} - {arm.name for arm in against.arms}
        if missing:
            notes.append(f"Only in {bench.name}: {', '.join(sorted(missing))}.")
    return notes
