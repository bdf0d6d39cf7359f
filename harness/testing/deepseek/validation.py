"""DeepSeek's rejections of a request before a model sees it, in its own words.

The checks run in the order of a Rust service: bytes to JSON (400), JSON to types (422), then the
rules (400).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness.testing.deepseek.chat_request import ChatRequest, JsonObject, render, text_of
from harness.testing.deepseek.tokens import count_tokens

MODELS = ("deepseek-flash", "deepseek-v4-pro")
# Names of the summer that are still accepted; the response says today's.
RENAMED = {"deepseek-v4-flash": "deepseek-flash", "deepseek-v4-flash-vision-exp": "deepseek-flash"}

CONTEXT_TOKENS = 1_048_576
MAX_OUTPUT_TOKENS = 393_216
_MAX_STOPS = 16
_MAX_USER_ID_BYTES = 512

_ROLES = ("system", "user", "assistant", "tool")
_EFFORTS = {
    "none": "none",
    "minimal": "low",
    "low": "low",
    "medium": "high",
    "high": "high",
    "xhigh": "high",
    "max": "max",
    "ultra": "max",
}


class Rejection(Exception):  # noqa: N818 - a verdict of the server, not a mistake of ours
    """A request that the API refuses: the status, and the exact message of its error object."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def parse_chat(body: bytes, *, any_model: bool = False) -> ChatRequest:
    """The request in this body. Raises Rejection with the exact words of the API.

    `any_model`: accept every name, as servers of other models do.
    """
    fields = _json_object(body)
    _check_types(fields)
    thinking, effort = _thinking(fields)
    model = _model(fields["model"], any_model=any_model)
    _check_numbers(fields)
    _check_format(fields)
    _check_messages(fields, thinking=thinking)
    stream = bool(fields.get("stream"))
    stream_options = fields.get("stream_options")
    if stream_options is not None and not stream:
        raise Rejection(400, "stream_options should be set along with stream = true")
    stop = fields.get("stop") or ()
    temperature = fields.get("temperature")
    prompt = render(fields["messages"], fields.get("tools") or ())
    _check_context(prompt, asked=fields.get("max_tokens") or 0)
    return ChatRequest(
        body=fields,
        model=model,
        messages=fields["messages"],
        prompt=prompt,
        thinking=thinking,
        effort=effort,
        max_tokens=fields.get("max_tokens")
        or _default_max_tokens(thinking=thinking, effort=effort),
        temperature=1.0 if temperature is None else float(temperature),
        json_mode=(fields.get("response_format") or {}).get("type") == "json_object",
        tools=fields.get("tools") or (),
        tool_choice=fields.get("tool_choice") or "auto",
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        stream=stream,
        include_usage=bool((stream_options or {}).get("include_usage")),
        user_id=fields.get("user_id") or "",
    )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejection(400, f"Failed to parse the request body as JSON: {error}") from None
    if not isinstance(fields, dict):
        raise _untyped(f"invalid type: {_rust_type(fields)}, expected struct ChatCompletionRequest")
    return fields


def _check_types(fields: dict[str, Any]) -> None:
    """Every known field has its type.

    Unknown fields (`enable_thinking`, `seed` …) are ignored, as DeepSeek does.
    """
    for name in ("messages", "model"):
        if fields.get(name) is None:
            raise _untyped(f"missing field `{name}`")
    for name, expected, fits in _TYPES:
        value = fields.get(name)
        if value is not None and not fits(value):
            raise _untyped(f"{name}: invalid type: {_rust_type(value)}, expected {expected}")
    for index, message in enumerate(fields["messages"]):
        _check_message_types(message, f"messages[{index}]")
    for index, tool in enumerate(fields.get("tools") or ()):
        if not _names_function(tool):
            raise _untyped(f"tools[{index}]: missing field `function`")
    if isinstance(fields.get("tool_choice"), dict) and not _names_function(fields["tool_choice"]):
        raise _untyped("tool_choice: missing field `function`")


def _check_message_types(message: Any, where: str) -> None:
    if not isinstance(message, dict):
        raise _untyped(f"{where}: invalid type: {_rust_type(message)}, expected struct Message")
    role = message.get("role")
    if role is None:
        raise _untyped(f"{where}: missing field `role`")
    if role not in _ROLES:
        raise _untyped(f"{where}: unknown variant `{role}`, expected one of {_quoted(_ROLES)}")
    _check_content_type(message.get("content"), where, needed=role != "assistant")
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list) or not all(_is_tool_call(call) for call in calls):
        raise _untyped(f"{where}.tool_calls: invalid tool call")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise _untyped(f"{where}: missing field `tool_call_id`")


def _check_content_type(content: Any, where: str, *, needed: bool) -> None:
    if isinstance(content, str):
        return
    if isinstance(content, list):
        for part in content:
            if not isinstance(part, dict) or (
                part.get("type") == "text" and not isinstance(part.get("text"), str)
            ):
                raise _untyped(f"{where}: invalid content part")
    elif needed:
        raise _untyped(f"{where}: missing field `content`")
    elif content is not None:
        raise _untyped(
            f"{where}: invalid type: {_rust_type(content)}, expected a string or a sequence"
        )


def _thinking(fields: dict[str, Any]) -> tuple[bool, str]:
    """Return whether the model thinks, and how hard. On by default; effort `none` turns it off."""
    option = fields.get("thinking")
    if option is not None and not isinstance(option, dict):
        raise _untyped(
            f"thinking: invalid type: {_rust_type(option)}, expected struct ThinkingOptions"
        )
    kind = "enabled" if option is None else option.get("type")
    if kind not in ("enabled", "disabled"):
        raise _untyped(f"thinking.type: unknown variant `{kind}`, expected `enabled` or `disabled`")
    asked = fields.get("reasoning_effort") or "high"
    if asked not in _EFFORTS:
        raise _untyped(
            f"reasoning_effort: unknown variant `{asked}`, expected one of {_quoted(_EFFORTS)}"
        )
    effort = _EFFORTS[asked]
    return kind == "enabled" and effort != "none", effort


def _model(name: str, *, any_model: bool) -> str:
    if any_model:
        return name
    model = RENAMED.get(name, name)
    if model not in MODELS:
        raise Rejection(
            400, f"The supported API model names are {', '.join(MODELS)}, but you passed {name}."
        )
    return model


def _check_numbers(fields: dict[str, Any]) -> None:
    max_tokens, temperature, top_p = (
        fields.get(name) for name in ("max_tokens", "temperature", "top_p")
    )
    if max_tokens is not None and not 1 <= max_tokens <= MAX_OUTPUT_TOKENS:
        raise Rejection(
            400,
            f"Invalid max_tokens value, the valid range of max_tokens is [1, {MAX_OUTPUT_TOKENS}]",
        )
    if fields.get("n") not in (None, 1):
        raise Rejection(400, "Invalid n value (currently only n = 1 is supported)")
    if temperature is not None and not 0 <= temperature <= 2:
        raise Rejection(
            400, "Invalid temperature value, the valid range of temperature is [0, 2.0]"
        )
    if top_p is not None and not 0 < top_p <= 1:
        raise Rejection(400, "Invalid top_p value, the valid range of top_p is (0, 1.0]")
    if isinstance(fields.get("stop"), list) and len(fields["stop"]) > _MAX_STOPS:
        raise Rejection(
            400, f"Invalid stop value, at most {_MAX_STOPS} stop sequences are supported"
        )
    if len((fields.get("user_id") or "").encode("utf-8", "replace")) > _MAX_USER_ID_BYTES:
        raise Rejection(
            400, f"Invalid user_id value, the length must not exceed {_MAX_USER_ID_BYTES} bytes"
        )


def _check_format(fields: dict[str, Any]) -> None:
    kind = (fields.get("response_format") or {"type": "text"}).get("type")
    if kind not in ("text", "json_object"):
        raise Rejection(400, "This response_format type is unavailable now")
    if kind == "json_object" and not any(
        "json" in text_of(message).lower() for message in fields["messages"]
    ):
        raise Rejection(
            400,
            "Prompt must contain the word 'json' in some form to use 'response_format' of type"
            " 'json_object'.",
        )


def _check_messages(fields: dict[str, Any], *, thinking: bool) -> None:
    messages = fields["messages"]
    if not messages:
        raise Rejection(400, "Empty input messages")
    _check_answers_of_tools(messages)
    if thinking and fields.get("tools"):
        _check_thinking_with_tools(messages)
    if thinking and fields.get("tool_choice") not in (None, "auto", "none"):
        raise Rejection(400, "Thinking mode does not support this tool_choice")


def _check_answers_of_tools(messages: list[JsonObject]) -> None:
    """Raise Rejection unless each call of a tool is answered right after its message.

    No other message may answer one.
    """
    waiting: set[str] = set()
    for message in messages:
        role = message["role"]
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                raise Rejection(
                    400,
                    "Messages with role 'tool' must be a response to a preceding message with"
                    " 'tool_calls'",
                )
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            break
        if role == "assistant":
            waiting = _calls_of(message)
    if waiting:
        raise Rejection(
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding to"
            " each 'tool_call_id'. (insufficient tool messages following tool_calls message)",
        )


def _calls_of(message: JsonObject) -> set[str]:
    """Return the ids of the calls that a message of the assistant makes.

    Raises Rejection for an empty message.
    """
    calls = message.get("tool_calls") or ()
    if message.get("content") is None and not calls:
        raise Rejection(400, "Invalid assistant message: content or tool_calls must be set")
    return {call["id"] for call in calls}


def _check_thinking_with_tools(messages: list[JsonObject]) -> None:
    """Beside tools the reasoning of every earlier turn must come back; an empty string will do."""
    for message in messages:
        if message["role"] == "assistant" and message.get("reasoning_content") is None:
            raise Rejection(
                400, "The reasoning_content in the thinking mode must be passed back to the API."
            )


def _check_context(prompt: bytes, *, asked: int) -> None:
    """Check that the wanted output fits beside the prompt.

    Where no cap was sent, the prompt alone must fit.
    """
    tokens = count_tokens(prompt)
    if tokens + asked > CONTEXT_TOKENS:
        raise Rejection(
            400,
            f"This model's maximum context length is {CONTEXT_TOKENS} tokens. However, you"
            f" requested {tokens + asked} tokens ({tokens} in the messages, {asked} in the"
            " completion). Please reduce the length of the messages or completion.",
        )


def _default_max_tokens(*, thinking: bool, effort: str) -> int:
    if not thinking:
        return 8 * 1024
    if effort == "max":
        return 128 * 1024
    return 64 * 1024


def _untyped(reason: str) -> Rejection:
    return Rejection(422, f"Failed to deserialize the JSON body into the target type: {reason}")


def _quoted(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _rust_type(value: Any) -> str:
    """A JSON value as serde names it in its messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f"string {json.dumps(value, ensure_ascii=False)}"
    return "sequence" if isinstance(value, list) else "map"


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names_function(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("function"), dict):
        return False
    return isinstance(value["function"].get("name"), str)


def _is_tool_call(value: Any) -> bool:
    return _names_function(value) and isinstance(value.get("id"), str)


def _is_stop(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, str)


def _is(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


_TYPES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("model", "a string", _is(str)),
    ("messages", "a sequence", _is(list)),
    ("max_tokens", "u32", _is_integer),
    ("n", "u32", _is_integer),
    ("temperature", "f32", _is_number),
    ("top_p", "f32", _is_number),
    ("stream", "a boolean", _is(bool)),
    ("stream_options", "struct StreamOptions", _is(dict)),
    ("response_format", "struct ResponseFormat", _is(dict)),
    ("reasoning_effort", "a string", _is(str)),
    ("stop", "a string or a sequence of strings", _is_stop),
    ("tools", "a sequence", _is(list)),
    ("tool_choice", "a string or a map", _is(str, dict)),
    ("user_id", "a string", _is(str)),
)
