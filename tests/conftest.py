"""What holds for all tests: no way to the network, virtual time on request, the same examples every day."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping

import network_guard
import pytest
from hypothesis import HealthCheck, settings

from harness.testing.virtual_time import VirtualLoop

network_guard.install()

settings.register_profile(
    "ci", derandomize=True, max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked `virtual` run on virtual time, all others on the loop of every day."""
    if item.get_closest_marker("virtual") is not None:
        return {"virtual": VirtualLoop}
    return {"asyncio": asyncio.new_event_loop}
