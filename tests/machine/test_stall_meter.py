from __future__ import annotations

import asyncio
import time

import pytest

from harness.machine.stall_meter import StallMeter


async def test_what_holds_the_loop_up_is_measured() -> None:
    with StallMeter().running() as meter:
        await asyncio.sleep(0)
        time.sleep(0.15)  # noqa: ASYNC251 - the stall that is to be found
        await asyncio.sleep(0)
    assert 0.12 <= meter.longest_s < 2.0


@pytest.mark.harness_virtual_time
async def test_on_virtual_time_nothing_is_measured_and_no_timer_is_left() -> None:
    with StallMeter().running() as meter:
        await asyncio.sleep(3600)
    assert meter.longest_s == 0.0
    assert asyncio.get_running_loop().time() == 3600
