"""CPU per SSE chunk: ours against the SDK's chunk objects and against receiving the bytes with raw
aiohttp.

`python benchmarks/streaming.py` – the aim is a fifth of the SDK's. Paced streams send every chunk
alone, as a model does; in a burst many chunks come in one read.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from _contest import BARE_SDK, OUR_ADAPTER, RAW_AIOHTTP, contest
from _local_server import local_server

AIM = 0.2


def measure(*, chunks: int, pace_s: float, calls: int, in_flight: int, rounds: int) -> float:
    """Print a table; the value is our CPU per chunk over the SDK's."""
    with local_server(chunks=chunks, pace_s=pace_s) as base_url:
        scores = asyncio.run(
            contest(
                [BARE_SDK, OUR_ADAPTER, RAW_AIOHTTP],
                base_url=base_url,
                stream=True,
                calls=calls,
                in_flight=in_flight,
                rounds=rounds,
            )
        )
    sdk, ours, _ = scores
    manner = f"one chunk every {pace_s * 1e3:g} ms" if pace_s else "in a burst"
    print(f"\n{chunks} chunks a stream, {manner}, {in_flight} in flight:")
    for score in scores:
        per_chunk = score.ms_per_call * 1e3 / chunks
        print(
            f"  {score.name:38} {per_chunk:7.1f} µs a chunk "
            f" {score.ms_per_call / sdk.ms_per_call:5.2f} × the SDK"
        )
    return ours.ms_per_call / sdk.ms_per_call


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=1000)
    parser.add_argument("--calls", type=int, default=20, help="streams a round")
    parser.add_argument("--in-flight", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios = [
        measure(
            chunks=options.chunks,
            pace_s=pace_s,
            calls=options.calls,
            in_flight=options.in_flight,
            rounds=options.rounds,
        )
        for pace_s in (0.004, 0.0)
    ]
    met = all(ratio <= AIM for ratio in ratios)
    print(f"\naim: at most {AIM} × the SDK: {'met' if met else 'NOT met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
