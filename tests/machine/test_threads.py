from __future__ import annotations

import asyncio
import threading
import time

import pytest

from harness.machine.threads import LARGE, in_thread, off_loop


@pytest.mark.parametrize(("size", "here"), [(0, True), (LARGE - 1, True), (LARGE, False)])
async def test_large_work_is_done_beside_the_loop_and_small_work_at_once(
    size: int, here: bool
) -> None:
    where = await off_loop(threading.get_ident, size)
    assert (where == threading.get_ident()) == here


async def test_one_large_piece_is_done_at_a_time() -> None:
    at_once, most = 0, 0

    def work() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.005)
        at_once -= 1

    await asyncio.gather(*(off_loop(work, LARGE) for _ in range(8)))
    assert most == 1


@pytest.mark.harness_virtual_time
async def test_on_virtual_time_no_time_passes_meanwhile() -> None:
    assert await off_loop(lambda: 7, LARGE) == await in_thread(lambda: 7) == 7
    assert asyncio.get_running_loop().time() == 0.0
