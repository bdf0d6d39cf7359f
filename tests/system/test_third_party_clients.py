"""The mock on its socket serves clients that nobody here wrote, each in an environment of its own.

See `environments` for where those are kept, and for machines without a package registry.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from environments import environment_with, need_time

from harness.testing import FakeDeepSeek, serve

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

QUESTION = "What is entanglement?"
WEATHER = "What will the weather be in Paris?"


@dataclass(frozen=True)
class Client:
    """A client library: what to install (nothing: our own environment), and a program that prints
    what it saw.

    The program gets the base URL and prints a JSON object: `answers` maps a way of asking to [text,
    reasoning, input tokens, output tokens, reasoning tokens], and `typed` lists objects with `city`
    and `days`.
    """

    name: str
    requirements: tuple[str, ...]
    program: str


OPENAI = Client(
    "openai",
    (),
    """
    import asyncio, json, sys
    from openai import AsyncOpenAI, OpenAI

    ASK = dict(model="deepseek-flash", messages=[{"role": "user", "content": QUESTION}])
    TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}

    def told(message, usage):
        details = usage.completion_tokens_details
        return [message.content, message.reasoning_content, usage.prompt_tokens, usage.completion_tokens,
                details.reasoning_tokens]

    def joined(chunks):
        deltas = [chunk.choices[0].delta for chunk in chunks]
        usage = chunks[-1].usage
        return ["".join(d.content or "" for d in deltas), "".join(d.reasoning_content or "" for d in deltas),
                usage.prompt_tokens, usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens]

    def sync():
        client = OpenAI(api_key="sk-test", base_url=URL, max_retries=0)
        plain = client.chat.completions.create(**ASK)
        chunks = list(client.chat.completions.create(**ASK, stream=True))
        call = client.chat.completions.create(**ASK, tools=[TOOL]).choices[0].message.tool_calls[0]
        models = [model.id for model in client.models.list()]
        assert models == ["deepseek-flash", "deepseek-v4-pro"], models
        return told(plain.choices[0].message, plain.usage), joined(chunks), json.loads(call.function.arguments)

    async def later():
        client = AsyncOpenAI(api_key="sk-test", base_url=URL + "/v1", max_retries=0)
        plain = await client.chat.completions.create(**ASK)
        chunks = [chunk async for chunk in await client.chat.completions.create(**ASK, stream=True)]
        return told(plain.choices[0].message, plain.usage), joined(chunks)

    plain, streamed, typed = sync()
    plain_async, streamed_async = asyncio.run(later())
    answers = {"plain": plain, "streamed": streamed, "async": plain_async, "async streamed": streamed_async}
    print(json.dumps({"answers": answers, "typed": [typed]}))
    """,
)

LANGCHAIN = Client(
    "langchain-deepseek",
    ("langchain-deepseek==1.1.1",),
    """
    import asyncio, json, sys
    from langchain_deepseek import ChatDeepSeek
    from pydantic import BaseModel

    class Weather(BaseModel):
        "Tell the weather of a city."
        city: str
        days: int

    def told(message):
        usage = message.usage_metadata
        return [message.content, message.additional_kwargs["reasoning_content"], usage["input_tokens"],
                usage["output_tokens"], usage["output_token_details"]["reasoning"]]

    def whole(chunks):
        first, *rest = chunks
        for chunk in rest:
            first = first + chunk
        return first

    async def later():
        return await model.ainvoke(QUESTION), whole([chunk async for chunk in model.astream(QUESTION)])

    common = dict(model="deepseek-flash", api_key="sk-test", api_base=URL, max_retries=0)
    model = ChatDeepSeek(**common)
    quick = ChatDeepSeek(**common, extra_body={"thinking": {"type": "disabled"}})
    plain_async, streamed_async = asyncio.run(later())
    answers = {"plain": told(model.invoke(QUESTION)), "streamed": told(whole(model.stream(QUESTION))),
               "async": told(plain_async), "async streamed": told(streamed_async)}
    called = model.bind_tools([Weather]).invoke(WEATHER).tool_calls[0]
    by_tool = quick.with_structured_output(Weather, method="function_calling").invoke(WEATHER)
    by_json = quick.with_structured_output(Weather, method="json_mode").invoke(
        WEATHER + " Answer in JSON that fits " + json.dumps(Weather.model_json_schema()))
    print(json.dumps({"answers": answers, "typed": [called["args"], by_tool.model_dump(), by_json.model_dump()]}))
    """,
)

LITELLM = Client(
    "litellm",
    # Its tool calls import mcp, which it does not require.
    ("litellm==1.106.2", "mcp==2.3.0"),
    """
    import asyncio, json, os, sys
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    common = dict(model="deepseek/deepseek-flash", api_key="sk-test", api_base=URL, num_retries=0,
                  messages=[{"role": "user", "content": QUESTION}])
    TOOL = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": SCHEMA}}

    def told(completion):
        message, usage = completion.choices[0].message, completion.usage
        return [message.content, message.reasoning_content, usage.prompt_tokens, usage.completion_tokens,
                usage.completion_tokens_details.reasoning_tokens]

    plain = litellm.completion(**common)
    chunks = list(litellm.completion(**common, stream=True, stream_options={"include_usage": True}))
    later = asyncio.run(litellm.acompletion(**common))
    answers = {"plain": told(plain), "streamed": told(litellm.stream_chunk_builder(chunks)), "async": told(later)}
    call = litellm.completion(**common, tools=[TOOL]).choices[0].message.tool_calls[0]
    asked = [{"role": "user", "content": "Answer in JSON that fits " + json.dumps(SCHEMA)}]
    typed = litellm.completion(**{**common, "messages": asked}, response_format={"type": "json_object"})
    print(json.dumps({"answers": answers, "typed": [
        json.loads(call.function.arguments), json.loads(typed.choices[0].message.content)]}))
    """,
)

PYDANTIC_AI = Client(
    "pydantic-ai",
    ("pydantic-ai-slim[openai]==2.68.0",),
    """
    import asyncio, json, sys
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.messages import ThinkingPart
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.deepseek import DeepSeekProvider

    openai = AsyncOpenAI(api_key="sk-test", base_url=URL, max_retries=0)
    model = OpenAIChatModel("deepseek-flash", provider=DeepSeekProvider(openai_client=openai))

    def told(text, messages):
        last = messages[-1]
        thought = "".join(part.content for part in last.parts if isinstance(part, ThinkingPart))
        usage = last.usage
        return [text, thought, usage.input_tokens, usage.output_tokens, usage.details["reasoning_tokens"]]

    async def main():
        plain = await Agent(model).run(QUESTION)
        async with Agent(model).run_stream(QUESTION) as stream:
            streamed = told(await stream.get_output(), stream.all_messages())
        typed = []
        helped = Agent(model)

        @helped.tool_plain
        def weather(city: str, days: int) -> str:
            typed.append({"city": city, "days": days})
            return "sunny"

        after = await helped.run(WEATHER)
        assert "sunny" in after.output, after.output
        answers = {"plain": told(plain.output, plain.all_messages()), "streamed": streamed}
        print(json.dumps({"answers": answers, "typed": typed}))

    asyncio.run(main())
    """,
)

INSTRUCTOR = Client(
    "instructor",
    ("instructor==1.17.0",),
    """
    import json, sys
    import instructor, openai
    from pydantic import BaseModel

    class Weather(BaseModel):
        city: str
        days: int

    typed = []
    for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON, instructor.Mode.MD_JSON):
        plain = openai.OpenAI(api_key="sk-test", base_url=URL, max_retries=0)
        client = instructor.from_openai(plain, mode=mode)
        value, raw = client.chat.completions.create_with_completion(
            model="deepseek-flash", response_model=Weather, max_retries=0,
            messages=[{"role": "user", "content": WEATHER}], extra_body={"thinking": {"type": "disabled"}})
        assert raw.usage.prompt_cache_hit_tokens == 0, raw.usage
        typed.append(value.model_dump())
    print(json.dumps({"answers": {}, "typed": typed}))
    """,
)

PREAMBLE = f"""
import sys
URL, QUESTION, WEATHER = sys.argv[1], {QUESTION!r}, {WEATHER!r}
SCHEMA = {{"type": "object", "properties": {{"city": {{"type": "string"}}, "days": {{"type": "integer"}}}}}}
"""


def python_with(client: Client, scratch: Path) -> Path:
    """The interpreter of an environment that holds the client."""
    if client in (LITELLM, LANGCHAIN, PYDANTIC_AI):
        need_time(f"{client.name}, which is large,")
    if not client.requirements:
        return Path(sys.executable)
    return environment_with(client.name, client.requirements, scratch) / "python"


async def report_of(client: Client, python: Path, url: str, scratch: Path) -> Any:
    """What the client's program says it saw. It inherits no key, no proxy and no setting of
    ours.
    """
    program = scratch / f"use_{client.name.replace('-', '_')}.py"
    program.write_text(PREAMBLE + dedent(client.program), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(program),
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(scratch), "LANG": "C.UTF-8"},
        cwd=scratch,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-4000:]
    return json.loads(out.splitlines()[-1])


@pytest.mark.parametrize(
    "client",
    [OPENAI, LANGCHAIN, LITELLM, PYDANTIC_AI, INSTRUCTOR],
    ids=lambda client: str(client.name),
)
async def test_a_client_sees_the_answer_the_reasoning_and_the_usage(
    client: Client, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = python_with(client, tmp_path_factory.getbasetemp())
    fake = FakeDeepSeek()
    async with serve(fake) as url:
        report = await report_of(client, python, url, tmp_path)

    expected = asked(QUESTION)
    for way, answer in report["answers"].items():
        assert answer == expected, way
    for value in report["typed"]:
        assert isinstance(value["city"], str)
        assert isinstance(value["days"], int)
    assert report["typed"]
    assert set(fake.statuses) == {200}


def asked(question: str) -> list[Any]:
    """What the fake itself says to a question: text, reasoning, and the three counts."""
    body = {"model": "deepseek-flash", "messages": [{"role": "user", "content": question}]}
    headers = {"authorization": "Bearer k"}
    exchange = FakeDeepSeek().begin(
        "POST", "/chat/completions", headers, json.dumps(body).encode(), now_s=0.0
    )
    completion = json.loads(b"".join(piece.data for piece in exchange.reply.pieces))
    message, usage = completion["choices"][0]["message"], completion["usage"]
    reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
    assert reasoning > 50
    counts = [usage["prompt_tokens"], usage["completion_tokens"], reasoning]
    return [message["content"], message["reasoning_content"], *counts]
