"""The endpoint adapter taken apart: each contestant does what the one before does, and one thing
more.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from _contest import OUR_ADAPTER, RAW_AIOHTTP, Ask, Contestant, request

from harness.domain.endpoint import base_url_endpoint
from harness.domain.policy import Timeouts
from harness.domain.request_form import OPENAI_FORM
from harness.endpoint.aiohttp_transport import AiohttpTransport
from harness.endpoint.chat_client import ChatClient
from harness.endpoint.http import build_http_client
from harness.endpoint.request_body import request_body

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}


def _finished(data: bytes, stream: bool) -> object:
    return data if stream else json.loads(data)


@asynccontextmanager
async def _transport(base_url: str, stream: bool) -> AsyncIterator[Ask]:
    transport = AiohttpTransport()
    url = f"{base_url}/chat/completions"

    async def ask(number: int) -> object:
        body = request_body(request(number), stream=stream, form=OPENAI_FORM)
        response = await transport.handle_async_request(
            httpx2.Request("POST", url, headers=_HEADERS, content=body)
        )
        data = await response.aread()
        await response.aclose()
        return _finished(data, stream)

    yield ask
    await transport.aclose()


@asynccontextmanager
async def _client(base_url: str, stream: bool) -> AsyncIterator[Ask]:
    url = f"{base_url}/chat/completions"
    async with build_http_client(Timeouts(), base_url=base_url) as client:

        async def ask(number: int) -> object:
            body = request_body(request(number), stream=stream, form=OPENAI_FORM)
            response = await client.post(url, headers=_HEADERS, content=body)
            return _finished(response.content, stream)

        yield ask


@asynccontextmanager
async def _chat_client(base_url: str, stream: bool) -> AsyncIterator[Ask]:
    async with build_http_client(Timeouts(), base_url=base_url) as http_client:
        client = ChatClient(base_url_endpoint(base_url, api_key=None), http_client)

        async def ask(number: int) -> object:
            response = await client.post(
                request_body(request(number), stream=stream, form=OPENAI_FORM)
            )
            body = client.body_of(response)
            data = b"".join([piece async for piece in body])
            await client.close(response, body)
            return _finished(data, stream)

        yield ask


STEPS: list[tuple[str, Contestant]] = [
    ("aiohttp: socket and HTTP", RAW_AIOHTTP),
    ("httpx2 request and response, our transport", Contestant("transport", _transport)),
    ("httpx2 client: headers, cookies, hooks", Contestant("client", _client)),
    ("headers and errors of a chat completion", Contestant("chat client", _chat_client)),
    ("adapter: deadlines, SSE, completion, checks", OUR_ADAPTER),
]
