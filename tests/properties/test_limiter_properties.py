"""The limiter under any batch: bounds are kept, nobody is forgotten, cancelled calls leave nothing
behind.
"""

from __future__ import annotations

import asyncio

from fakes import gathered
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.domain.policy import Limits
from harness.engine.limiter import Limiter
from harness.engine.stopping import Stop
from harness.testing.virtual_time import run_virtual

CALLS = st.lists(
    st.tuples(
        st.floats(0.0, 20.0),  # wanted at
        st.floats(0.0, 5.0),  # takes
        st.integers(0, 5),  # priority
        st.none() | st.floats(0.0, 10.0),  # cancelled after
        st.sampled_from(["answered", "refused", "named", "rate", "paused"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=150)
@given(
    calls=CALLS,
    in_flight=st.integers(1, 12),
    rpm=st.none() | st.integers(20, 600),
    tpm=st.none() | st.integers(2000, 60_000),
    stop_at=st.none() | st.floats(0.0, 30.0),
)
def test_whatever_happens_bounds_hold_and_nothing_is_left_behind(
    calls: list[tuple[float, float, int, float | None, str]],
    in_flight: int,
    rpm: int | None,
    tpm: int | None,
    stop_at: float | None,
) -> None:
    async def batch() -> None:
        loop = asyncio.get_running_loop()
        stop = Stop()
        limits = Limits(in_flight=in_flight, requests_per_minute=rpm, tokens_per_minute=tpm)
        limiter = Limiter(limits, stop)
        if stop_at is not None:
            loop.call_at(stop_at, stop.set, "interrupted", "Ctrl-C")

        async def call(
            at: float, takes: float, priority: int, cancelled: float | None, end: str
        ) -> None:
            await asyncio.sleep(at)
            wanted_at = loop.time()
            place = await limiter.acquire(priority=priority, tokens=100)
            assert not stop.is_set
            assert 1 <= limiter.in_flight <= in_flight
            assert place.queued_s >= -1e-9
            assert place.paced_s >= 0.0
            assert abs(loop.time() - wanted_at - place.queued_s - place.paced_s) < 1e-9
            try:
                await asyncio.sleep(takes)
                if end == "answered":
                    limiter.succeeded(place)
                else:
                    named = 3 if end == "named" else None
                    limiter.refused(place, named=named, by_rate=end == "rate")
                    if end == "paused":
                        limiter.pause(2.0)
            finally:
                limiter.release(place, tokens_used=150)

        tasks = [asyncio.create_task(call(*spec)) for spec in calls]
        for task, (at, _, _, cancelled, _) in zip(tasks, calls, strict=True):
            if cancelled is not None:
                loop.call_at(at + cancelled, task.cancel)
        ends = await gathered(*tasks)
        assert not any(isinstance(end, AssertionError) for end in ends), ends
        state = limiter.state()
        assert (state.in_flight, state.waiting) == (0, 0)

    run_virtual(batch)
