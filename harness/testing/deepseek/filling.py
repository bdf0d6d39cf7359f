"""A form with the mock's own answer in it.

The envelope is the form's, what it holds is what was asked for. The files of the forms all say the
same few things, and these stand for the mock's own: `Hello there.` and `Paris.` for its answer,
`Let me see.` for its reasoning, `m` for the model, 20, 10 and 30 tokens for its usage, and a call
of a tool for its own call. Where a file cuts such a text in two, the mock's own is cut in two.
Whatever else a file says is played as it stands.
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
_STRING = re.compile(
    r'(?P<key>"(?P<field>model|name|arguments)"\s*:\s*)?(?P<text>"(?:[^"\\\n]|\\.)*")'
)
_COUNT = re.compile(
    r'("(?:prompt|completion|input|output|total)_tokens"\s*:\s*"?)(20|10|30)(?![0-9])'
)
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
    is_error = bool(told["error"])
    if manner != asked:
        if is_error and manner == "whole":
            return manner
        return None
    needed = "tool_calls" if told["calls"] else "stop"
    if is_error or answer.finish_reason == needed:
        return manner
    return None


def form_reply(form: Form, manner: Manner, own: Own, timing: Timing) -> Reply:
    """Return the reply: the form's status and headers, and its body.

    The body of a success takes the time that the answer takes; an error comes at once.
    """
    headers = {"content-type": _TYPES[manner]}
    for name, value in form.headers.items():
        headers[name.lower()] = value
    events = _events_of(filled(form, manner, own), manner)
    if form.status == 200:
        pieces = _paced(events, timing, own.answer.output_tokens)
    else:
        pieces = _paced(events, Timing(0, 0), 1)
    return Reply(status=form.status, headers=tuple(headers.items()), pieces=pieces)


def _events_of(body: str, manner: Manner) -> list[str]:
    """Return the parts of a body that leave on their own: the events of a stream, or all of it."""
    parts = _EVENT.split(body) if manner == "stream" else [body]
    return [part for part in parts if part]


def _paced(events: list[str], timing: Timing, tokens: int) -> Iterator[Piece]:
    """Yield the events with their times.

    The first comes with the first token, the last with the last one, the others evenly between. One
    alone comes with the last token.
    """
    rest_s = timing.token_s * max(tokens - 1, 0)
    between_s = rest_s / max(len(events) - 1, 1)
    delay_s = timing.first_s
    if len(events) == 1:
        delay_s += rest_s
    for event in events:
        yield Piece(delay_s, encoded(event))
        delay_s = between_s


def filled(form: Form, manner: Manner, own: Own) -> str:
    """Return the body of a form, with the mock's own in place of the form's stand-ins."""
    return _Filling(form.told.get(manner), own).of_body(form.bodies[manner])


class _Filling:
    """Puts what is the mock's `own` into the texts of a form.

    `told` is what the form says of itself.
    """

    def __init__(self, told: Mapping[str, Any] | None, own: Own) -> None:
        self._own = own
        self._call = own.answer.tool_calls[0] if own.answer.tool_calls else None
        self._calls: Any = ()
        self._renames = self._counts = True
        if told is not None:
            usage = told["usage"]
            self._calls = told["calls"]
            self._renames = told["model"] is None
            self._counts = usage is None or (usage.get("input"), usage.get("output")) == (20, 10)
        used = own.usage
        self._numbers = {"20": used.input_tokens, "10": used.output_tokens, "30": used.total_tokens}

    def of_body(self, body: str) -> str:
        if self._call is not None:
            for call in self._calls:
                # A server that sends the arguments as an object, and no text of it.
                body = body.replace(f":{call['arguments']}", f":{self._call.arguments}")
        return self._of_json(body)

    def _of_json(self, text: str) -> str:
        if self._counts:
            text = _COUNT.sub(lambda found: f"{found[1]}{self._numbers[found[2]]}", text)
        return _STRING.sub(self._of_literal, text)

    def _of_literal(self, found: re.Match[str]) -> str:
        said = self._of_value(found["field"], _decoded(found["text"]))
        if said is None:
            return found[0]
        return f"{found['key'] or ''}{encode_basestring(said)}"

    def _of_value(self, field: str | None, text: str | None) -> str | None:
        """Return what a text becomes, in this field if that is a telling one; None: it stays."""
        if field == "model":
            if text and self._renames:
                return self._own.model
            return None
        if field is not None and self._call is not None:
            return _of_call(field, text, self._calls, self._call)
        if text is None:
            return None
        if text.startswith('{"object"'):
            return self._of_json(text)  # a gateway's body inside of a text
        return _of_text(text, self._own.answer)


def _decoded(literal: str) -> str | None:
    try:
        text: str = json.loads(literal)
    except ValueError:
        return None
    return text


def _of_text(text: str, answer: Answer) -> str | None:
    """Return the mock's own for a text, or None where it stays.

    Where the mock did not think, the form's reasoning stays.
    """
    for halves, said in ((_HALVES, answer.content), (_HALVES_OF_REASONING, answer.reasoning)):
        if text in halves:
            return _half(said, halves[text]) if said else None
    own = {REASONING: answer.reasoning} | dict.fromkeys(ANSWERS, answer.content)
    filled = _WHOLE_TEXT.sub(lambda found: own[found[0]] or found[0], text)
    return None if filled == text else filled


def _of_call(name: str, text: str | None, calls: Any, own: ToolCall) -> str | None:
    """Return the name or the arguments of the mock's own call, or their half for a piece of the
    form's.
    """
    if not text:
        return None
    said = own.name if name == "name" else own.arguments
    for call in calls:
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
