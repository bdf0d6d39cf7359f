"""Makes calls with one client, in the environment where that client is installed.

`python _peer.py CLIENT BASE_URL CALLS IN_FLIGHT STREAM DIR`: every call has a prompt that no other
call has. DIR is where a client keeps its cache; "" for one that shall keep nothing. This file
imports nothing of ours, so that it runs where only the client is installed.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

MODEL = "deepseek-flash"
PROMPT = "Explain what a superposition is, step by step. " * 20

Ask = Callable[[str], Awaitable[object]]
"""Makes one call with this prompt, and waits for its answer."""


def prompt_of(number: int) -> str:
    """A prompt that no other number has."""
    return f"{number}: {PROMPT}"


def raw_aiohttp(base_url: str, stream: bool, directory: str) -> Ask:
    """The least that a client can do."""
    import aiohttp

    session: aiohttp.ClientSession | None = None

    async def ask(prompt: str) -> object:
        nonlocal session
        if session is None:
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}], "stream": stream}
        async with session.post(f"{base_url}/chat/completions", json=body) as response:
            if not stream:
                return json.loads(await response.read())
            pieces = []
            async for line in response.content:
                if line.startswith(b"data: {"):
                    pieces.append(json.loads(line[6:])["choices"][0]["delta"])
            return pieces

    return ask


def openai_default(base_url: str, stream: bool, directory: str) -> Ask:
    """The openai SDK as it comes."""
    from openai import AsyncOpenAI

    return _openai(AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0), stream)


def openai_aiohttp(base_url: str, stream: bool, directory: str) -> Ask:
    """The openai SDK over aiohttp."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    client = AsyncOpenAI(
        base_url=base_url, api_key="none", max_retries=0, http_client=DefaultAioHttpClient()
    )
    return _openai(client, stream)


def _openai(client: Any, stream: bool) -> Ask:
    async def ask(prompt: str) -> object:
        messages = [{"role": "user", "content": prompt}]
        if not stream:
            return await client.chat.completions.create(model=MODEL, messages=messages)
        pieces = []
        async for chunk in await client.chat.completions.create(
            model=MODEL, messages=messages, stream=True
        ):
            pieces.append(chunk.choices[0].delta)
        return pieces

    return ask


def dspy(base_url: str, stream: bool, directory: str) -> Ask:
    """DSPy's `LM.acall`, with its disk cache or with none."""
    import dspy as library

    library.configure_cache(
        enable_disk_cache=bool(directory),
        enable_memory_cache=False,
        disk_cache_dir=directory or None,
    )
    model = library.LM(f"openai/{MODEL}", api_base=base_url, api_key="none", cache=bool(directory))
    return model.acall  # type: ignore[no-any-return]


def litellm(base_url: str, stream: bool, directory: str) -> Ask:
    """litellm's `acompletion`, with its disk cache or with none."""
    import litellm as library

    if directory:
        from litellm.caching.caching import Cache

        library.cache = Cache(type="disk", disk_cache_dir=directory)

    async def ask(prompt: str) -> object:
        return await library.acompletion(
            f"openai/{MODEL}",
            messages=[{"role": "user", "content": prompt}],
            api_base=base_url,
            api_key="none",
            caching=bool(directory),
        )

    return ask


def inspect_ai(base_url: str, stream: bool, directory: str) -> Ask:
    """Inspect's `Model.generate`."""
    from inspect_ai.model import GenerateConfig, get_model

    model = get_model(
        f"openai/{MODEL}",
        base_url=base_url,
        api_key="none",
        config=GenerateConfig(max_connections=10_000),
        responses_api=False,
    )
    return model.generate  # type: ignore[no-any-return]


def langchain(base_url: str, stream: bool, directory: str) -> Ask:
    """LangChain's `ChatOpenAI.ainvoke`."""
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=MODEL, base_url=base_url, api_key="none", max_retries=0)
    return model.ainvoke  # type: ignore[no-any-return]


def select(base_url: str, stream: bool, directory: str) -> Ask:
    """The least that a cache can do: a SELECT by key, and `json.loads`."""
    database = sqlite3.connect(Path(directory) / "answers.sqlite", isolation_level=None)
    database.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT)")
    answer = json.dumps({"content": PROMPT * 2, "reasoning": PROMPT * 2, "usage": {"tokens": 500}})

    async def ask(prompt: str) -> object:
        row = database.execute("SELECT value FROM answers WHERE key = ?", (prompt,)).fetchone()
        if row is None:
            database.execute("INSERT INTO answers VALUES (?, ?)", (prompt, answer))
            return None
        return json.loads(row[0])

    return ask


CLIENTS: dict[str, Callable[[str, bool, str], Ask]] = {
    "raw aiohttp": raw_aiohttp,
    "openai default client": openai_default,
    "openai on aiohttp": openai_aiohttp,
    "dspy": dspy,
    "litellm": litellm,
    "inspect_ai": inspect_ai,
    "langchain-openai": langchain,
    "SELECT and json.loads": select,
}


async def run(ask: Ask, calls: int, in_flight: int) -> None:
    """Make the calls, so many at a time; a call that fails ends it all."""
    numbers = iter(range(calls))

    async def one_after_another() -> None:
        for number in numbers:
            await ask(prompt_of(number))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(in_flight, calls)):
            group.create_task(one_after_another())


def main() -> None:
    name, base_url, calls, in_flight, stream, directory = sys.argv[1:]
    ask = CLIENTS[name](base_url, stream == "stream", directory)
    asyncio.run(run(ask, int(calls), int(in_flight)))


if __name__ == "__main__":
    main()
