"""CPU per call beside other libraries of the field, each whole and in an environment of its own.

`python benchmarks/peers.py` – installs the peers, pinned, with `uv` (gigabytes; `--into DIR` keeps
them), and prints three tables: plain calls, chunks of streams, and calls that a cache on the disk
answers. `--peers dspy,litellm` names some of them.

Each figure is the CPU time of a whole process that makes CALLS calls, less that of one that makes
50, by the number of calls between them: imports and a warm-up are in neither. Ours is `harness
run` of topics with one call each, with all that a run keeps: dataset, key, cache, limits, journal,
trace and results. Processes are interleaved and medians taken; only ratios of one run mean
anything.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from _local_server import local_server
from _peer import MODEL, prompt_of

HERE = Path(__file__).parent
WARM_UP = 50
CHUNKS = 200
OURS = "harness run"

PACKAGES = {
    "raw aiohttp": (),
    "openai default client": (),
    "openai on aiohttp": (),
    "SELECT and json.loads": (),
    "dspy": ("dspy==3.4.1",),
    "litellm": ("litellm==1.110.2", "diskcache==5.6.3"),
    "inspect_ai": ("inspect_ai==0.3.285", "openai"),
    "langchain-openai": ("langchain-openai==1.7.4",),
}
"""What each client needs besides this environment; nothing: it runs in this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One table. `unit` is what is counted, so many a call; the peers in `beside` can do it."""

    title: str
    unit: str
    a_call: int
    calls: int
    beside: Sequence[str]
    stream: bool = False
    is_cached: bool = False


def kinds_of(options: argparse.Namespace) -> list[Kind]:
    """The three tables."""
    library = ["dspy", "litellm", "inspect_ai", "langchain-openai"]
    sdk = ["openai default client", "openai on aiohttp"]
    return [
        Kind(
            title=f"Plain calls, {options.in_flight} in flight",
            unit="call",
            a_call=1,
            calls=options.calls,
            beside=["raw aiohttp", *sdk, *library],
        ),
        Kind(
            title=f"Chunks of streams, {CHUNKS} a call, {options.in_flight} in flight",
            unit="chunk",
            a_call=CHUNKS,
            calls=options.streams,
            beside=["raw aiohttp", *sdk],
            stream=True,
        ),
        Kind(
            title="Calls that a cache on the disk answers",
            unit="call",
            a_call=1,
            calls=options.calls,
            beside=["SELECT and json.loads", "dspy", "litellm"],
            is_cached=True,
        ),
    ]


def environment(name: str, into: Path) -> Path:
    """Return the Python that has this client, installed on first use."""
    packages = PACKAGES[name]
    if not packages:
        return Path(sys.executable)
    directory = into / name
    python = directory / "bin" / "python"
    if not python.exists():
        print(f"installing {' '.join(packages)}", file=sys.stderr)
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--python", sys.executable, directory], check=True)
        subprocess.run([*uv, "pip", "install", "--python", python, *packages], check=True)
    return python


def cpu_s(command: Sequence[str | Path]) -> float:
    """Return the CPU seconds of a process and its children, in user and kernel mode."""
    variables = {**os.environ, "OPENAI_API_KEY": "none", "INSPECT_DISPLAY": "none"}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [str(part) for part in command], stdout=said, stderr=said, env=variables
        ) as child,
    ):
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            sys.exit(f"{command}: {said.read().decode(errors='replace')[-2000:]}")
    return used.ru_utime + used.ru_stime


Run = Callable[[str, int], float]
"""Makes so many calls to this base URL, in a process, and returns its CPU seconds."""


def peer(name: str, kind: Kind, in_flight: int, into: Path, scratch: Path) -> Run:
    """A peer's calls. Its cache, where it shall keep one, is filled by the first process."""
    python = environment(name, into)
    directory = ""
    if kind.is_cached:
        kept = scratch / name.replace(" ", "-")
        kept.mkdir()
        directory = str(kept)
    stream = "stream" if kind.stream else "whole"

    def run(base_url: str, calls: int) -> float:
        here = HERE / "_peer.py"
        return cpu_s([python, here, name, base_url, str(calls), str(in_flight), stream, directory])

    return run


def ours(kind: Kind, in_flight: int, scratch: Path) -> Run:
    """Our calls: a whole run each time, over a cache of its own unless the cache shall answer."""
    runs = 0

    def run(base_url: str, calls: int) -> float:
        nonlocal runs
        runs += 1
        topics = scratch / f"{calls}.jsonl"
        if not topics.exists():
            lines = [json.dumps({"topic": prompt_of(number)}) for number in range(calls)]
            topics.write_text("\n".join(lines) + "\n")
        cache = "kept" if kind.is_cached else f"run-{runs}"
        command: list[str | Path] = [sys.executable, "-m", "harness", "run", topics]
        command += ["--workflow", f"{HERE / '_one_call.py'}:ask"]
        command += ["--base-url", base_url, "--model", MODEL]
        command += ["--in-flight", str(in_flight), "--per-run", "1"]
        command += ["--cache", scratch / f"{cache}.sqlite", "--out", scratch / f"out-{runs}", "-q"]
        command += ["--stream" if kind.stream else "--no-stream"]
        return cpu_s(command)

    return run


@contextmanager
def kept_in(directory: Path | None) -> Iterator[Path]:
    """The directory for the peers' environments; None: one that is removed at the end."""
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory.resolve()
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def measured(kind: Kind, runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Return the microseconds of CPU per unit, by who made the calls."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    with local_server(chunks=CHUNKS) as base_url:
        if kind.is_cached:
            for run in runs.values():
                run(base_url, kind.calls)
        for _ in range(rounds):
            for name, run in runs.items():
                spent_s = run(base_url, kind.calls) - run(base_url, WARM_UP)
                found[name].append(spent_s / (kind.calls - WARM_UP) / kind.a_call * 1e6)
    return {name: statistics.median(values) for name, values in found.items()}


def print_table(kind: Kind, found: dict[str, float]) -> None:
    """Ratios first: only they mean anything on another machine."""
    ours_us = found[OURS]
    print(f"\n{kind.title}: CPU per {kind.unit}\n")
    print(f"{'':26}  {'ours beside it':>14}  {'µs of CPU':>10}")
    for name, value in sorted(found.items(), key=lambda item: item[1]):
        ratio = "" if name == OURS else f"{ours_us / value:.2f} ×"
        print(f"{name:26}  {ratio:>14}  {value:>10,.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000, help="plain and cached calls a process")
    parser.add_argument("--streams", type=int, default=200, help="streams a process")
    parser.add_argument("--in-flight", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default=",".join(PACKAGES), help="some of them, by name")
    parser.add_argument("--into", type=Path, help="keep the peers' environments here")
    options = parser.parse_args()
    wanted = options.peers.split(",")
    with kept_in(options.into) as into:
        for kind in kinds_of(options):
            with tempfile.TemporaryDirectory() as made:
                scratch = Path(made)
                runs = {OURS: ours(kind, options.in_flight, scratch)}
                for name in kind.beside:
                    if name in wanted:
                        runs[name] = peer(name, kind, options.in_flight, into, scratch)
                print_table(kind, measured(kind, runs, options.rounds))


if __name__ == "__main__":
    main()
