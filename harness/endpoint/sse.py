"""Server-sent events out of bytes, split anywhere.

Follows the parsing rules of the WHATWG HTML standard (section 9.2.6), with four deviations that
real servers ask for: an event that the end of the stream leaves unterminated is not dropped; a line
that begins like JSON or HTML, which a proxy writes bare into a broken stream, is handed on instead
of ignored, and so is the field `error:`, in which llama.cpp's server wrote its errors until
September 2025, as an event of that name; and lengths are bounded.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_EVENT_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_BARE_STARTS = (b"{", b"[", b"<")


class Event(NamedTuple):
    """`data` is the payload, its lines joined by `\\n`.

    `name` is the event's name, None for a bare line.
    """

    data: bytes
    name: bytes | None = b""


class EventTooLongError(ValueError):
    """A line or an event passed the limit: this is no stream of tokens."""


class SSEParser:
    """Feed it the bytes as they arrive, then `close` it once.

    Work is linear in the bytes, however they are cut.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._line: list[bytes] = []  # pieces of the line whose end has not come
        self._line_bytes = 0
        self._data: list[bytes] = []  # lines of the event whose end has not come
        self._data_bytes = 0
        self._name = b""
        self._after_cr = False
        self._at_start = True
        self.commented = False
        """A comment has come: the sign of life of a server that has nothing to say yet."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete. Raises EventTooLongError."""
        if self._after_cr or b"\r" in data:
            data = self._with_newlines(data)
        head, newline, tail = data.rpartition(b"\n")
        if newline and self._line:
            head = b"".join((*self._line, head))
            self._line.clear()
            self._line_bytes = 0
        if tail:
            self._line.append(tail)
            self._line_bytes += len(tail)
            self._check(self._line_bytes)
        return self._events(head) if newline else []

    def close(self) -> list[Event]:
        """Return the events that the end of the stream completes.

        These are of a last line or event that was never terminated.
        """
        rest = b"".join(self._line)
        self._line.clear()
        return self._events(rest + b"\n")

    def _events(self, lines: bytes) -> list[Event]:
        events: list[Event] = []
        if self._at_start:
            self._at_start = False
            lines = lines.removeprefix(_BOM)
        for line in lines.split(b"\n"):
            if line.startswith(b"data:"):
                value = line[6:] if line.startswith(b"data: ") else line[5:]
                self._data.append(value)
                self._data_bytes += len(value)
                self._check(self._data_bytes)
            elif not line:
                if self._data:
                    events.append(Event(b"\n".join(self._data), self._name))
                    self._data.clear()
                    self._data_bytes = 0
                self._name = b""
            else:
                events.extend(self._of_rare_line(line))
        return events

    def _of_rare_line(self, line: bytes) -> tuple[Event, ...]:
        """The event that a line is by itself, if it is one: not of those that come for every
        token.
        """
        if line.startswith(_BARE_STARTS):
            return (Event(line, None),)
        if line.startswith(b"error:"):
            return (Event(line[6:].strip(), b"error"),)
        if line.startswith(b"event:"):
            self._name = line[6:].removeprefix(b" ")
        elif line == b"data":
            self._data.append(b"")
        elif line.startswith(b":"):
            self.commented = True
        return ()

    def _with_newlines(self, data: bytes) -> bytes:
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]  # the second half of a CR LF that was cut between them
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _check(self, size: int) -> None:
        if size > self._max_event_bytes:
            raise EventTooLongError(f"an event of more than {self._max_event_bytes} bytes")
