"""A completion as bytes, plain or as the frames of a stream, key for key as DeepSeek sends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, Literal, NamedTuple

from harness.domain.completion import ToolCall, Usage
from harness.testing.deepseek.generation import Answer
from harness.testing.deepseek.tokens import count_tokens, encoded, split_tokens

Dialect = Literal["deepseek", "openai"]

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The fields around every completion and every chunk of it."""

    id: str
    created: int
    model: str
    fingerprint: str
    dialect: Dialect = "deepseek"


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing:
    """The tokens that one call is billed for.

    Cached tokens are the part of the prompt that the prefix cache knew.
    """

    usage: Usage
    thinking: bool

    def as_json(self, dialect: Dialect) -> dict[str, Any]:
        """The usage object. Without thinking DeepSeek sends no completion_tokens_details."""
        tokens = self.usage
        usage: dict[str, Any] = {
            "prompt_tokens": tokens.input_tokens,
            "completion_tokens": tokens.output_tokens,
            "total_tokens": tokens.total_tokens,
            "prompt_tokens_details": {"cached_tokens": tokens.cached_tokens},
        }
        if self.thinking or dialect == "openai":
            usage["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning_tokens}
        if dialect == "deepseek":
            usage["prompt_cache_hit_tokens"] = tokens.cached_tokens
            usage["prompt_cache_miss_tokens"] = tokens.input_tokens - tokens.cached_tokens
        return usage


class Frame(NamedTuple):
    """One event of a stream, and how many tokens of the answer it carries."""

    tokens: int
    data: bytes


def plain_json(answer: Answer, envelope: Envelope, billing: Billing) -> dict[str, Any]:
    """The body of a response that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.content}
    if billing.thinking:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [
            _tool_call(index, call) for index, call in enumerate(answer.tool_calls)
        ]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": answer.finish_reason,
    }
    return {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [choice],
        "usage": billing.as_json(envelope.dialect),
        "system_fingerprint": envelope.fingerprint,
    }


def stream_frames(
    answer: Answer, envelope: Envelope, billing: Billing, *, include_usage: bool, delta_tokens: int
) -> Iterator[Frame]:
    """Yield every event before `[DONE]`: role, reasoning, content, tool calls, usage."""
    thinking = billing.thinking
    head, tail = _around(envelope, usage_key=include_usage)
    if thinking:
        empty = '"content":null,"reasoning_content":""'
    else:
        empty = '"content":""'
    yield Frame(0, encoded(f'{head}"role":"assistant",{empty}{tail}'))
    if thinking:
        for text, tokens in _deltas(answer.reasoning, delta_tokens):
            delta = f'{head}"content":null,"reasoning_content":{encode_basestring(text)}{tail}'
            yield Frame(tokens, encoded(delta))
    after = ',"reasoning_content":null' if thinking else ""
    for text, tokens in _deltas(answer.content, delta_tokens):
        yield Frame(tokens, encoded(f'{head}"content":{encode_basestring(text)}{after}{tail}'))
    for index, call in enumerate(answer.tool_calls):
        opening = _tool_call(index, ToolCall(id=call.id, name=call.name, arguments=""))
        yield Frame(0, encoded(f'{head}"tool_calls":[{_compact(opening)}]{tail}'))
        for text, tokens in _deltas(call.arguments, delta_tokens):
            fragment = f'{{"index":{index},"function":{{"arguments":{encode_basestring(text)}}}}}'
            yield Frame(tokens, encoded(f'{head}"tool_calls":[{fragment}]{tail}'))
    yield from _last(answer, envelope, billing, include_usage=include_usage)


def event(value: Any) -> bytes:
    """One `data:` event."""
    return b"data: " + encoded(_compact(value)) + b"\n\n"


def json_bytes(value: Any) -> bytes:
    return encoded(_compact(value))


def error_json(
    message: str, kind: str = "invalid_request_error", code: str = "invalid_request_error"
) -> dict[str, Any]:
    """DeepSeek's error object; its code nearly always says the same."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _last(
    answer: Answer, envelope: Envelope, billing: Billing, *, include_usage: bool
) -> Iterator[Frame]:
    """DeepSeek's last chunk has one choice, the finish reason and always the usage.

    OpenAI's usage comes on its own, in a chunk without choices, and only if asked for.
    """
    delta: dict[str, Any] = {"content": ""}
    if billing.thinking:
        delta["reasoning_content"] = None
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": answer.finish_reason}
    chunk: dict[str, Any] = {**_chunk(envelope), "choices": [choice]}
    usage = billing.as_json(envelope.dialect)
    if envelope.dialect == "deepseek":
        yield Frame(0, event({**chunk, "usage": usage}))
    elif include_usage:
        yield Frame(0, event({**chunk, "usage": None}))
        yield Frame(0, event({**_chunk(envelope), "choices": [], "usage": usage}))
    else:
        yield Frame(0, event(chunk))


def _around(envelope: Envelope, *, usage_key: bool) -> tuple[str, str]:
    """Return the text before and after the fields of a delta.

    It is the same in every chunk, so it is built once.
    """
    head = _compact(_chunk(envelope)).removesuffix("}")
    usage = ',"usage":null' if usage_key else ""
    return (
        f'data: {head},"choices":[{{"index":0,"delta":{{',
        f'}},"logprobs":null,"finish_reason":null}}]{usage}}}\n\n',
    )


def _chunk(envelope: Envelope) -> dict[str, Any]:
    return {
        "id": envelope.id,
        "object": "chat.completion.chunk",
        "created": envelope.created,
        "model": envelope.model,
        "system_fingerprint": envelope.fingerprint,
    }


def _deltas(text: str, size: int) -> Iterator[tuple[str, int]]:
    """Yield the text in pieces of `size` tokens, each with its share.

    They add up, wherever the text was cut.
    """
    left = count_tokens(encoded(text))
    for piece in split_tokens(text, size):
        yield piece, min(size, left)
        left -= size


def _tool_call(index: int, call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"index": index, "id": call.id, "type": "function", "function": function}


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
