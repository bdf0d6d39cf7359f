"""No test leaves this machine: a mock that does not intercept is found at once, and by its name."""

from __future__ import annotations

import ipaddress
import sys


class TestReachedForTheNetwork(RuntimeError):
    """A test would have left this machine: something that it calls is not the fake that it was
    meant to be.
    """

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
        # A socket of this machine has a path.
        host = address[0] if isinstance(address, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    if not _is_loopback(host):
        raise TestReachedForTheNetwork(f"{event}: {host!r}")


def install() -> None:
    """Guard this process for good: the interpreter asks its audit hooks before any library opens a
    socket.
    """
    sys.addaudithook(_guard_the_network)
