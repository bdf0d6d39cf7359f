"""httpx2 requests over aiohttp's connections.

httpx2's own pool is slow at a thousand calls in flight.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import lru_cache

import aiohttp
import httpx2

_KEEP_ALIVE_S = (
    15.0  # an idle connection is dropped before most servers drop it, so few are reused too late
)
_DNS_CACHE_S = 60
_MAX_ERROR_BYTES = 256 * 1024

# Of one header: gateways write traces, cookies and policies of any length.
_MAX_HEADER_BYTES = 64 * 1024
_MAX_HEADERS = 1000

_AIOHTTP_ERRORS = (aiohttp.ClientError, OSError)  # OSError: also time-outs and TLS


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """One connection per call in flight, reused when it comes free.

    The number of calls is bounded elsewhere. Follows no redirect, decodes nothing, keeps no cookie,
    reads no `.netrc`. Of a request's time-outs only `connect` is applied, to name, TCP and TLS
    together: silence and total time are the caller's business. Raises httpx2's transport errors
    only.
    """

    def __init__(self, *, proxy: str | None = None) -> None:
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self.send(
            request.method,
            str(request.url),
            request.headers.multi_items(),
            request.content,
            connect_s=request.extensions.get("timeout", {}).get("connect"),
        )
        return httpx2_response(response, request)

    async def send(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        content: bytes,
        *,
        connect_s: float | None,
    ) -> aiohttp.ClientResponse:
        """Send a request, and return the response once its headers are there."""
        if self._session is None:
            secure = url.lower().startswith("https:") or self._proxy is not None
            self._session = _open_session(secure=secure)
        try:
            return await self._session.request(
                method,
                url,
                headers=headers,
                data=content,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=_timeout(connect_s),
            )
        except _AIOHTTP_ERRORS as error:
            raise _httpx2_error(error) from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def httpx2_response(
    response: aiohttp.ClientResponse, request: httpx2.Request | None = None
) -> httpx2.Response:
    """The response as httpx2's, its body still to be read."""
    return httpx2.Response(
        response.status,
        headers=list(response.raw_headers),
        stream=Body(response),
        request=request,
    )


class Body(httpx2.AsyncByteStream):
    """The bytes of a response as they arrive, as they were sent."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        # Bodies of errors are read whole, to be quoted: a hostile one must end somewhere.
        self._left = _MAX_ERROR_BYTES if response.status >= 300 else None

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        if self._left is not None and self._left <= 0:
            raise StopAsyncIteration
        try:
            data = await self._response.content.readany()
        except _AIOHTTP_ERRORS as error:
            raise _httpx2_error(error) from error
        if not data:
            raise StopAsyncIteration
        if self._left is not None:
            self._left -= len(data)
        return data

    async def aclose(self) -> None:
        # Gives the connection back if the body was read to its end, and closes it if not.
        self._response.release()


def _open_session(*, secure: bool) -> aiohttp.ClientSession:
    # httpx2's context trusts the store of the operating system, as the SDK does; making one costs
    # milliseconds.
    context: ssl.SSLContext | bool = httpx2.create_ssl_context() if secure else True
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, ssl=context, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=_DNS_CACHE_S
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        max_line_size=_MAX_HEADER_BYTES,
        max_field_size=_MAX_HEADER_BYTES,
        max_headers=_MAX_HEADERS,
    )


@lru_cache(maxsize=8)
def _timeout(connect_s: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=connect_s)


def _httpx2_error(error: Exception) -> httpx2.TransportError:
    text = str(error) or type(error).__name__
    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return httpx2.ProxyError(text)
        case aiohttp.ClientConnectorError() | aiohttp.ClientSSLError():
            return httpx2.ConnectError(text)
        case aiohttp.ConnectionTimeoutError():
            return httpx2.ConnectTimeout(text)
        case aiohttp.ClientResponseError():
            return httpx2.RemoteProtocolError(f"what came is no HTTP: {error.message}")
        case aiohttp.ServerDisconnectedError():
            return httpx2.RemoteProtocolError(text)
        case _:
            return httpx2.ReadError(text)
