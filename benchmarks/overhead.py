"""CPU per completed call against a local server, like with like: ours, the bare SDK's and raw
aiohttp's.

`python benchmarks/overhead.py` – the aim is half of a bare `AsyncOpenAI` gather (default client),
plain against plain and streams of 200 chunks against streams. Also says where our time goes, by
adding one layer at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from _contest import BARE_SDK, OUR_ADAPTER, RAW_AIOHTTP, SDK_AIOHTTP, Contestant, Score, contest
from _local_server import local_server
from _stack import OUR_STACK
from _steps import STEPS

AIM = 0.5

FIELD: list[Contestant] = [BARE_SDK, SDK_AIOHTTP, OUR_STACK, OUR_ADAPTER, RAW_AIOHTTP]
"""The first is what the others are compared with."""
OURS: list[Contestant] = [OUR_STACK]
"""Those that have to reach the aim."""


def run(contestants: list[Contestant], options: argparse.Namespace, *, stream: bool) -> list[Score]:
    """One contest against a server of its own."""
    with local_server(chunks=200, delay_s=0.02, pace_s=0.003) as base_url:
        return asyncio.run(
            contest(
                contestants,
                base_url=base_url,
                stream=stream,
                calls=options.streams if stream else options.calls,
                in_flight=options.in_flight,
                rounds=options.rounds,
            )
        )


def print_ratios(scores: list[Score]) -> None:
    """Every contestant beside the first and beside raw aiohttp."""
    baseline, raw = scores[0], next(score for score in scores if score.name == RAW_AIOHTTP.name)
    for score in scores:
        print(
            f"  {score.name:38} {score.ms_per_call:7.3f} ms CPU a call"
            f"  {score.ms_per_call / baseline.ms_per_call:5.2f} × bare SDK"
            f"  {score.ms_per_call / raw.ms_per_call:5.1f} × raw aiohttp"
        )


def print_steps(scores: list[Score]) -> None:
    """What each layer adds to the one below."""
    below = 0.0
    for (name, _), score in zip(STEPS, scores, strict=True):
        print(f"  {name:46} {score.ms_per_call - below:+7.3f} ms")
        below = score.ms_per_call


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=600, help="plain calls a round")
    parser.add_argument("--streams", type=int, default=100, help="streams a round")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    names = {contestant.name for contestant in OURS}
    met = True
    for stream, title in (
        (False, "Plain responses"),
        (True, "Streams of 200 chunks, one every 3 ms"),
    ):
        print(f"\n{title}, {options.in_flight} in flight:")
        scores = run(FIELD, options, stream=stream)
        print_ratios(scores)
        met &= all(s.ms_per_call <= AIM * scores[0].ms_per_call for s in scores if s.name in names)
        print("  where our adapter's time goes:")
        print_steps(run([contestant for _, contestant in STEPS], options, stream=stream))
    print(f"\naim: at most {AIM} × the bare SDK: {'met' if met else 'NOT met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
