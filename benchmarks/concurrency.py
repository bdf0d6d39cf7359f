"""A thousand calls of one second in flight, four thousand in all: wall time beside the ideal four
seconds.

`python benchmarks/concurrency.py` – a client whose pool is searched in linear time, or that times
out waiting for it, collapses here. `--all` adds the bare SDK for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys

from _contest import BARE_SDK, OUR_ADAPTER, RAW_AIOHTTP, SDK_AIOHTTP, Contestant, contest
from _local_server import local_server
from _stack import OUR_STACK

AIM = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--in-flight", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=1.0, help="seconds")
    parser.add_argument("--all", action="store_true", help="also the bare SDK, which is slow")
    options = parser.parse_args()
    _raise_descriptor_limit(4 * options.in_flight)
    field: list[Contestant] = [RAW_AIOHTTP, OUR_ADAPTER, OUR_STACK]
    if options.all:
        field += [SDK_AIOHTTP, BARE_SDK]
    ideal_s = options.calls / options.in_flight * options.latency
    print(
        f"{options.calls} calls of {options.latency:g} s, {options.in_flight} in flight: ideally"
        f" {ideal_s:g} s"
    )
    ours = 0.0
    for contestant in field:
        with local_server(delay_s=options.latency) as base_url:
            (score,) = asyncio.run(
                contest(
                    [contestant],
                    base_url=base_url,
                    stream=False,
                    calls=options.calls,
                    in_flight=options.in_flight,
                    rounds=1,
                )
            )
        wall_s = score.median_wall_s
        print(
            f"  {score.name:38} {wall_s:6.2f} s wall, {wall_s / ideal_s:4.2f} × ideal,"
            f" {score.ms_per_call:.2f} ms CPU a call"
        )
        if contestant is OUR_STACK:
            ours = wall_s / ideal_s
    print(f"aim: at most {AIM} × ideal: {'met' if ours <= AIM else 'NOT met'}")
    return 0 if ours <= AIM else 1


def _raise_descriptor_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


if __name__ == "__main__":
    sys.exit(main())
