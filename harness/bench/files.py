"""The directory of a benchmark: `bench.json` (what was measured, how and where), `spans.jsonl` (a
row a call), reports.

The rounds themselves are ordinary run directories under `rounds/`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.bench.arms import Arm
from harness.bench.description import BENCH_VERSION, Description, description_of
from harness.bench.measured import Measured, measured_from_row, measured_from_span, measured_to_row
from harness.errors import ResultsError
from harness.records.json_text import to_text
from harness.records.jsonl_file import pretty, storage_errors, write_whole
from harness.records.manifest import RUN_FILE
from harness.records.run import Run

BENCH_FILE = "bench.json"
SPANS_FILE = "spans.jsonl"
ROUNDS = "rounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A finished benchmark, as its files tell it. `description` is `bench.json`."""

    path: Path
    description: Description
    calls: tuple[Measured, ...]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def arms(self) -> tuple[Arm, ...]:
        return self.description.arms


def round_path(path: Path, arm: str, number: int) -> Path:
    return path / ROUNDS / f"{number}-{arm}"


def write_bench(path: Path, description: Description, calls: Sequence[Measured]) -> None:
    """Write both files; `bench.json` comes last and seals both. Raises StorageError."""
    digest = hashlib.sha256()

    def lines() -> Iterator[bytes]:
        header = {
            "version": BENCH_VERSION,
            "about": asdict(description.about),
            "settings": description.settings,
        }
        for row in (header, *map(measured_to_row, calls)):
            line = f"{to_text(row)}\n".encode()
            digest.update(line)
            yield line

    with storage_errors(path):
        write_whole(path / SPANS_FILE, lines())
    unsealed = replace(description, seal=None)
    seal = _seal(unsealed.as_json(), digest.hexdigest())
    write_description(path, replace(unsealed, seal=seal))


def write_description(path: Path, description: Description) -> None:
    """Write `bench.json`. Raises StorageError."""
    with storage_errors(path):
        write_whole(path / BENCH_FILE, pretty(description.as_json()))


def read_bench(path: Path) -> Bench:
    """Read a finished benchmark.

    Raises ResultsError for a directory that is none, one that did not finish, and one that was
    changed.
    """
    file = path / BENCH_FILE
    if not file.is_file():
        kind = "a run, not a benchmark" if (path / RUN_FILE).is_file() else "not a benchmark"
        raise ResultsError(
            f"{path}: {kind}: there is no {BENCH_FILE}; `harness bench DATASET` makes one"
        )
    try:
        written = json.loads(file.read_bytes())
        version, status = written["version"], written.get("status")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{file}: damaged: {error!r}") from error
    if version != BENCH_VERSION:
        raise ResultsError(f"{file}: of version {version}, not {BENCH_VERSION}")
    if status != "complete":
        raise ResultsError(
            f"{path}: this benchmark was interrupted, or a round of it could not be compared, so"
            " there are rounds without timings; run it again to its end"
        )
    calls = tuple(_read_calls(path, written))
    try:
        description = description_of(written)
    except ValueError as error:
        raise ResultsError(f"{file}: damaged: {error}") from error
    return Bench(path=path, description=description, calls=calls)


def _read_calls(path: Path, written: Mapping[str, Any]) -> Iterator[Measured]:
    """Read the calls, after a check of the seal: a file that was cut short still reads like a whole
    one.
    """
    spans = path / SPANS_FILE
    unsealed = dict(written)
    seal = unsealed.pop("seal", None)
    try:
        with spans.open("rb") as file:
            if seal != _seal(unsealed, hashlib.file_digest(file, "sha256").hexdigest()):
                raise ResultsError(
                    f"{path}: {BENCH_FILE} or {SPANS_FILE} is not as it was measured, but cut short"
                    " or edited; restore them, or run the benchmark again"
                )
            file.seek(0)
            next(file)  # what it is about
            for line in file:
                yield measured_from_row(json.loads(line))
    except OSError as error:
        raise ResultsError(f"{spans}: cannot be read: {error.strerror or error}") from error


def _seal(unsealed: Mapping[str, Any], spans_sha256: str) -> str:
    text = json.dumps([unsealed, spans_sha256], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def calls_of_round(path: Path, arm: str, number: int) -> list[Measured]:
    """Read the calls of one arm in one round from its run directory.

    Raises ResultsError where it was interrupted or topics failed: its times would be those of other
    work.
    """
    where = round_path(path, arm, number)
    run = Run.open(where)
    manifest = run.manifest
    if manifest.sessions != 1 or manifest.status != "complete":
        raise ResultsError(
            f"{where}: this round was interrupted, so it has no timings that mean anything; begin"
            " anew"
        )
    failed = [row for row in run.results() if row.status == "failed"]
    if failed:
        first, why = failed[0], failed[0].error
        raise ResultsError(
            f"{where}: {len(failed)} of {manifest.dataset.topics} topics failed (the first:"
            f" {first.topic_id}: {why.message if why else None}), so this arm did other work than"
            f" the rest and is not compared; see `harness show {where}`"
        )
    spans = list(run.spans())
    if not spans or max(span.end_s for span in spans) <= min(span.start_s for span in spans):
        raise ResultsError(
            f"{where}: its calls took no time, so there is nothing to compare; "
            "give the mock answer times, such as --latency uniform:8:12"
        )
    origin_s = min(span.start_s for span in spans)
    calls = [measured_from_span(span, arm=arm, round_=number, origin_s=origin_s) for span in spans]
    return sorted(calls, key=lambda call: (call.times.start_s, call.times.topic_id, call.times.id))
