"""The directory of a benchmark: `bench.json` (what was measured, how and where), `spans.jsonl` (a row a call), reports.

The rounds themselves are ordinary run directories under `rounds/`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.adapters.codec import to_text
from harness.adapters.jsonl_file import pretty, storage_errors, write_whole
from harness.adapters.results_dir import RUN_FILE, read_manifest, read_results, read_spans
from harness.bench.arms import Arm
from harness.bench.measured import Measured, measured_from_row, measured_from_trace, measured_to_row
from harness.domain.policy import Limits
from harness.errors import DatasetError, ResultsError

BENCH_VERSION = 1
BENCH_FILE = "bench.json"
SPANS_FILE = "spans.jsonl"
ROUNDS = "rounds"

_KINDS: Mapping[str, type] = {
    "about": dict,
    "identity": dict,
    "settings": dict,
    "arms": list,
    "order": list,
    "repeat": int,
    "topics": int,
    "virtual": bool,
    "spans_sha256": str,
}


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
    """Write both files; `bench.json` comes last and knows the other by its hash. Raises StorageError."""
    digest = hashlib.sha256()

    def lines() -> Iterator[bytes]:
        header = {"version": BENCH_VERSION, "about": description["about"], "settings": description["settings"]}
        for row in (header, *map(measured_to_row, calls)):
            line = f"{to_text(row)}\n".encode()
            digest.update(line)
            yield line

    with storage_errors(path):
        write_whole(path / SPANS_FILE, lines())
    write_description(path, {**description, "spans_sha256": digest.hexdigest()})


def write_description(path: Path, description: Mapping[str, Any]) -> None:
    """Write `bench.json`. Raises StorageError."""
    with storage_errors(path):
        write_whole(path / BENCH_FILE, pretty(dict(description)))


def arm_to_json(arm: Arm) -> dict[str, Any]:
    return asdict(arm)


def read_bench(path: Path) -> Bench:
    """Raises ResultsError for a directory that is no benchmark, one that did not finish, and one that was changed."""
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
        arms = _checked_arms(description)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{path / BENCH_FILE}: damaged: {error}") from error
    calls = tuple(_read_calls(path / SPANS_FILE, description["spans_sha256"]))
    return Bench(path=path, description=description, arms=arms, calls=calls)


def _checked_arms(description: Mapping[str, Any]) -> tuple[Arm, ...]:
    """The arms of a description that has all it needs. Raises ValueError, KeyError or TypeError."""
    for name, kind in _KINDS.items():
        if type(description.get(name)) is not kind:
            raise ValueError(f"{name} is missing or no {kind.__name__}")
    arms = tuple(
        Arm(name=arm["name"], limits=Limits(**arm["limits"]), swept=arm["swept"]) for arm in description["arms"]
    )
    counts = [description["repeat"], *(count for arm in arms for count in asdict(arm.limits).values())]
    if not arms or any(count is not None and (type(count) is not int or count < 1) for count in counts):
        raise ValueError("repeat or a limit of an arm is no number from 1 on")
    return arms


def _read_calls(path: Path, sha256: str) -> Iterator[Measured]:
    try:
        with path.open("rb") as file:
            # A file that was cut short still reads like one, and its numbers would look right.
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise ResultsError(f"{path}: is not what was measured: it was cut short or edited; restore it")
            file.seek(0)
            next(file)  # what it is about
            for number, line in enumerate(file, start=2):
                try:
                    yield measured_from_row(json.loads(line))
                except (ValueError, ResultsError) as error:
                    raise ResultsError(f"{path}:{number}: {error}") from error
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from error


def calls_of_round(path: Path, arm: str, number: int) -> list[Measured]:
    """The calls of one arm in one round, from its run directory.

    Raises ResultsError where it was interrupted or topics failed: its times would be those of other work.
    """
    where = round_path(path, arm, number)
    manifest = read_manifest(where)
    if manifest["sessions"] != 1 or manifest["status"] != "complete":
        raise ResultsError(f"{where}: this round was interrupted, so it has no timings that mean anything; begin anew")
    # A bad line of the file is a failed row in every arm alike (--skip-bad), and no work.
    failed = [row for row in read_results(where) if row["status"] == "failed" and not _is_bad_line(row)]
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


def _is_bad_line(row: Mapping[str, Any]) -> bool:
    return bool(row["error"]) and row["error"]["type"] == DatasetError.__name__
