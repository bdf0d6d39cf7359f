"""A form with the mock's own answer in it: the envelope is the form's, what it holds is what was
asked for.

The files of the forms all say the same few things, and these stand for the mock's own: `Hello
there.` and `Paris.` for its answer, `Let me see.` for its reasoning, `m` for the model, 20, 10 and
30 tokens for its usage, and a call of a tool for its own call. Where a file cuts such a text in
two, the mock's own is cut in two. Whatever else a file says is played as it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from harness.domain.completion import ToolCall, Usage
from harness.testing.deepseek.forms import Form, Manner
from harness.testing.deepseek.generation import Answer
from harness.testing.deepseek.latency import Timing
from harness.testing.deepseek.reply import Piece, Reply
from harness.testing.deepseek.tokens import encoded

ANSWERS = ("Hello there.", "Paris.")
REASONING = "Let me see."

_TYPES: Mapping[Manner, str] = {"stream": "text/event-stream", "whole": "application/json"}
_WHOLE_TEXT = re.compile("|".join(re.escape(text) for text in (*ANSWERS, REASONING)))
_HALVES = {"Hello ": 0, "there.": 1}
_HALVES_OF_REASONING = {"Let me ": 0, "see.": 1}
# A string of JSON; where it is the value of one of these fields, with that.
_STRING = re.compile(r'(?P<key>"(?P<field>model|name|arguments)"\s*:\s*)?(?P<text>"(?:[^"\\\n]|\\.)*")')
_COUNT = re.compile(r'("(?:prompt|completion|input|output|total)_tokens"\s*:\s*"?)(20|10|30)(?![0-9])')
_EVENT = re.compile(r"(?<=\n\n)|(?<=\r\n\r\n)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The mock's own answer, before a form shapes it."""

    model: str
    answer: Answer
    usage: Usage


def manner_played(form: Form, *, stream: bool, answer: Answer) -> Manner | None:
    """Return the body of the form that answers a request, or None where it has none that could.

    An error is an error, however the answer was asked for. A form with an answer needs one of its
    kind to hold: calls of tools are played where the mock calls one, texts where it says one, and
    only where that is whole. A form that does not say what must be told of it is always played.
    """
    asked: Manner = "stream" if stream else "whole"
    manner = asked if asked in form.bodies else next(iter(form.bodies))
    if not form.told:
        return manner
    told = form.told[manner]
    if manner != asked and not (told["error"] and manner == "whole"):
        return None
    if told["error"]:
        return manner
    needed = "tool_calls" if told["calls"] else "stop"
    return manner if answer.finish_reason == needed else None


def form_reply(form: Form, manner: Manner, own: Own, timing: Timing) -> Reply:
    """Return the reply: the form's status and headers, and its body in the time that the answer
    takes.
    """
    headers = {"content-type": _TYPES[manner]} | {name.lower(): value for name, value in form.headers.items()}
    body = filled(form, manner, own)
    events = [part for part in _EVENT.split(body) if part] if manner == "stream" else [body] if body else []
    pieces = _paced(events, timing, own.answer.output_tokens) if form.status == 200 else _paced(events, Timing(0, 0), 1)
    return Reply(status=form.status, headers=tuple(headers.items()), pieces=pieces)


def _paced(events: list[str], timing: Timing, tokens: int) -> Iterator[Piece]:
    """The first event when the first token comes, the last one when the last token does, the others
    evenly between.
    """
    rest_s = timing.token_s * max(tokens - 1, 0)
    between_s = rest_s / max(len(events) - 1, 1)
    first_s = timing.first_s + (rest_s if len(events) == 1 else 0.0)
    for place, event in enumerate(events):
        yield Piece(between_s if place else first_s, encoded(event))


def filled(form: Form, manner: Manner, own: Own) -> str:
    """The body of a form with what is the mock's own where the form has what stands for it."""
    body, told = form.bodies[manner], form.told.get(manner)
    usage = told["usage"] if told else None
    counts = {"20": own.usage.input_tokens, "10": own.usage.output_tokens, "30": own.usage.total_tokens}
    counted = usage is None or (usage.get("input"), usage.get("output")) == (20, 10)
    calls = told["calls"] if told else ()
    if own.answer.tool_calls:
        for call in calls:
            # A server that sends the arguments as an object, and no text of it.
            body = body.replace(f":{call['arguments']}", f":{own.answer.tool_calls[0].arguments}")
    renamed = told is None or told["model"] is None

    def filled_string(found: re.Match[str]) -> str:
        text = _decoded(found["text"])
        said = None
        if found["field"] == "model":
            said = own.model if text and renamed else None
        elif found["field"] in ("name", "arguments") and own.answer.tool_calls:
            said = _of_call(found["field"], text, calls, own.answer.tool_calls[0])
        elif text is not None and text.startswith('{"object"'):
            said = filled_text(text)  # a gateway's body inside of a text
        elif text is not None:
            said = _of_text(text, own.answer)
        return found[0] if said is None else f"{found['key'] or ''}{encode_basestring(said)}"

    def filled_text(text: str) -> str:
        if counted:
            text = _COUNT.sub(lambda found: f"{found[1]}{counts[found[2]]}", text)
        return _STRING.sub(filled_string, text)

    return filled_text(body)


def _decoded(literal: str) -> str | None:
    try:
        text: str = json.loads(literal)
    except ValueError:
        return None
    return text


def _of_text(text: str, answer: Answer) -> str | None:
    """The mock's own for a text, or None where it stays.

    Where the mock did not think, the form's reasoning stays.
    """
    if text in _HALVES:
        return _half(answer.content, _HALVES[text]) if answer.content else None
    if text in _HALVES_OF_REASONING:
        return _half(answer.reasoning, _HALVES_OF_REASONING[text]) if answer.reasoning else None
    said = {REASONING: answer.reasoning} | dict.fromkeys(ANSWERS, answer.content)
    filled = _WHOLE_TEXT.sub(lambda found: said[found[0]] or found[0], text)
    return None if filled == text else filled


def _of_call(name: str, text: str | None, calls: Any, own: ToolCall) -> str | None:
    """The name or the arguments of the mock's own call, or the half of them for a piece of the
    form's.
    """
    said = own.name if name == "name" else own.arguments
    for call in calls if text else ():
        theirs = call[name]
        if text == theirs:
            return said
        if theirs.startswith(text):
            return _half(said, 0)
        if theirs.endswith(text):
            return _half(said, 1)
    return None


def _half(text: str, which: int) -> str:
    middle = len(text) // 2
    return text[middle:] if which else text[:middle]
