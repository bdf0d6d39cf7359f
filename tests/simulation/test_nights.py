"""A thousand nights, each from a seed: whatever goes wrong in one, the promises hold at every
moment of it.

`HARNESS_NIGHTS=100000 pytest tests/simulation` plays more of them, and larger ones;
`HARNESS_NIGHT=417 pytest tests/simulation` plays one again, exactly.
"""

from __future__ import annotations

import os

import pytest

from simulation.night import Story, play

NIGHTS = int(os.environ.get("HARNESS_NIGHTS", "1000"))
ONE = os.environ.get("HARNESS_NIGHT")
CHUNK = max(50, NIGHTS // 20)
SEEDS = (
    [range(int(ONE), int(ONE) + 1)]
    if ONE
    else [range(at, min(at + CHUNK, NIGHTS)) for at in range(0, NIGHTS, CHUNK)]
)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_whatever_goes_wrong_in_a_night_the_promises_hold(seeds: range) -> None:
    for seed in seeds:
        story = play(seed)
        assert not story.broken, story.told()


@pytest.mark.parametrize("seed", range(5))
def test_a_night_replays_exactly(seed: int) -> None:
    assert play(seed) == play(seed)


def test_a_night_that_breaks_a_promise_tells_how_to_play_it_again() -> None:
    story = Story(
        417, events=[(0.5, 0, "sends", "t1/ask")], broken=["t1/ask was sent after the stop"]
    )
    assert "t1/ask was sent after the stop" in story.told()
    assert "0.5 0 sends t1/ask" in story.told()
    assert story.told().endswith("HARNESS_NIGHT=417 pytest tests/simulation")
