"""From what stands in a table [[check]] to the expectation that it means."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.domain.strict_json import NotJson, kind_of, loads
from harness.regress.checks.cannot_fail import is_found_everywhere
from harness.regress.checks.expect_amounts import AtMost, CostAtMost
from harness.regress.checks.expect_function import CallsFunction, find_function
from harness.regress.checks.expect_parts import Citations, FinishReason, Questions, Status
from harness.regress.checks.expect_schema import FitsSchema, schema_validator
from harness.regress.checks.expect_texts import Contains, EqualsGolden, Length, Matches, Reasoning
from harness.regress.checks.expectation import Expectation

_PLAIN: Mapping[str, Callable[[Any], Expectation]] = {
    "equals_golden": lambda _: EqualsGolden(),
    "contains": lambda texts: Contains(texts=texts),
    "not_contains": lambda texts: Contains(texts=texts, absent=True),
    "matches": lambda sources: Matches(patterns=_patterns(sources)),
    "not_matches": lambda sources: Matches(patterns=_patterns(sources), absent=True),
    "chars": lambda found: Length(unit="chars", at_least=found.at_least, at_most=found.at_most),
    "words": lambda found: Length(unit="words", at_least=found.at_least, at_most=found.at_most),
    "citations": lambda _: Citations(),
    "questions": lambda found: Questions(at_least=found.at_least, at_most=found.at_most),
    "tokens_at_most": lambda most: AtMost(amount="tokens", most=most),
    "reasoning_tokens_at_most": lambda most: AtMost(amount="reasoning_tokens", most=most),
    "calls_at_most": lambda most: AtMost(amount="calls", most=most),
    "cost_at_most": lambda most: CostAtMost(most=most),
    "finish_reason": lambda reasons: FinishReason(allowed=reasons),
    "reasoning_contains": lambda texts: Reasoning(texts=texts),
    "reasoning_not_contains": lambda texts: Reasoning(texts=texts, absent=True),
    "status": lambda statuses: Status(allowed=statuses),
}


def build(name: str, value: Any, *, beside: Path, of_calls: bool) -> Expectation:
    """The expectation `name = value`; paths in it are from `beside` on. Raises ValueError for one
    that cannot be.
    """
    if name == "function":
        return CallsFunction(
            name=value, function=find_function(value, beside=beside, of_calls=of_calls)
        )
    if name == "json_schema":
        return _schema(value, beside)
    return _PLAIN[name](value)


def _patterns(sources: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(_pattern(source) for source in sources)


def _pattern(source: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            # Of what later versions may read in another way.
            warnings.simplefilter("ignore", FutureWarning)
            pattern = re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{source!r:.60} is no regular expression: {error}") from error
    if is_found_everywhere(pattern):
        raise ValueError(
            f"{source!r:.60} is found in every text, even in one without a word; say what must be"
            " in it"
        )
    return pattern


def _schema(value: Any, beside: Path) -> FitsSchema:
    """Of an inline table, or of the file that a text names."""
    if isinstance(value, str):
        return FitsSchema(validator=schema_validator(_schema_file(beside / value)), shown=value)
    if not isinstance(value, dict):
        raise ValueError("must be the path of a .json file, or a table")  # noqa: TRY004 - bad data, not a bad argument
    return FitsSchema(validator=schema_validator(value), shown="of the suite")


def _schema_file(path: Path) -> dict[str, Any]:
    try:
        schema = loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}") from error
    except NotJson as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise ValueError(f"{path} holds {kind_of(schema)}, and a schema is an object")  # noqa: TRY004 - as above
    return schema
