"""What holds for all tests: no way to the network, virtual time on request, the same examples every
day.
"""

from __future__ import annotations

import importlib
import os

import network_guard
import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

network_guard.install()

# Hundreds of processes are started here; each would compile the whole package if none kept the
# bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for a process, a socket or a clock."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Our own plugin, also where the package is on the path and not installed."""
    if not pluginmanager.has_plugin("harness"):
        pluginmanager.register(importlib.import_module("harness.pytest_plugin"), "harness")
