"""The fake behind respx.

A user's own `AsyncOpenAI` or `OpenAI` is intercepted untouched, and so is plain httpx. This package
itself sends through aiohttp, which respx does not see, unless `HARNESS_TRANSPORT=httpx2` says
otherwise. What is not seen cannot reach the host either: its name is not resolved.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from harness.testing.deepseek.fake import FakeDeepSeek
from harness.testing.hosts import Hosts, Replier

DEEPSEEK_HOST = "api.deepseek.com"


class NotInterceptedError(AssertionError):
    """A client that cannot be intercepted was about to reach a host that a mock answers for."""


@contextmanager
def mock_deepseek(
    fake: FakeDeepSeek | None = None, *, host: str = DEEPSEEK_HOST
) -> Iterator[FakeDeepSeek]:
    """Answer every request to `host` from the fake, inside this block.

    Without `fake` it is a new one. A request to another host fails with respx's
    AllMockedAssertionError, so that nothing reaches the network by accident. Time passes on the
    running loop's clock; a synchronous client really waits. Raises ImportError, naming the extra to
    install, where respx is missing.
    """
    fake = fake or FakeDeepSeek()
    with intercepted(fake, Hosts(answered={host.lower()})):
        yield fake


@contextmanager
def intercepted(replier: Replier, hosts: Hosts) -> Iterator[None]:
    """Answer the requests to some hosts from a replier, let those to others leave, and refuse the
    rest.
    """
    try:
        # Respx is an extra that only this face needs.
        from harness.testing.routing import routed  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        if missing.name != "respx":
            raise
        raise ImportError(
            "mock_deepseek needs respx: pip install 'reasoning-harness[pytest]'"
        ) from missing
    with routed(replier, hosts), _unresolved(hosts):
        yield


@contextmanager
def _unresolved(hosts: Hosts) -> Iterator[None]:
    """Resolve no name that is answered for.

    A client that asks for it is about to connect, so it was not intercepted.
    """
    resolve = socket.getaddrinfo

    def guarded(host: bytes | str | None, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        if isinstance(host, bytes):
            name = host.decode("ascii", "replace")
        else:
            name = host or ""
        if name.lower() in hosts.answered:
            raise NotInterceptedError(
                f"a client that the mock cannot intercept was about to connect to {name}: use"
                " httpx, httpx2 or the openai SDK with its default client (this package's own"
                " calls need HARNESS_TRANSPORT=httpx2)"
            )
        return resolve(host, *args, **options)

    with mock.patch.object(socket, "getaddrinfo", guarded):
        yield
