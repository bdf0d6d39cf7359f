"""The finish reason of an answer and the findings of a content filter, wherever a response tells
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.domain.finish import finish_of
from harness.endpoint.fields import object_of
from harness.endpoint.foreign_json import JsonObject

_NAMES = ("finish_reason", "finishReason")
_DETAILS = ("finish_details", "stop_reason", "stopReason")
"""Fields that may also hold another thing, as vLLM's `stop_reason` holds the stop sequence. Only a
known word counts.
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
    # SGLang's own API: {"type": "stop", "matched": …}; OpenAI's `finish_details`
    if isinstance(value, dict):
        return _word_of(value.get("type") or value.get("reason"))
    return json.dumps(value) if value else ""


_FLAGS = ("input_sensitive", "output_sensitive")  # MiniMax
_PROMPT_RESULTS = ("prompt_filter_results", "prompt_annotations")  # Azure, new and old
_FEEDBACKS = ("prompt_feedback", "promptFeedback")  # Google
_BLOCKED = ("block_reason", "blockReason")


def filtered_in(choice: JsonObject) -> Iterator[str]:
    """Azure's results of its filters on a choice: what was filtered, with how severe it was."""
    for name, result in object_of(choice, "content_filter_results").items():
        # Its own lists of words come as a list.
        for found in result if isinstance(result, list) else [result]:
            if isinstance(found, dict) and found.get("filtered") is True:
                severity = found.get("severity")
                yield f"{name}: {severity}" if isinstance(severity, str) else name


def blocked_in(response: JsonObject) -> str:
    """Return what a provider says that it blocked of a prompt or an answer.

    "" where it says nothing.
    """
    for name in _FEEDBACKS:
        feedback = object_of(response, name)
        reason = next((feedback[key] for key in _BLOCKED if isinstance(feedback.get(key), str)), "")
        if reason:
            return str(reason)
    for name in _PROMPT_RESULTS:
        found = ", ".join(_in_prompt(response.get(name)))
        if found:
            return f"the prompt: {found}"
    return next((name.replace("_", " ") for name in _FLAGS if response.get(name) is True), "")


def _in_prompt(results: Any) -> Iterator[str]:
    for result in results if isinstance(results, list) else ():
        if isinstance(result, dict):
            yield from filtered_in(result)
