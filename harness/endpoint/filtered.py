"""Findings of a provider's content filter, beside an answer or in place of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.endpoint.fields import object_of
from harness.endpoint.foreign_json import JsonObject

_FLAGS = ("input_sensitive", "output_sensitive")  # MiniMax
_PROMPT_RESULTS = ("prompt_filter_results", "prompt_annotations")  # Azure, new and old
_FEEDBACKS = ("prompt_feedback", "promptFeedback")  # Google
_BLOCKED = ("block_reason", "blockReason")


def filtered_in(choice: JsonObject) -> Iterator[str]:
    """Azure's results of its filters on a choice: what was filtered, with how severe it was."""
    for name, result in object_of(choice, "content_filter_results").items():
        for found in result if isinstance(result, list) else [result]:  # its own lists of words come as a list
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
