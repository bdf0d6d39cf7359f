"""A long run watched from outside: memory, descriptors and speed must be at its end what they were
at its beginning.

`python benchmarks/soak.py` – 10,000 topics of `research` on the built-in mock, through the command
as a user starts it. `--topics 100000 --one-call` – many more topics of one call each. Prints a line
for every twentieth of the topics, and compares the last quarter of the run with its first. Linux
only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

MAX_GROWTH = 1.15
MAX_MORE_DESCRIPTORS = 4
MIN_SPEED = 0.8
SAMPLE_S = 0.5
ONE_CALL = '''"""One call a topic."""


async def work(step, topic):
    return (await step.complete("ask", topic.text)).content
'''


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at one moment."""

    at_s: float
    topics: int
    rss_mb: float
    descriptors: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last quarter of a run beside its first: medians of memory and descriptors, topics a
    second.
    """

    growth: float
    more_descriptors: float
    speed: float

    @property
    def steady(self) -> bool:
        return (
            self.growth <= MAX_GROWTH
            and self.more_descriptors <= MAX_MORE_DESCRIPTORS
            and self.speed >= MIN_SPEED
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--topics", type=int, default=10_000)
    parser.add_argument(
        "--one-call", action="store_true", help="a workflow of one call in place of research"
    )
    parser.add_argument(
        "--at-most", type=float, default=3600.0, help="seconds until the run is given up"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        samples, code = _watched(Path(directory), options.topics, options.one_call, options.at_most)
    for sample in _twentieths(samples, options.topics):
        print(
            f"{sample.at_s:8.1f} s  {sample.topics:8,} topics"
            f"  {sample.rss_mb:7.1f} MB  {sample.descriptors:4} descriptors"
        )
    done = samples[-1].topics if samples else 0
    if code != 0 or done != options.topics:
        print(f"NOT met: exit code {code}, {done:,} of {options.topics:,} topics have a row")
        return 1
    verdict = compare(samples, options.topics)
    print(
        f"last quarter beside the first: memory × {verdict.growth:.2f} (at most {MAX_GROWTH}),"
        f" descriptors {verdict.more_descriptors:+g} (at most +{MAX_MORE_DESCRIPTORS}), speed ×"
        f" {verdict.speed:.2f} (at least {MIN_SPEED}); {done / samples[-1].at_s:.0f} topics a"
        f" second over all: {'met' if verdict.steady else 'NOT met'}"
    )
    return 0 if verdict.steady else 1


def compare(samples: Sequence[Sample], topics: int) -> Verdict:
    """The last quarter of the topics beside the first; what comes before the first row is the
    start, not the run.
    """
    first = [sample for sample in samples if 0 < sample.topics <= topics / 4]
    last = [sample for sample in samples if sample.topics >= topics * 3 / 4]
    if len(first) < 2 or len(last) < 2:
        raise SystemExit("too short a run to compare its quarters: give it more topics")
    return Verdict(
        growth=median(sample.rss_mb for sample in last) / median(sample.rss_mb for sample in first),
        more_descriptors=median(sample.descriptors for sample in last)
        - median(sample.descriptors for sample in first),
        speed=_speed(last) / _speed(first),
    )


def _speed(samples: Sequence[Sample]) -> float:
    return (samples[-1].topics - samples[0].topics) / (samples[-1].at_s - samples[0].at_s)


def _watched(
    directory: Path, topics: int, one_call: bool, at_most_s: float
) -> tuple[list[Sample], int]:
    """Run the command over so many topics, and look at it twice a second."""
    source, out = directory / "topics.jsonl", directory / "out"
    with source.open("w") as file:
        for index in range(topics):
            file.write(
                json.dumps(
                    {"id": f"topic-{index}", "topic": f"The history of invention number {index}"}
                )
                + "\n"
            )
    command = [
        sys.executable,
        "-m",
        "harness",
        "run",
        str(source),
        "--endpoint",
        "mock",
        "--yes",
        "--quiet",
    ]
    command += ["--out", str(out), "--cache", str(directory / "cache.db")]
    if one_call:
        (directory / "one_call.py").write_text(ONE_CALL)
        command += ["--workflow", f"{directory / 'one_call.py'}:work"]
    samples: list[Sample] = []
    rows, read = 0, 0
    started_s = time.monotonic()
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log)
        try:
            while process.poll() is None and time.monotonic() - started_s < at_most_s:
                more, read = _rows_since(out / "results.jsonl", read)
                rows += more
                sample = _look_at(process.pid, time.monotonic() - started_s, rows)
                if sample is not None:
                    samples.append(sample)
                time.sleep(SAMPLE_S)
        finally:
            process.kill()
            code = process.wait()
    more, _ = _rows_since(out / "results.jsonl", read)
    if samples:
        end = samples[-1]
        samples.append(
            Sample(time.monotonic() - started_s, rows + more, end.rss_mb, end.descriptors)
        )
    if code != 0:
        print((directory / "log").read_text()[-2000:], file=sys.stderr)
    return samples, code


def _rows_since(path: Path, read: int) -> tuple[int, int]:
    """Rows written after this many bytes, and how many bytes there are now."""
    if not path.exists():
        return 0, read
    with path.open("rb") as file:
        file.seek(read)
        more = file.read()
    return more.count(b"\n"), read + len(more)


def _look_at(pid: int, at_s: float, topics: int) -> Sample | None:
    """The process now, or None if it has ended meanwhile."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return None
    resident = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    if not resident:
        return None
    return Sample(at_s, topics, int(resident[0]) / 1024, descriptors)


def _twentieths(samples: Sequence[Sample], topics: int) -> list[Sample]:
    """The first sample at or after each twentieth of the topics."""
    shown = []
    for part in range(21):
        reached = next((sample for sample in samples if sample.topics >= topics * part / 20), None)
        if reached is not None and reached not in shown:
            shown.append(reached)
    return shown


if __name__ == "__main__":
    sys.exit(main())
