"""Answers and outputs as text: what is searched, counted, compared and shown."""

from __future__ import annotations

import json
import re

from harness.domain.completion import Json
from harness.records.stored import StoredSpan

# Chinese and Japanese are written without spaces between words, so each of their characters counts
# as one.
_CHARACTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_CITED = re.compile(r"\[(\d{1,4}(?:[,\s]+\d{1,4})*)\]")


def text_of(value: Json) -> str:
    """A text as it is, nothing for null, any other value as indented JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2)


def text_of_call(call: StoredSpan) -> str:
    """A call's answer, with the functions that it wants called. Their ids are not in it: they
    differ each time.
    """
    wanted = [{"name": each.name, "arguments": each.arguments} for each in call.tool_calls]
    parts = (call.content, text_of(wanted) if wanted else "")
    return "\n".join(part for part in parts if part)


def count_words(text: str) -> int:
    """Words between spaces and punctuation; each Chinese or Japanese character is one."""
    spaced, characters = _CHARACTER.subn(" ", text)
    return characters + sum(1 for _ in _WORD.finditer(spaced))


def cited_numbers(text: str) -> frozenset[int]:
    """The numbers that stand in brackets, as in `[2]` or `[1, 3]`."""
    return frozenset(
        int(number) for group in _CITED.findall(text) for number in re.split(r"[,\s]+", group)
    )
