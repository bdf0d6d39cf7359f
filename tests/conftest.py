"""What holds for all tests: no way to the network, virtual time on request, the same examples every day."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import sys
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, settings

from harness.testing.virtual_time import VirtualLoop


class TestReachedForTheNetwork(RuntimeError):
    """A test would have left this machine: something that it calls is not the fake that it was meant to be."""

    __test__ = False


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _guard_the_network(event: str, args: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # a socket of this machine has a path
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    if not _is_loopback(host):
        raise TestReachedForTheNetwork(f"{event}: {host!r}")


# The interpreter asks its audit hooks before it acts; whoever opens a socket, in whatever library, meets this one.
sys.addaudithook(_guard_the_network)

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
