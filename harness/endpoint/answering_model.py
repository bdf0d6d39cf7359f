"""The model and the fingerprint that the chunks of an answer name, which may change on the way."""

from __future__ import annotations

from harness.domain.completion import Answerer
from harness.endpoint import foreign_json
from harness.endpoint.fields import text_of


class AnsweringModel:
    """`model` and `fingerprint` are the last that were named, "" before any was.

    A chunk may name nobody.
    """

    def __init__(self) -> None:
        self.model = ""
        self.fingerprint = ""
        self._before: dict[Answerer, None] = {}

    def take(self, chunk: foreign_json.JsonObject) -> None:
        """Take in what a chunk says of it. Raises MalformedError for what is no text."""
        model, fingerprint = text_of(chunk, "model"), text_of(chunk, "system_fingerprint")
        is_other_model = bool(model and self.model and model != self.model)
        is_other_build = bool(fingerprint and self.fingerprint and fingerprint != self.fingerprint)
        if is_other_model or is_other_build:
            self._before[Answerer(self.model, self.fingerprint)] = None
        if is_other_model:
            self.fingerprint = ""
        self.model = model or self.model
        self.fingerprint = fingerprint or self.fingerprint

    @property
    def earlier(self) -> tuple[Answerer, ...]:
        """All that were named before and are not the last, each once."""
        return tuple(one for one in self._before if one != Answerer(self.model, self.fingerprint))
