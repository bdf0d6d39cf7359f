"""What only a process of its own can show: memory that does not grow, and a disk that is full."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Resident memory is a process's own: only a fresh one shows the peak of one dataset.
PEAK_KIB = """
import resource, sys
from harness.datasets.dataset import DatasetSpec, open_dataset

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

small, large, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]) or None
sizes = []
for path in (small, large):
    with open_dataset(DatasetSpec(path=path, shuffle_seed=seed)) as dataset:
        count = sum(1 for _ in dataset.read())
    sizes.append(peak())
print(count, sizes[1] - sizes[0])
"""


DISK_OF_1000_BYTES = """
import io, resource
from harness.datasets.byte_source import open_content
from harness.errors import StorageError

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    open_content("-", name="f", stdin=io.BytesIO(b"x" * 2000))
except StorageError as error:
    print(error)
"""


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout


def lines(count: int) -> str:
    return "".join(
        json.dumps({"id": f"topic-{n}", "topic": f"What is {n}?", "n": n}) + "\n"
        for n in range(count)
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_100_times_as_many_topics_take_no_more_memory(tmp_path: Path, seed: int) -> None:
    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    small.write_text(lines(1_000))
    large.write_text(lines(100_000))

    count, growth_kib = map(int, run(PEAK_KIB, str(small), str(large), str(seed)).split())

    assert count == 100_000
    # Their ids alone would take some 10 MiB as a set of strings; SQLite's page cache takes up to 4.
    assert growth_kib < 8 * 1024


def test_a_disk_that_is_full_stops_the_copy_with_advice() -> None:
    assert run(DISK_OF_1000_BYTES).startswith(
        "f: cannot be copied to a temporary file: File too large; point TMPDIR to"
    )
