"""The expectation that an answer is JSON of a certain form. The library for it is an optional
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.domain.parsing import parse_json
from harness.errors import ParseError
from harness.regress.checks.bounded import MOST_CPU_S, TooSlow, bounded
from harness.regress.checks.cannot_fail import accepts_everything, misspelled_keyword
from harness.regress.checks.expectation import Finding, Shortfall, View
from harness.regress.checks.texts import text_of
from harness.settings.toml_tables import shown

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

EXTRA = "pip install 'reasoning-harness[schemas]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class FitsSchema:
    """It is JSON of this form. A text may have prose around the JSON; an output that is no text is
    taken as it is.
    """

    validator: Validator
    shown: str
    most_cpu_s: float = MOST_CPU_S

    @property
    def wanted(self) -> str:
        return f"fits the JSON schema {self.shown}"

    def look(self, view: View) -> Finding:
        from jsonschema.exceptions import best_match  # noqa: PLC0415 - an optional library
        from referencing.exceptions import Unresolvable  # noqa: PLC0415 - as above

        value = view.value
        if isinstance(value, str):
            try:
                value = parse_json(value)
            except ParseError as error:
                message = f"no JSON in the text: {error}"
                return Shortfall(message=message, expected=self.wanted, got=view.text)
        try:
            found = bounded(
                lambda: best_match(self.validator.iter_errors(value)), most_cpu_s=self.most_cpu_s
            )
        except TooSlow:
            message = (
                f"the schema took more than {self.most_cpu_s:g} s of CPU; a pattern in it"
                " backtracks too much"
            )
            return Shortfall(message=message, expected=self.wanted, got=text_of(value))
        except (Unresolvable, RecursionError) as error:
            message = f"the schema cannot be followed: {type(error).__name__}: {error}"
            return Shortfall(message=f"{message:.300}", expected=self.wanted, got=text_of(value))
        if found is None:
            return None
        return Shortfall(
            message=f"{found.json_path}: {_short(found)}",
            expected=f"{found.json_path}: {found.validator} {text_of(found.validator_value)}",
            got=text_of(found.instance),
        )


def _short(error: ValidationError) -> str:
    """Say what the library says, which may begin with the whole value, and does not tell by which
    bound it is too long.
    """
    whole, said = repr(error.instance), str(error.message)
    if said.startswith(whole):
        said = f"{shown(error.instance)}{said[len(whole) :]}"
    if str(error.validator).startswith(("min", "max")):
        bound = f" ({error.validator} {error.validator_value})"
    else:
        bound = ""
    return f"{said:.300}{bound}"


def schema_validator(schema: dict[str, Any]) -> Validator:
    """Raises ValueError where the library is missing, or the schema is none, says nothing or does
    not stand alone.
    """
    try:
        # An extra that only schemas need.
        from jsonschema.exceptions import SchemaError  # noqa: PLC0415

        # As above.
        from jsonschema.validators import Draft202012Validator, validator_for  # noqa: PLC0415
        from referencing import Registry, Resource  # noqa: PLC0415 - as above
        from referencing.exceptions import Unresolvable  # noqa: PLC0415 - as above
        from referencing.jsonschema import DRAFT202012  # noqa: PLC0415 - as above
    except ImportError as missing:
        raise ValueError(f"needs the library jsonschema: {EXTRA}") from missing
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"is no JSON schema: {error.json_path}: {error.message:.200}") from error
    if wrong := misspelled_keyword(schema, kind.VALIDATORS):
        raise ValueError(f"has a word {wrong[0]!r} that means nothing; did you mean {wrong[1]!r}?")
    if accepts_everything(schema, kind.VALIDATORS):
        raise ValueError(
            "all JSON fits it; say what the JSON must be: its type, its required properties or the"
            " like"
        )
    # An empty registry fetches nothing: a check opens no connection.
    resource: Resource[Any] = Resource.from_contents(schema, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("", resource).crawl()
    for reference in _references(schema):
        try:
            registry.resolver_with_root(resource).lookup(reference)
        except Unresolvable as error:
            raise ValueError(
                f"refers to {reference!r}, which is not in it; a schema must stand alone"
            ) from error
    validator: Validator = kind(schema, registry=registry)
    return validator


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for name, part in schema.items():
            if name == "$ref" and isinstance(part, str):
                yield part
            yield from _references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)
