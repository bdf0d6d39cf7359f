"""Tokens and cost of one answer, as the chunks of a response tell them one after the other."""

from __future__ import annotations

from harness.domain.completion import Usage
from harness.endpoint import usages
from harness.endpoint.fields import object_of
from harness.endpoint.foreign_json import JsonObject

_HOLDERS = ("x_groq", "metadata")
_GOOGLES = ("usageMetadata", "usage_metadata")


class UsageAndCost:
    """`cost` is what the server says that the answer cost, in USD; None where it does not.

    `by_gateway`: whether the last usage is of a gateway's own making; None: none has come. A number
    of pieces, where one is asked for, is that of the pieces of the answer that had come by then.
    """

    def __init__(self) -> None:
        self.cost: float | None = None
        self.by_gateway: bool | None = None
        self._usage: Usage | None = None
        self._timings: object = None
        self._counted_at = -1  # so many pieces had come when the last usage did; -1: none has
        self._beside_text = 0

    @property
    def is_told(self) -> bool:
        """Return whether a usage has come, with whatever numbers."""
        return self._usage is not None

    @property
    def usage(self) -> Usage:
        """All zeros where nobody told it."""
        usage = self._usage
        if usage is None or not usage.total_tokens:
            usage = usages.timings_of(self._timings) or usage
        return usage or Usage()

    def counts_all(self, pieces: int) -> bool:
        """Return whether a usage came at the end, behind the last piece or once with it.

        A server that is cut sends none.
        """
        return self._counted_at == pieces and self._beside_text <= 1

    def take(self, fields: object, *, pieces: int) -> None:
        """Take in the usage that a response tells."""
        if isinstance(fields, list) and len(fields) == 1:
            fields = fields[0]
        usage = usages.usage_of(fields)
        if usage is None or not isinstance(fields, dict):
            return
        self.by_gateway = usages.is_of_the_gateway(fields)
        self._usage = usages.merged(self._usage, usage)
        if usage.total_tokens:
            self._counted_at = pieces
        cost = usages.cost_of(fields)
        self.cost = self.cost if cost is None else cost

    def take_account(self, chunk: JsonObject, *, pieces: int) -> None:
        """Take in what stands beside the choices of the last chunks only."""
        self._timings = chunk.get("timings") or self._timings
        elsewhere = [object_of(object_of(chunk, name), "usage") for name in _HOLDERS]
        for usage in (*elsewhere, *(object_of(chunk, name) for name in _GOOGLES)):
            if usage:
                self.take(usage, pieces=pieces)

    def came_with_text(self) -> None:
        """Note that a usage stood in the same chunk as a piece of the answer.

        Some servers tell one in every chunk.
        """
        self._beside_text += 1
