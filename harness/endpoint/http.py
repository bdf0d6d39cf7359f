"""The one place that builds the HTTP client and chooses what carries it.

The transport was chosen by `benchmarks/overhead.py`: httpx2's own pool is searched in linear time,
so it is the wall at a thousand calls in flight. It can be chosen all the same, as it is what respx,
and tools that watch httpx2, can see; and so can the openai SDK over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from harness.domain.policy import Carrier, Timeouts
from harness.errors import SettingsError

if TYPE_CHECKING:
    import httpx2

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def build_http_client(
    timeouts: Timeouts,
    *,
    base_url: str,
    transport: httpx2.AsyncBaseTransport | None = None,
    carrier: Carrier = "aiohttp",
) -> httpx2.AsyncClient:
    """A client for calls to `base_url`; close it with `aclose()`.

    `transport` replaces the network, and the `carrier`. No limit on connections, as calls in flight
    are limited before they come here; no read time-out, as the adapter watches silence and total
    time itself. Redirects are not followed and cookies not kept. TLS is always verified, against
    the store of the operating system. A proxy of the environment (HTTPS_PROXY, NO_PROXY …) is used,
    as a user behind one expects, but never for the loopback.

    Raises SettingsError for a proxy that cannot be used.
    """
    # A tenth of a second of CPU that `--help` must not pay.
    import httpx2  # noqa: PLC0415

    from harness.endpoint.direct_client import DirectClient  # noqa: PLC0415

    if transport is None and carrier != "aiohttp":
        transport = httpx2.AsyncHTTPTransport(
            proxy=environment_proxy(base_url), limits=httpx2.Limits()
        )
    elif transport is None:
        from harness.endpoint.aiohttp_transport import AiohttpTransport  # noqa: PLC0415 - as above

        transport = AiohttpTransport(proxy=environment_proxy(base_url))
    return DirectClient(transport, httpx2.Timeout(None, connect=timeouts.connect_s))


def environment_proxy(base_url: str) -> str | None:
    """The proxy that the environment (on macOS also the system) asks for, or None.

    Raises SettingsError.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or host in _LOOPBACK or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    scheme = urlsplit(proxy).scheme
    if scheme not in ("http", "https"):
        raise SettingsError(
            f"the proxy of the environment is a {scheme} proxy, which is not supported: "
            f"give an http:// one, or except {host} with NO_PROXY"
        )
    return proxy
