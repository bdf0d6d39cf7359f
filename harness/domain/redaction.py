"""The one redactor for what is shown while it arrives.

A secret that is cut between two pieces is masked as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.domain.completion import Delta, OnDelta


class PieceRedactor:
    """Feed it pieces of a text; what it gives back, joined, is the redacted text.

    It holds back what may be the beginning of one of the `spellings` until the next piece tells, or
    `rest` is asked. `redact` masks all of them in a text that is whole.
    """

    def __init__(self, redact: Callable[[str], str], spellings: Iterable[str]) -> None:
        self._redact = redact
        self._spellings = tuple(spellings)
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._redact(self._held + piece)
        kept = max(
            (_beginning_at_the_end(text, spelling) for spelling in self._spellings), default=0
        )
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def rest(self) -> str:
        """Return the text that was held back, at the end of the stream."""
        held, self._held = self._held, ""
        return held


class RedactedDeltas:
    """An `on_delta` that shows another one the pieces without secrets.

    Call `end` when the last piece has come.
    """

    def __init__(self, shown: OnDelta, redactor: PieceRedactor) -> None:
        self._shown = shown
        self._redactor = redactor
        self._last: Delta | None = None

    def __call__(self, delta: Delta) -> None:
        if delta.kind == "restart":
            self._redactor.rest()  # what was held back belongs to what is to be forgotten
            self._last = None
            self._shown(delta)
            return
        if self._last is not None and delta.kind != self._last.kind:
            self.end()
        self._last = delta
        self._show(delta, self._redactor.feed(delta.text))

    def end(self) -> None:
        if self._last is not None:
            self._show(self._last, self._redactor.rest())

    def _show(self, delta: Delta, text: str) -> None:
        if text:
            self._shown(Delta(kind=delta.kind, text=text))


def _beginning_at_the_end(text: str, spelling: str) -> int:
    """Return the number of characters at the end of the text that may begin this spelling."""
    return next(
        (n for n in range(min(len(text), len(spelling) - 1), 0, -1) if text.endswith(spelling[:n])),
        0,
    )
