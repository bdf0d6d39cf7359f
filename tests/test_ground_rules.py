from __future__ import annotations

import asyncio
import socket

import pytest
from network_guard import TestReachedForTheNetwork


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_a_connection_to_another_machine_fails_loudly(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(TestReachedForTheNetwork, match=host):
        sock.connect((host, 80))


def test_looking_up_a_name_fails_loudly() -> None:
    with pytest.raises(TestReachedForTheNetwork, match=r"example\.com"):
        socket.getaddrinfo("example.com", 443)


def test_a_connection_within_this_machine_passes() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


@pytest.mark.harness_virtual_time
async def test_a_night_passes_at_once_on_virtual_time() -> None:
    await asyncio.sleep(8 * 3600)
    assert asyncio.get_running_loop().time() == 8 * 3600


async def test_other_tests_run_on_real_time() -> None:
    assert asyncio.get_running_loop().time() != 0.0
