"""An httpx2 client that sends, and nothing else."""

from __future__ import annotations

from typing import Any

import httpx2


class DirectClient(httpx2.AsyncClient):
    """Hands a request to the transport and its response back, each as it is.

    What httpx2 does around that, we must not do (follow redirects, keep cookies, take a password
    out of the URL) or do elsewhere (hooks, logging); leaving it out saves a tenth of the CPU of a
    call. The URL of a request that has a body is absolute, and its headers are whole: nothing of
    the client is merged into them.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport, timeout: httpx2.Timeout) -> None:
        super().__init__(transport=transport, timeout=timeout, follow_redirects=False)
        self.transport = transport

    def build_request(
        self,
        method: str,
        url: httpx2.URL | str,
        *,
        content: Any = None,
        headers: Any = None,
        timeout: Any = httpx2.USE_CLIENT_DEFAULT,
        **rest: Any,
    ) -> httpx2.Request:
        """As httpx2's; one with a body is taken as it is."""
        if not isinstance(content, bytes) or any(rest.values()):
            return super().build_request(
                method, url, content=content, headers=headers, timeout=timeout, **rest
            )
        if timeout is httpx2.USE_CLIENT_DEFAULT:
            seconds = self.timeout
        else:
            seconds = httpx2.Timeout(timeout)
        return httpx2.Request(
            method, url, content=content, headers=headers, extensions={"timeout": seconds.as_dict()}
        )

    async def send(
        self, request: httpx2.Request, *, stream: bool = False, **_: Any
    ) -> httpx2.Response:
        """As httpx2's, without authentication, redirects, cookies and hooks.

        The caller closes a streamed response.
        """
        if self.is_closed:
            raise RuntimeError("the client has been closed")
        response = await self.transport.handle_async_request(request)
        response.request = request
        if not stream:
            try:
                await response.aread()
            finally:
                await response.aclose()
        return response
