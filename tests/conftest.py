"""What holds for all tests: no way to the network, virtual time on request, the same examples every day."""

from __future__ import annotations

import os

import network_guard
from hypothesis import HealthCheck, settings

from harness.testing.virtual_time import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

network_guard.install()

settings.register_profile(
    "ci", derandomize=True, max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
