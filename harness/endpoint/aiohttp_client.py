"""Chat completions over aiohttp, without httpx2's requests and responses in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import aiohttp
import httpx2

from harness.domain.endpoint import Endpoint
from harness.endpoint.aiohttp_transport import AiohttpTransport, Body, httpx2_response
from harness.endpoint.chat_client import ChatClient, Httpx2Response, Response


class AiohttpResponse:
    """A response of aiohttp that is not compressed."""

    def __init__(self, response: aiohttp.ClientResponse, headers: Mapping[str, str]) -> None:
        self.status_code = response.status
        self.headers = headers
        self.content = b""
        self._body = Body(response)

    def body(self) -> AsyncIterator[bytes]:
        """See `Response`."""
        return self._body

    async def close(self) -> None:
        """See `Response`."""
        await self._body.aclose()

    async def read_refusal(self) -> AiohttpResponse:
        """Read the body where it is that of a refusal, to be quoted."""
        if self.status_code >= 300:
            try:
                self.content = b"".join([piece async for piece in self._body])
            finally:
                await self._body.aclose()
        return self


class AiohttpClient(ChatClient):
    """Posts chat completions through an `AiohttpTransport`.

    Without the models of httpx2 the adapter takes a quarter less CPU. Its errors are raised all the
    same, and a compressed response is its own: that is rare, and httpx2 knows how to read it.
    """

    def __init__(
        self, endpoint: Endpoint, http_client: httpx2.AsyncClient, transport: AiohttpTransport
    ) -> None:
        super().__init__(endpoint, http_client)
        self._transport = transport
        self._head: tuple[str, list[tuple[str, str]]] | None = None
        self._connect_s = http_client.timeout.connect

    async def post(self, body: bytes) -> Response:
        """As the one it replaces."""
        if self._http.is_closed:
            raise RuntimeError("the client has been closed")
        if self._head is None:
            self._head = self._head_of_all()
        url, sent = self._head
        answer = await self._transport.send("POST", url, sent, body, connect_s=self._connect_s)
        headers = _headers_of(answer)
        if "content-encoding" in headers:
            return await Httpx2Response(httpx2_response(answer)).read_refusal()
        return await AiohttpResponse(answer, headers).read_refusal()

    def _head_of_all(self) -> tuple[str, list[tuple[str, str]]]:
        """Return the address and the headers of every request, the host's name included; aiohttp
        adds the length.
        """
        request = self._request(b"")
        headers = []
        for name, value in request.headers.multi_items():
            if name.lower() != "content-length":
                headers.append((name, value))
        return str(request.url), headers


def _headers_of(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the headers by their names in lower case; those of one name are joined."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.raw_headers:
        name, value = _text(raw_name).lower(), _text(raw_value)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
