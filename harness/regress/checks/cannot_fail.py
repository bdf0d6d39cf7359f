"""Patterns and schemas that every text or value passes: a check made of them would be green
whatever came.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

_LOOKS_AROUND = re.compile(r"\(\?<?[=!]")
_ENDS = re.compile(r"\$|\\[Zz]")
# What can stand beside a place in a text, as far as anchors and word boundaries tell it apart:
# nothing, a letter, a space, a line's end.
_SURROUNDINGS = ("", "a", " ", "\n")


def is_found_everywhere(pattern: re.Pattern[str]) -> bool:
    """Return whether a search finds the pattern in every text. False where it is unsure.

    A pattern that takes nothing at the end of a text, whatever stands before, is found at the end
    of every text. One that takes nothing at the beginning is, unless it says what must stand after
    that.
    """
    if _LOOKS_AROUND.search(pattern.pattern):
        return False
    if all(pattern.match(text, len(text)) for text in _SURROUNDINGS):
        return True
    return not _ENDS.search(pattern.pattern) and all(pattern.match(text) for text in _SURROUNDINGS)


_OF_ALL_PARTS = ("allOf", "prefixItems", "properties", "patternProperties", "dependentSchemas")
_OF_ONE_PART = (
    "items",
    "additionalItems",
    "unevaluatedItems",
    "additionalProperties",
    "unevaluatedProperties",
)
_OTHERS_WITH_PARTS = (
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "$defs",
    "definitions",
)
_MINIMA = ("minLength", "minItems", "minProperties")
_NOTES = (
    *(
        "title",
        "description",
        "default",
        "example",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "nullable",
    ),
    *(
        "$schema",
        "$id",
        "id",
        "$anchor",
        "$dynamicAnchor",
        "$recursiveAnchor",
        "$vocabulary",
        "$comment",
        "$defs",
    ),
    *("definitions", "then", "else", "minContains", "maxContains"),
    *("contentEncoding", "contentMediaType", "contentSchema"),
)


def accepts_everything(schema: Any, keywords: Collection[str]) -> bool:
    """Return whether every JSON value fits a sound schema. False where it is unsure. `keywords` are
    those that decide.
    """
    if not isinstance(schema, Mapping):
        return schema is True
    return all(_refuses_nothing(keyword, value, keywords) for keyword, value in schema.items())


def _refuses_nothing(keyword: str, value: Any, keywords: Collection[str]) -> bool:
    if keyword in _MINIMA:
        return bool(value == 0)
    if keyword in ("required", "uniqueItems"):
        return not value
    if keyword in (*_OF_ALL_PARTS, *_OF_ONE_PART):
        return all(accepts_everything(part, keywords) for part in _parts(keyword, value))
    if keyword == "anyOf":
        return any(accepts_everything(part, keywords) for part in _parts(keyword, value))
    # What a format means is for the reader: nothing is checked by it.
    return keyword == "format" or keyword not in keywords


def misspelled_keyword(schema: Any, keywords: Collection[str]) -> tuple[str, str] | None:
    """A word in a schema that means nothing, and the keyword that it nearly is."""
    if not isinstance(schema, Mapping):
        return None
    for word, value in schema.items():
        if word not in keywords and word not in _NOTES:
            near = difflib.get_close_matches(word, keywords, n=1, cutoff=0.75)
            if near:
                return word, near[0]
        for part in _parts(word, value):
            if found := misspelled_keyword(part, keywords):
                return found
    return None


def _parts(keyword: str, value: Any) -> Iterator[Any]:
    """The schemas within a schema under this keyword."""
    if keyword not in (*_OF_ALL_PARTS, *_OF_ONE_PART, *_OTHERS_WITH_PARTS):
        return
    if isinstance(value, list):
        yield from value
    elif keyword in ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"):
        yield from value.values()
    else:
        yield value
