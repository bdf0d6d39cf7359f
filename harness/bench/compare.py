"""The comparison of two benchmarks: whether the same work got slower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from harness.bench.bench_report import ArmFigures, ComparedArm, Comparison
from harness.bench.comparable import check_arms, check_benches
from harness.bench.description import About
from harness.bench.files import Bench
from harness.bench.numbers import ratio_of, report_of
from harness.bench.tables import ratio_words
from harness.bench.words import few_rounds, marked
from harness.errors import ResultsError
from harness.render.document import Block, Table, paragraph
from harness.text.amounts import counted, duration
from harness.timing.stats import Ratio


def compare(one: Bench, other: Bench) -> Comparison:
    """Compare the wall times of the arms that both have: paired ratios `other / one`, with a
    verdict each.

    Rounds are paired by their number (in each, both drew alike); those that only one of them has
    are left out. Raises ResultsError where they cannot be compared.
    """
    check_arms(one)
    check_arms(other)
    check_benches(one, other)
    repeat = min(one.description.repeat, other.description.repeat)
    first, second = _first_rounds(one, repeat), _first_rounds(other, repeat)
    unlike = _unlike_limits(first, second)
    if all(unlike.values()):
        found = "; ".join(f"{name} had {limits}" for name, limits in unlike.items())
        raise ResultsError(
            f"{one.path} and {other.path} cannot be compared: under other limits ({found})"
        )
    ours = {arm.name: arm for arm in report_of(first).arms}
    theirs = {arm.name: arm for arm in report_of(second).arms}
    arms = [_compared(ours[name], theirs[name], limits) for name, limits in unlike.items()]
    return Comparison(
        benchmarks=(one.name, other.name),
        about=(one.description.about, other.description.about),
        settings=(one.description.settings, other.description.settings),
        rounds=repeat,
        arms=tuple(arms),
        notes=(*_notes(one, other, repeat), *_stars(arms)),
    )


def _compared(one: ArmFigures, other: ArmFigures, unlike: str) -> ComparedArm:
    """Compare one arm; `unlike` are the limits in which it differs, in words."""
    ratio = None if unlike else _ratio(one.walls_s, other.walls_s)
    return ComparedArm(
        name=one.name,
        underfed=one.underfed,
        wall_s=(one.wall_s, other.wall_s),
        efficiency=(one.efficiency, other.efficiency),
        cost=(one.cost, other.cost),
        ratio=ratio,
        verdict=f"not comparable: {unlike}" if unlike else verdict_of(ratio),
    )


def verdict_of(ratio: Ratio | None) -> str:
    """Return the verdict in words, which never say more than the interval."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return "cannot say: one round has no interval"
    if ratio.low > 1:
        return "slower"
    if ratio.high < 1:
        return "faster"
    return "no difference shown"


def comparison_document(found: Comparison) -> Iterator[Block]:
    """Yield the comparison as a table, then what must be known of it."""
    yield comparison_table(found)
    if found.notes:
        yield paragraph(*found.notes)


def comparison_table(found: Comparison) -> Table:
    one, other = found.benchmarks
    rows = []
    for arm in found.arms:
        efficiency = " → ".join(f"{share:.0%}" for share in arm.efficiency)
        walls = [duration(wall) for wall in arm.wall_s]
        rows.append((marked(arm), *walls, ratio_words(arm.ratio), efficiency, arm.verdict))
    return Table(
        title=f"{other} against {one}",
        columns=("arm", one, other, "ratio", "efficiency", "verdict"),
        rows=tuple(rows),
    )


def _first_rounds(bench: Bench, repeat: int) -> Bench:
    calls = tuple(call for call in bench.calls if call.round <= repeat)
    return replace(bench, description=replace(bench.description, repeat=repeat), calls=calls)


def _ratio(one_s: Sequence[float], other_s: Sequence[float]) -> Ratio | None:
    """Return the ratio of the wall times of each round."""
    return ratio_of([[(b, a)] for a, b in zip(one_s, other_s, strict=True)])


def _unlike_limits(one: Bench, other: Bench) -> dict[str, str]:
    """Return the arms that both have, each with the limits in which it differs, in words."""
    theirs = {arm.name: arm for arm in other.arms}
    found = {}
    for arm in one.arms:
        if arm.name in theirs:
            a, b = asdict(arm.limits), asdict(theirs[arm.name].limits)
            differing = [name for name in a if a[name] != b[name]]
            found[arm.name] = ", ".join(f"{name} {a[name]} and {b[name]}" for name in differing)
    return found


def _notes(one: Bench, other: Bench, repeat: int) -> list[str]:
    notes = few_rounds(repeat)
    if repeat == 1:
        notes.append(
            "One round only in one of them: nothing says how much the numbers vary, so there is no"
            " verdict."
        )
    if one.description.repeat != other.description.repeat:
        notes.append(f"Compared: the first {counted(repeat, 'round')}, one of them has no more.")
    notes += _differences(_explaining(one.description.about), _explaining(other.description.about))
    notes += _differences(one.description.settings, other.description.settings)
    for bench, against in ((one, other), (other, one)):
        missing = {arm.name for arm in bench.arms} - {arm.name for arm in against.arms}
        if missing:
            notes.append(f"Only in {bench.name}: {', '.join(sorted(missing))}.")
    return notes


def _explaining(about: About) -> dict[str, Any]:
    """Return where and with what it was measured, as far as that may explain another number."""
    found = asdict(about)
    # The seed is among the settings.
    del found["seed"]
    return found


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    notes = []
    for name in dict.fromkeys([*one, *other]):
        a, b = one.get(name), other.get(name)
        if a != b:
            notes.append(f"They differ in {name}: {a} and {b}.")
    return notes


def _stars(arms: Sequence[ComparedArm]) -> list[str]:
    starred = [marked(arm) for arm in arms if arm.underfed]
    return [f"{', '.join(starred)}: more calls in flight than there are topics."] if starred else []
