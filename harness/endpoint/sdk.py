"""The border with openai and httpx2: one request out, a raw response back.

Nothing of the environment gets in between. Importing this module imports openai, which takes over a
second of CPU: its one user imports it late.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Literal, NamedTuple, cast

import httpx2
from openai import (
    APIConnectionError,
    APIStatusError,
    AsyncOpenAI,
    AsyncStream,
    Omit,
    RequestOptions,
    omit,
)

from harness._version import __version__
from harness.domain.endpoint import Endpoint

_UNUSED_KEY = (  # given none, the SDK would look for OPENAI_API_KEY; the header is set per request instead
    "unused"
)


class ChatClient:
    """Posts chat completions through the SDK.

    `errors` is what a call and the reading of its body raise.
    """

    errors: tuple[type[Exception], ...] = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)

    def __init__(self, endpoint: Endpoint, http_client: httpx2.AsyncClient) -> None:
        self._sdk = _QuietOpenAI(endpoint.base_url, http_client)
        # Absolute, so that the SDK does not join it with the base URL anew for every call.
        self._url = f"{endpoint.base_url}/chat/completions"
        # Ours is the only key: with no scheme of security, the SDK adds none that it found by
        # itself.
        self._options: RequestOptions = {
            "headers": {"Authorization": omit, **endpoint.headers()},
            "security": {},
            "follow_redirects": False,
        }

    async def post(self, body: bytes) -> httpx2.Response:
        """The response, whatever its status; its body is read only where the status is not 2xx.

        The caller closes it. Raises one of `errors`.
        """
        try:
            response = await self._sdk.post(
                self._url,
                cast_to=httpx2.Response,
                content=body,
                options=self._options,
                stream=True,
                stream_cls=AsyncStream[object],
            )
            # Asked for the raw response, the SDK returns it, and not the stream that its types
            # promise.
            return cast(httpx2.Response, response)
        except APIStatusError as error:
            return error.response
        except APIConnectionError as error:
            cause = error.__cause__
        # Raised out here, the cause keeps its own chain and gains nothing of the SDK's.
        raise cause if isinstance(cause, httpx2.HTTPError) else httpx2.NetworkError(str(cause))

    def body_of(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        """Yield the bytes of a body as they arrive, decompressed where the server compressed
        them.
        """
        if "content-encoding" in response.headers or not isinstance(
            response.stream, httpx2.AsyncByteStream
        ):
            return response.aiter_bytes()
        # Past the layers of `aiter_bytes`, which together cost as much as parsing a chunk.
        return aiter(response.stream)

    async def close(self, response: httpx2.Response, body: AsyncIterator[bytes] | None) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        if isinstance(body, AsyncGenerator):
            await body.aclose()
        await response.aclose()

    def breakage(self, error: Exception) -> Breakage:
        """Return the meaning of one of `errors`."""
        return _breakage(error)


class _QuietOpenAI(AsyncOpenAI):
    """Sends the headers of this package and no others.

    The SDK would add what OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS hold, to
    whatever host, and tell it the operating system. That it finds out in a thread, for which a
    virtual clock would not wait.
    """

    def __init__(self, base_url: str, http_client: httpx2.AsyncClient) -> None:
        super().__init__(
            base_url=base_url,
            api_key=_UNUSED_KEY,
            max_retries=0,
            timeout=http_client.timeout,
            http_client=http_client,
        )
        self._platform = "Unknown"

    @property
    def default_headers(self) -> dict[str, str | Omit]:
        return {
            "Accept": "application/json, text/event-stream",
            # Compressed, a token would wait in the compressor of a proxy, and silence could not be
            # told.
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"harness/{__version__}",
        }


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
