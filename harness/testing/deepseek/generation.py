"""The answer to a request: a pure function of its content."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

from harness.domain.completion import ToolCall
from harness.testing.deepseek.chat_request import ChatRequest, JsonObject
from harness.testing.deepseek.draws import Draws, unit
from harness.testing.deepseek.prompt_cues import (
    Decompose,
    Exact,
    General,
    Judge,
    Research,
    Synthesize,
    Task,
    read_task,
)
from harness.testing.deepseek.prose import Writer, subject_of_question
from harness.testing.deepseek.schemas import instance_of
from harness.testing.deepseek.subject import language_of, subject_of
from harness.testing.deepseek.tokens import count_tokens, encoded, first_tokens

FinishReason = Literal[
    "stop", "length", "content_filter", "tool_calls", "insufficient_system_resource", "aborted"
]

_EFFORT_SHARE = {"low": 0.5, "high": 1.0, "max": 2.0}
_KEYS = re.compile(r'"([A-Za-z_][\w-]{0,40})"\s*:')
_FENCED = "```json\n{}\n```"
_CHATTY = "Here are the sub-questions:\n\n{}\n\nLet me know if you would like me to refine them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The model's answer. `reasoning` is empty where it did not think."""

    reasoning: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"

    @property
    def reasoning_tokens(self) -> int:
        return count_tokens(encoded(self.reasoning))

    @property
    def output_tokens(self) -> int:
        """All that is billed as output: reasoning, content and the arguments of tool calls."""
        tokens = self.reasoning_tokens + count_tokens(encoded(self.content))
        for call in self.tool_calls:
            tokens += count_tokens(encoded(call.arguments))
        return tokens

    def stopped_at(self, stops: tuple[str, ...]) -> Answer:
        """The content up to the first stop sequence."""
        end = len(self.content)
        for stop in stops:
            place = self.content.find(stop)
            if stop and place >= 0:
                end = min(end, place)
        return replace(self, content=self.content[:end])

    def capped(self, max_tokens: int) -> Answer:
        """Cut to the cap. Reasoning is spent first: a small cap leaves no content at all."""
        if self.output_tokens <= max_tokens:
            return self
        left = max_tokens - self.reasoning_tokens
        return Answer(
            reasoning=first_tokens(self.reasoning, max_tokens),
            content=first_tokens(self.content, left) if left > 0 else "",
            finish_reason="length",
        )


def answer(request: ChatRequest, digest: bytes, *, untidy: float = 0.0) -> Answer:
    """The whole answer, stops and cap applied.

    `untidy`: the share of decompositions that come fenced or in prose.
    """
    draws = Draws(digest)
    task = read_task(request)
    about = _about(task)
    language = language_of(about)
    if isinstance(task, Research):
        subject = subject_of_question(about, language)
    else:
        subject = subject_of(about)
    writer = Writer(draws, subject, language)
    reasoning = ""
    if request.thinking:
        reasoning = writer.thoughts(int(draws.between(100, 560) * _EFFORT_SHARE[request.effort]))
    if call := _tool_call(request, draws, writer.subject, digest):
        return Answer(
            reasoning=reasoning, content="", tool_calls=(call,), finish_reason="tool_calls"
        ).capped(request.max_tokens)
    content = _content(request, task, writer, draws)
    if isinstance(task, Decompose) and not request.json_mode and unit(digest, "untidy") < untidy:
        content = draws.one((_FENCED, _CHATTY)).format(content)
    whole = Answer(reasoning=reasoning, content=encoded(content).decode())
    return whole.stopped_at(request.stop).capped(request.max_tokens)


def _about(task: Task) -> str:
    match task:
        case Decompose(topic=text) | Research(question=text) | Synthesize(topic=text):
            return text
        case Judge(text=text) | General(text=text) | Exact(words=text):
            return text
        case _:
            assert_never(task)


def _content(request: ChatRequest, task: Task, writer: Writer, draws: Draws) -> str:
    if request.messages[-1]["role"] == "tool":
        return _after_tool(request, writer)
    match task:
        case Decompose(least=least, most=most):
            return json.dumps(writer.questions(least, most), ensure_ascii=False)
        case Judge(blank=blank):
            return json.dumps({"pass": not blank, "reason": writer.general()}, ensure_ascii=False)
        case Exact(words=words) if not request.json_mode or _is_json(words):
            return words
        case _ if request.json_mode:
            return json.dumps(_object(request, writer, draws), ensure_ascii=False)
        case Research():
            return writer.answer()
        case Synthesize():
            return writer.report(task)
        case General() | Exact():
            return _general(request, writer, draws)
        case _:
            assert_never(task)


def _after_tool(request: ChatRequest, writer: Writer) -> str:
    result = request.last_text("tool")
    if request.json_mode:
        return json.dumps({"result": result})
    return writer.after_tool(result)


def _general(request: ChatRequest, writer: Writer, draws: Draws) -> str:
    """Return a few sentences, or JSON in a fence where the prompt shows a schema."""
    schema = _schema_in(_instructions(request))
    if schema is None:
        return writer.general()
    instance = instance_of(schema, draws, writer.subject)
    return _FENCED.format(json.dumps(instance, ensure_ascii=False))


def _is_json(words: str) -> bool:
    try:
        json.loads(words)
    except (ValueError, RecursionError):
        return False
    return True


def _object(request: ChatRequest, writer: Writer, draws: Draws) -> Any:
    """Return an object as the prompt wants it.

    It is by the schema it shows, else with the keys it names, else one of our own.
    """
    prompt = _instructions(request)
    if schema := _schema_in(prompt):
        return instance_of(schema, draws, writer.subject)
    keys = list(dict.fromkeys(_KEYS.findall(prompt)))
    if keys:
        return dict.fromkeys(keys, writer.subject)
    return {"subject": writer.subject, "answer": writer.general()}


def _instructions(request: ChatRequest) -> str:
    """Return the texts that may prescribe a form: the last system message and the user's."""
    return "\n".join([request.last_text("system"), request.last_text("user")])


def _schema_in(prompt: str) -> JsonObject | None:
    """The first JSON schema of an object that stands in the prompt."""
    decoder, start = json.JSONDecoder(), prompt.find("{")
    for _ in range(8):
        if start < 0:
            return None
        try:
            value, end = decoder.raw_decode(prompt, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(value, dict) and isinstance(value.get("properties"), dict):
                return value
        start = prompt.find("{", end)
    return None


def _tool_call(request: ChatRequest, draws: Draws, subject: str, digest: bytes) -> ToolCall | None:
    """The call this model makes: each tool once, in the order offered, then it answers.

    A demanded call is made. A real model would choose; one that always does the same is what a test
    can build on.
    """
    if not request.tools or request.tool_choice == "none":
        return None
    tools = {tool["function"]["name"]: tool["function"] for tool in request.tools}
    choice = request.tool_choice
    if isinstance(choice, dict):
        function = tools.get(choice["function"]["name"])
    else:
        called = _called_since_asked(request)
        function = next((tool for name, tool in tools.items() if name not in called), None)
        if function is None and choice == "required":
            function = list(tools.values())[-1]
    if function is None:
        return None
    arguments = instance_of(function.get("parameters") or {"type": "object"}, draws, subject)
    return ToolCall(
        id=f"call_00_{digest.hex()[:24]}",
        name=function["name"],
        arguments=json.dumps(arguments if isinstance(arguments, dict) else {}, ensure_ascii=False),
    )


def _called_since_asked(request: ChatRequest) -> set[str]:
    """The tools called since the user last spoke."""
    names: set[str] = set()
    for message in reversed(request.messages):
        if message["role"] == "user":
            break
        names.update(call["function"]["name"] for call in message.get("tool_calls") or ())
    return names
