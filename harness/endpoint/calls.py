"""Tool calls put together from their pieces, in whatever way a server marks the pieces.

The id of a piece decides, then its index, then its place. Servers give every call the index 0 or
none, repeat the name and the id on every piece, or give each piece an id of its own; so a piece
with a name begins a new call only where it cannot belong to the one that it points to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.domain.completion import ToolCall
from harness.endpoint.fields import text_of
from harness.endpoint.foreign_json import MalformedError

_FIELDS = frozenset({"index", "id", "function", "name", "arguments"})
_ARGUMENTS = ("arguments", "input", "parameters")  # OpenAI; Anthropic; Llama's own form


@dataclass(slots=True)
class _Call:
    index: int | None
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.arguments)

    @property
    def is_whole(self) -> bool:
        """Return whether its arguments are JSON already, so that nothing can follow."""
        try:
            json.loads(self.text)
        except (ValueError, RecursionError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Piece:
    index: int | None
    id: str
    name: str
    arguments: str
    opens: bool
    """It has a `type`, which the pieces behind the first leave out."""


class Calls:
    """Feed it the `tool_calls` of each message or delta in order."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def take(self, pieces: object) -> bool:
        """Take in a list of pieces; the value is whether they hold any of a call.

        Raises MalformedError.
        """
        if type(pieces) is list and len(pieces) == 1 and self._goes_on(pieces[0]):
            return True
        if isinstance(pieces, dict):
            pieces = [pieces]
        if not isinstance(pieces, list):
            raise MalformedError("tool calls that are no list")
        told, before = False, len(self._calls)
        for place, raw in enumerate(pieces):
            # A piece alone, without an id or an index, can only go on with the last call.
            at = place if len(pieces) > 1 else before - 1
            at_its_place = self._calls[at] if 0 <= at < before else None
            told = self._take_one(_piece(raw), at_its_place) or told
        return told

    def _take_one(self, piece: _Piece, at_its_place: _Call | None) -> bool:
        """Take in one piece; the value is whether it holds any of a call."""
        call = self._call_of(piece, at_its_place)
        if piece.arguments.startswith("{") and piece.arguments == call.text and call.is_whole:
            return False  # the whole call once more
        if _goes_over(piece, call):
            call.arguments.clear()
        told = bool(piece.arguments) or (bool(piece.name) and not call.name)
        if piece.name != call.name:
            call.name += piece.name
        call.arguments.append(piece.arguments)
        return told

    def hold(self, raw: object) -> bool:
        """Return whether a whole call has come already. Raises MalformedError."""
        piece = _piece(raw)
        for call in self._calls:
            is_same = call.name == piece.name and call.text == piece.arguments
            if is_same and piece.id in ("", call.id):
                return True
        return False

    def whole(self) -> tuple[ToolCall, ...]:
        """The calls. One that has no id gets one from its place, so that its result can name it."""
        calls = list(self._calls)
        indexes = {call.index for call in calls if call.index is not None}
        if len(indexes) == len(calls):
            calls.sort(key=lambda call: call.index or 0)
        whole = []
        for place, call in enumerate(calls):
            whole.append(
                ToolCall(id=call.id or f"call_{place}", name=call.name, arguments=call.text)
            )
        return tuple(whole)

    def _goes_on(self, raw: object) -> bool:
        """Take in a piece that is only more of the last call's arguments, as most are.

        The value is whether it was one.
        """
        if type(raw) is not dict or raw.get("id"):
            return False
        function, index = raw.get("function"), raw.get("index")
        if type(function) is not dict or function.get("name") or type(index) is not int:
            return False
        arguments = function.get("arguments")
        call = self._calls[-1] if self._calls else None
        if call is None or call.index != index or type(arguments) is not str or not arguments:
            return False
        if arguments[0] == "{" and any(call.arguments):
            return False
        call.arguments.append(arguments)
        return True

    def _call_of(self, piece: _Piece, at_its_place: _Call | None) -> _Call:
        """The call that a piece belongs to: one that has begun, or a new one."""
        begun = self._pointed_to(piece, at_its_place)
        if begun is not None and not _begins_another(piece, begun):
            return begun
        call = _Call(piece.index, piece.id)
        self._calls.append(call)
        return call

    def _pointed_to(self, piece: _Piece, at_its_place: _Call | None) -> _Call | None:
        if piece.id:
            for call in self._calls:
                if call.id == piece.id:
                    return call
        if piece.index is None:
            # An id that is new and has no index can only be of a new call, also where its name is
            # yet to come.
            if piece.id and not piece.name:
                return None
            return at_its_place
        for call in reversed(self._calls):
            if call.index == piece.index:
                return call
        if self._calls and not (piece.id or piece.name):
            return self._calls[-1]  # its first piece had another index
        return None


def _begins_another(piece: _Piece, begun: _Call) -> bool:
    """Return whether this piece, by its name, is of another call than the one it points to."""
    if not piece.name:
        return False  # nothing but a name begins a call, so an id that comes without one is noise
    if piece.id and piece.id == begun.id:
        elsewhere = None not in (piece.index, begun.index) and piece.index != begun.index
        return (
            (bool(piece.arguments) or elsewhere) and begun.is_whole and not _goes_over(piece, begun)
        )
    if piece.name != begun.name:
        return bool(piece.id) or piece.opens or bool(begun.text) or piece.index is None
    if not begun.text:
        return bool(piece.id and begun.id)
    return begun.is_whole


def _goes_over(piece: _Piece, call: _Call) -> bool:
    """Return whether arguments begin anew.

    They do behind an empty object that stood for them, or with all that came before.
    """
    if not piece.arguments.startswith("{") or piece.index != call.index:
        return False
    came = call.text
    by_id = bool(piece.id) and piece.id == call.id
    if came == "{}":
        return piece.arguments != came and (by_id or not piece.name)
    return by_id and came.startswith("{") and piece.arguments.startswith(came) and not call.is_whole


def _piece(raw: object) -> _Piece:
    if not isinstance(raw, dict):
        raise MalformedError("a tool call that is no object")
    if not _FIELDS.intersection(raw):
        raise MalformedError("a tool call without a function")
    function = raw.get("function")
    if function is None:
        function = raw
    elif not isinstance(function, dict):
        raise MalformedError("a tool call without a function")
    return _Piece(
        index=_index(raw.get("index")),
        id=_id(raw),
        name=text_of(function, "name"),
        arguments=_arguments(function),
        opens=bool(raw.get("type")),
    )


def _index(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:9])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def _id(raw: Mapping[str, Any]) -> str:
    value = raw.get("id")
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _arguments(function: Mapping[str, Any]) -> str:
    """As the model wrote them. Some servers parse them first: then they are JSON again."""
    for name in _ARGUMENTS:
        value = function.get(name)
        if isinstance(value, str):
            return value
        if value is not None:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return ""
