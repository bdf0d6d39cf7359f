"""The finish reason of an answer, wherever a response tells it."""

from __future__ import annotations

import json

from harness.domain.finish import finish_of
from harness.endpoint.foreign_json import JsonObject

_NAMES = ("finish_reason", "finishReason")
_DETAILS = ("finish_details", "stop_reason", "stopReason")
"""What may also hold another thing, as vLLM's `stop_reason` holds the stop sequence: only a known
word counts.
"""


def reason_in(fields: JsonObject) -> str:
    """The reason that a choice, a delta or a message names; "" where it names none."""
    for name in _NAMES:
        reason = _word_of(fields.get(name))
        if finish_of(reason) != "untold":
            return reason
    for name in _DETAILS:
        reason = _word_of(fields.get(name))
        if finish_of(reason) not in ("untold", "unknown"):
            return reason
    return ""


def _word_of(value: object) -> str:
    """The word that a reason is.

    One that is no text is kept as it is written, and nobody knows what it means.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list) and len(value) == 1:
        return _word_of(value[0])
    if isinstance(value, dict):  # SGLang's own API: {"type": "stop", "matched": …}; OpenAI's `finish_details`
        return _word_of(value.get("type") or value.get("reason"))
    return json.dumps(value) if value else ""
