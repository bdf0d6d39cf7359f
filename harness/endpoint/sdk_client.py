"""The same requests through the openai SDK, for those who watch or instrument it.

Importing this module imports openai, which takes over a second of CPU: its one user imports it
late.
"""

from __future__ import annotations

from typing import cast

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

from harness.domain.endpoint import Endpoint
from harness.endpoint.chat_client import HEADERS, ChatClient, Httpx2Response, Response

# Given none, the SDK would look for OPENAI_API_KEY; the header is set per request instead.
_UNUSED_KEY = "unused"


class SdkClient(ChatClient):
    """Posts chat completions through `AsyncOpenAI`."""

    def __init__(self, endpoint: Endpoint, http_client: httpx2.AsyncClient) -> None:
        super().__init__(endpoint, http_client)
        self._sdk = _QuietOpenAI(endpoint.base_url, http_client)
        # Ours is the only key: with no scheme of security, the SDK adds none that it found by
        # itself.
        self._options: RequestOptions = {
            "headers": {"Authorization": omit, **endpoint.headers()},
            "security": {},
            "follow_redirects": False,
        }

    async def post(self, body: bytes) -> Response:
        """As the one it replaces."""
        return await Httpx2Response(await self._posted(body)).read_refusal()

    async def _posted(self, body: bytes) -> httpx2.Response:
        try:
            response = await self._sdk.post(
                # Absolute, so that the SDK does not join it with the base URL anew for every call.
                self._text,
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
        return {**HEADERS}
