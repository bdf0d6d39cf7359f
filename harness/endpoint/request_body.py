"""Pure translation: our Request to the bytes of a request, in the form that its server wants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.domain.completion import JsonSchema, Message, Request, Tool
from harness.domain.extras import merged
from harness.domain.request_form import RequestForm, has_switch

Body = dict[str, Any]


def request_body(
    request: Request,
    *,
    stream: bool,
    form: RequestForm,
    user_id: str | None = None,
    leave_out: frozenset[str] = frozenset(),
) -> bytes:
    """The JSON body of a chat completion request, in UTF-8. Fields that are not set are not sent.

    `leave_out` are fields that the server refused before. `user_id` is sent in DeepSeek's dialect
    only. Raises ValueError for an image whose bytes are not at hand.
    """
    body: Body = {
        "model": request.model,
        "messages": [_message(message, request, form) for message in _turns(request, form)],
        "stream": stream,
    }
    if stream and form.stream_options:
        body["stream_options"] = {"include_usage": True}
    if request.max_tokens is not None:
        body[form.cap] = request.max_tokens
    body |= _thinking(request, form)
    if user_id is not None and form.dialect == "deepseek":
        body["user_id"] = user_id
    body |= _sampling(request, form)
    wanted = _response_format(request, form)
    if wanted is not None:
        body["response_format"] = wanted
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.stop:
        body["stop"] = request.stop
    if request.extra_body:
        body = merged(body, request.extra_body)
    for name in leave_out:
        body.pop(name, None)
    return _encoded(body)


def _thinking(request: Request, form: RequestForm) -> Body:
    """Return the server's own fields for whether and how hard to think."""
    thinks, effort = request.thinking, request.effort
    word = None if effort is None else form.efforts.get(effort)
    if effort == "none" and word is None and has_switch(form):
        thinks = False
    fields = _switched(thinks, form)
    if word is not None and thinks is not False:
        fields["reasoning_effort"] = word
    return fields


def _switched(thinks: bool | None, form: RequestForm) -> Body:
    if thinks is None:
        return {}
    match form.thinking:
        case "thinking":
            return {"thinking": {"type": "enabled" if thinks else "disabled"}}
        case "enable_thinking":
            return {"enable_thinking": thinks}
        case "reasoning":
            return {"reasoning": {"enabled": thinks}}
        case "chat_template_kwargs":
            return {"chat_template_kwargs": {"enable_thinking": thinks}}
        case "chat_template_kwargs.thinking":
            return {"chat_template_kwargs": {"thinking": thinks}}
        case "reasoning_effort":
            word = form.efforts.get("on" if thinks else "none")
            if word is None:
                return {}
            return {"reasoning_effort": word}
        case _:
            return {}


def _sampling(request: Request, form: RequestForm) -> Body:
    fields: Body = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        form.seed: request.seed,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        **_logprobs(request.logprobs, form),
        "service_tier": request.service_tier,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _logprobs(number: int | None, form: RequestForm) -> Body:
    """The likelihoods of the tokens, and of so many others beside each."""
    if number is None:
        return {}
    if form.logprobs == "number":
        return {"logprobs": max(1, number)}
    return {"logprobs": True, "top_logprobs": number or None}


def _response_format(request: Request, form: RequestForm) -> Body | None:
    """Return what the server is told of the wanted form, or None where it cannot be told."""
    wanted = request.response_format
    if wanted is None or (wanted == "json_object" and form.structured == "text"):
        return None
    if not isinstance(wanted, JsonSchema):
        return {"type": wanted}
    if form.structured in (None, "json_schema"):
        described = {"name": wanted.name, "schema": wanted.schema, "strict": wanted.strict}
        return {"type": "json_schema", "json_schema": described}
    if form.structured == "json_object":
        return {"type": "json_object"}
    return None


def _turns(request: Request, form: RequestForm) -> tuple[Message, ...]:
    """The messages; where the server cannot be told a schema, the first of them says it in
    words.
    """
    wanted, messages = request.response_format, request.messages
    if not isinstance(wanted, JsonSchema) or form.structured in (None, "json_schema"):
        return messages
    schema = json.dumps(wanted.schema, ensure_ascii=False, separators=(",", ":"))
    words = (
        f"Answer with JSON that is valid against this JSON schema, and with nothing else:\n{schema}"
    )
    if messages and messages[0].role == "system":
        return (Message(role="system", content=f"{messages[0].content}\n\n{words}"), *messages[1:])
    return (Message(role="system", content=words), *messages)


def _message(message: Message, request: Request, form: RequestForm) -> Body:
    # `content` is never null: DeepSeek refuses an assistant's turn with neither content nor calls.
    fields: Body = {"role": message.role, "content": _content(message)}
    if _brings_reasoning_back(message, request, form):
        fields[form.reasoning_back] = message.reasoning or ""
    if message.tool_calls:
        fields["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        fields["tool_call_id"] = message.tool_call_id
    return fields


def _brings_reasoning_back(message: Message, request: Request, form: RequestForm) -> bool:
    """With tools, DeepSeek wants the reasoning of every earlier turn.

    Others get back what they told.
    """
    if message.role != "assistant" or not request.tools or form.reasoning_back == "none":
        return False
    return bool(message.reasoning) or form.dialect == "deepseek"


def _content(message: Message) -> Any:
    """A text, or where there are images a list of parts."""
    if not message.images:
        return message.content
    parts: list[Body] = []
    if message.content:
        parts.append({"type": "text", "text": message.content})
    for image in message.images:
        parts.append({"type": "image_url", "image_url": {"url": image.as_url()}})
    return parts


def _tool(tool: Tool) -> Body:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": described}


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8; as an escape it is at least JSON, and the server
        # decides.
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
