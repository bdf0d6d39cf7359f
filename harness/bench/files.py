"""The directory of a benchmark: `bench.json` (what was measured, how and where), `spans.jsonl` (a row a call), reports.

The rounds themselves are ordinary run directories under `rounds/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.adapters.codec import to_text
from harness.adapters.jsonl_file import pretty, storage_errors, write_whole
from harness.adapters.results_dir import RUN_FILE, read_manifest, read_results, read_spans
from harness.bench.arms import Arm
from harness.bench.measured import Measured, measured_from_row, measured_from_trace, measured_to_row
from harness.domain.policy import Limits
from harness.errors import ResultsError

BENCH_VERSION = 1
BENCH_FILE = "bench.json"
SPANS_FILE = "spans.jsonl"
ROUNDS = "rounds"

_NEEDED = ("status", "about", "identity", "arms", "repeat", "topics", "order", "warm_up", "virtual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A finished benchmark, as its files tell it. `description` is `bench.json`."""

    path: Path
    description: Mapping[str, Any]
    arms: tuple[Arm, ...]
    calls: tuple[Measured, ...]

    @property
    def name(self) -> str:
        return self.path.name


def round_path(path: Path, arm: str, number: int) -> Path:
    return path / ROUNDS / f"{number}-{arm}"


def write_bench(path: Path, description: Mapping[str, Any], calls: Sequence[Measured]) -> None:
    """Write both files. Raises StorageError."""
    lines = [to_text(measured_to_row(call)) for call in calls]
    header = to_text({"version": BENCH_VERSION, "about": description["about"]})
    with storage_errors(path):
        write_whole(path / SPANS_FILE, (f"{line}\n".encode() for line in (header, *lines)))
        write_description(path, description)


def write_description(path: Path, description: Mapping[str, Any]) -> None:
    """Write `bench.json`. Raises StorageError."""
    with storage_errors(path):
        write_whole(path / BENCH_FILE, pretty(dict(description)))


def arm_to_json(arm: Arm) -> dict[str, Any]:
    return asdict(arm)


def read_bench(path: Path) -> Bench:
    """Raises ResultsError for a directory that is no benchmark, or one that did not finish."""
    if not (path / BENCH_FILE).is_file():
        kind = "a run, not a benchmark" if (path / RUN_FILE).is_file() else "not a benchmark"
        raise ResultsError(f"{path}: {kind}: there is no {BENCH_FILE}; `harness bench DATASET` makes one")
    try:
        description = json.loads((path / BENCH_FILE).read_bytes())
        if description["version"] != BENCH_VERSION:
            raise ResultsError(f"{path / BENCH_FILE}: of version {description['version']}, not {BENCH_VERSION}")
        if description["status"] != "complete":
            raise ResultsError(
                f"{path}: this benchmark was interrupted, so it has rounds without timings; run it again to its end"
            )
        for name in _NEEDED:
            description[name]
        arms = tuple(
            Arm(name=arm["name"], limits=Limits(**arm["limits"]), swept=arm["swept"]) for arm in description["arms"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{path / BENCH_FILE}: damaged: {error!r}") from error
    return Bench(path=path, description=description, arms=arms, calls=tuple(_read_calls(path / SPANS_FILE)))


def _read_calls(path: Path) -> Iterable[Measured]:
    try:
        with path.open(encoding="utf-8") as lines:
            next(lines)  # what it is about
            for number, line in enumerate(lines, start=2):
                try:
                    yield measured_from_row(json.loads(line))
                except (ValueError, ResultsError) as error:
                    raise ResultsError(f"{path}:{number}: {error}") from error
    except (OSError, StopIteration) as error:
        raise ResultsError(f"{path}: cannot be read: {error!r}") from error


def calls_of_round(path: Path, arm: str, number: int) -> list[Measured]:
    """The calls of one arm in one round, from its run directory.

    Raises ResultsError where it was interrupted or topics failed: its times would be those of other work.
    """
    where = round_path(path, arm, number)
    manifest = read_manifest(where)
    if manifest["sessions"] != 1 or manifest["status"] != "complete":
        raise ResultsError(f"{where}: this round was interrupted, so it has no timings that mean anything; begin anew")
    failed = [row for row in read_results(where) if row["status"] == "failed"]
    if failed:
        raise ResultsError(
            f"{where}: {len(failed)} of {manifest['dataset']['topics']} topics failed (the first: "
            f"{failed[0]['topic_id']}: {(failed[0]['error'] or {}).get('message')}), so this arm did other work than "
            f"the rest and is not compared; see `harness show {where}`"
        )
    rows = list(read_spans(where))
    if not rows or max(row["end_s"] for row in rows) <= min(row["start_s"] for row in rows):
        raise ResultsError(
            f"{where}: its calls took no time, so there is nothing to compare; "
            "give the mock answer times, such as --latency uniform:8:12"
        )
    origin_s = min(row["start_s"] for row in rows)
    calls = [measured_from_trace(row, arm=arm, round_=number, origin_s=origin_s) for row in rows]
    return sorted(calls, key=lambda call: (call.times.start_s, call.times.topic_id, call.times.id))
