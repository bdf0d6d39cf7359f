"""The border with httpx2: one request out, a raw response back.

Nothing of the environment gets in between.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Literal, NamedTuple, Protocol

import httpx2

from harness._version import __version__
from harness.domain.endpoint import Endpoint

HEADERS = {
    "Accept": "application/json, text/event-stream",
    # Compressed, a token would wait in the compressor of a proxy, and silence could not be told.
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": f"harness/{__version__}",
}
"""What every request carries, besides the endpoint's own headers."""


class Response(Protocol):
    """A response whose headers have come. Their names are in lower case.

    `content` is the body of one that is not 2xx, which has been read.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    def body(self) -> AsyncIterator[bytes]:
        """Yield the bytes of the body as they arrive, decompressed where the server compressed
        them.
        """
        ...

    async def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        ...


class Httpx2Response:
    """A response of httpx2."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status_code = response.status_code
        # Once: each look into httpx2's own headers decodes all of them.
        self.headers: Mapping[str, str] = dict(response.headers.items())
        self.content = b""
        self._response = response
        self._body: AsyncIterator[bytes] | None = None

    def body(self) -> AsyncIterator[bytes]:
        """See `Response`."""
        stream = self._response.stream
        if "content-encoding" in self.headers or not isinstance(stream, httpx2.AsyncByteStream):
            self._body = self._response.aiter_bytes()
        else:
            # Past the layers of `aiter_bytes`, which together cost as much as parsing a chunk.
            self._body = aiter(stream)
        return self._body

    async def close(self) -> None:
        """See `Response`."""
        if isinstance(self._body, AsyncGenerator):
            await self._body.aclose()
        await self._response.aclose()

    async def read_refusal(self) -> Httpx2Response:
        """Read the body where it is that of a refusal, to be quoted."""
        if self.status_code >= 300:
            try:
                self.content = await self._response.aread()
            finally:
                await self._response.aclose()
        return self


class ChatClient:
    """Posts chat completions, each as one request to the transport.

    The openai SDK would make the same request (`sdk_client.py` does it that way) for a fifth more
    CPU of a whole call (`benchmarks/overhead.py`). `errors` is what a call and the reading of its
    body raise.
    """

    errors: tuple[type[Exception], ...] = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)

    def __init__(self, endpoint: Endpoint, http_client: httpx2.AsyncClient) -> None:
        self._http = http_client
        self._text = f"{endpoint.base_url}/chat/completions"
        self._url: httpx2.URL | None = None
        self._headers = {**HEADERS, **endpoint.headers()}
        self._extensions = {"timeout": http_client.timeout.as_dict()}

    async def post(self, body: bytes) -> Response:
        """The response, whatever its status; its body is read only where the status is not 2xx.

        The caller closes it. Raises one of `errors`.
        """
        response = await self._http.send(self._request(body), stream=True)
        return await Httpx2Response(response).read_refusal()

    def _request(self, body: bytes) -> httpx2.Request:
        # Parsed once, and here: an address that is none is an error of the call.
        if self._url is None:
            self._url = httpx2.URL(self._text)
        return httpx2.Request(
            "POST", self._url, headers=self._headers, content=body, extensions=self._extensions
        )

    def breakage(self, error: Exception) -> Breakage:
        """Return the meaning of one of `errors`."""
        return _breakage(error)


class Breakage(NamedTuple):
    """The way in which an exchange broke.

    `sent`: the server may have begun to work. `hopeless`: it would break again.
    """

    kind: Literal["connection", "timeout", "malformed"]
    sent: bool
    text: str
    hopeless: bool = False


def _breakage(error: Exception) -> Breakage:
    text = str(error) or type(error).__name__
    match error:
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            return Breakage("timeout", sent=False, text=f"no connection in time: {text}")
        case httpx2.ConnectError() if _is_certificate_error(error):
            advice = "TLS trusts the store of the operating system; SSL_CERT_FILE names another"
            return Breakage("connection", sent=False, text=f"{text} ({advice})", hopeless=True)
        case httpx2.ConnectError() | httpx2.ProxyError():
            return Breakage("connection", sent=False, text=f"no connection: {text}")
        case httpx2.UnsupportedProtocol() | httpx2.LocalProtocolError() | httpx2.InvalidURL():
            return Breakage("connection", sent=False, text=text, hopeless=True)
        case httpx2.TimeoutException():
            return Breakage("timeout", sent=True, text=f"the connection fell silent: {text}")
        case httpx2.DecodingError():
            return Breakage(
                "malformed", sent=True, text=f"a body that cannot be decompressed: {text}"
            )
        case _:
            return Breakage("connection", sent=True, text=f"the connection broke: {text}")


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__
    return False
