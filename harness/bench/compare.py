"""One benchmark against another: did the same work get slower?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from harness.bench.arms import Arm
from harness.bench.comparable import check_arms, check_benches
from harness.bench.files import Bench
from harness.bench.numbers import ratio_of, report_of
from harness.bench.tables import Table, ratio_words
from harness.bench.words import few_rounds, marked
from harness.domain.wording import counted, duration
from harness.errors import ResultsError
from harness.timing.stats import Ratio

# Where and with what both were measured, as far as a difference may explain one in the numbers.
_ABOUT = ("harness", "python", "openai", "system", "cores")


def compare(one: Bench, other: Bench) -> dict[str, Any]:
    """The wall times of the arms that both have, as paired ratios `other / one`, with a verdict each.

    Rounds are paired by their number (in each, both drew alike); those that only one of them has are left out. Raises
    ResultsError where they cannot be compared.
    """
    check_arms(one)
    check_arms(other)
    check_benches(one, other)
    repeat = min(one.description["repeat"], other.description["repeat"])
    first, second = (_first_rounds(bench, repeat) for bench in (one, other))
    reports = [{arm["name"]: arm for arm in report_of(bench)["arms"]} for bench in (first, second)]
    theirs = {arm.name: arm for arm in second.arms}
    unlike = {arm.name: _unlike(arm, theirs[arm.name]) for arm in first.arms if arm.name in theirs}
    if all(unlike.values()):
        found = "; ".join(f"{name} had {limits}" for name, limits in unlike.items())
        raise ResultsError(f"{one.path} and {other.path} cannot be compared: under other limits ({found})")
    arms = []
    for name, limits in unlike.items():
        ratio = None if limits else _ratio(*(report[name]["walls_s"] for report in reports))
        shown = {value: [report[name][value] for report in reports] for value in ("wall_s", "efficiency", "cost")}
        verdict = f"not comparable: {limits}" if limits else verdict_of(ratio)
        told = {"ratio": None if ratio is None else asdict(ratio), "verdict": verdict}
        arms.append({"name": name, "underfed": reports[0][name]["underfed"], **shown, **told})
    return {
        "benchmarks": [bench.name for bench in (one, other)],
        "about": [bench.description["about"] for bench in (one, other)],
        "settings": [bench.description["settings"] for bench in (one, other)],
        "rounds": repeat,
        "arms": arms,
        "notes": [*_notes(one, other, repeat), *_stars(arms)],
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
                marked(arm),
                *(duration(wall) for wall in arm["wall_s"]),
                ratio_words(arm["ratio"]),
                " → ".join("–" if share is None else f"{share:.0%}" for share in arm["efficiency"]),
                arm["verdict"],
            )
            for arm in found["arms"]
        ),
    )


def _first_rounds(bench: Bench, repeat: int) -> Bench:
    calls = tuple(call for call in bench.calls if call.round <= repeat)
    return replace(bench, description={**bench.description, "repeat": repeat}, calls=calls)


def _ratio(one_s: Sequence[float], other_s: Sequence[float]) -> Ratio | None:
    """Of the wall times of each round."""
    return ratio_of([[(b, a)] for a, b in zip(one_s, other_s, strict=True)])


def _unlike(one: Arm, other: Arm) -> str:
    """The limits in which two arms of the same name differ, in words; nothing where there are none."""
    a, b = asdict(one.limits), asdict(other.limits)
    return ", ".join(f"{name} {a[name]} and {b[name]}" for name in a if a[name] != b[name])


def _notes(one: Bench, other: Bench, repeat: int) -> list[str]:
    notes = few_rounds(repeat)
    if repeat == 1:
        notes.append("One round only in one of them: nothing says how much the numbers vary, so there is no verdict.")
    if one.description["repeat"] != other.description["repeat"]:
        notes.append(f"Compared: the first {counted(repeat, 'round')}, one of them has no more.")
    told = [(name, _values(one, other, "about", name)) for name in _ABOUT]
    names = dict.fromkeys([*one.description["settings"], *other.description["settings"]])
    told += [(name, _values(one, other, "settings", name)) for name in names]
    notes += [f"They differ in {name}: {a} and {b}." for name, (a, b) in told if a != b]
    for bench, against in ((one, other), (other, one)):
        missing = {arm.name for arm in bench.arms} - {arm.name for arm in against.arms}
        if missing:
            notes.append(f"Only in {bench.name}: {', '.join(sorted(missing))}.")
    return notes


def _stars(arms: Sequence[Mapping[str, Any]]) -> list[str]:
    starred = [marked(arm) for arm in arms if arm["underfed"]]
    return [f"{', '.join(starred)}: more calls in flight than there are topics."] if starred else []


def _values(one: Bench, other: Bench, part: str, name: str) -> tuple[Any, Any]:
    return one.description[part].get(name), other.description[part].get(name)
