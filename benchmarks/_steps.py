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
from harness.domain.request_form import OPENAI_FORM
from harness.endpoint.aiohttp_client import AiohttpClient
from harness.endpoint.aiohttp_transport import AiohttpTransport
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
        response = await transport.send("POST", url, list(_HEADERS.items()), body, connect_s=None)
        data = await response.read()
        return _finished(data, stream)

    yield ask
    await transport.aclose()


@asynccontextmanager
async def _chat_client(base_url: str, stream: bool) -> AsyncIterator[Ask]:
    transport = AiohttpTransport()
    async with httpx2.AsyncClient(transport=transport) as http_client:
        client = AiohttpClient(base_url_endpoint(base_url, api_key=None), http_client, transport)

        async def ask(number: int) -> object:
            response = await client.post(
                request_body(request(number), stream=stream, form=OPENAI_FORM)
            )
            data = b"".join([piece async for piece in response.body()])
            await response.close()
            return _finished(data, stream)

        yield ask


STEPS: list[tuple[str, Contestant]] = [
    ("aiohttp: socket and HTTP", RAW_AIOHTTP),
    ("our session and its errors", Contestant("transport", _transport)),
    ("headers and errors of a chat completion", Contestant("chat client", _chat_client)),
    ("adapter: deadlines, SSE, completion, checks", OUR_ADAPTER),
]
