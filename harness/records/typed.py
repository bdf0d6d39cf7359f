"""Values of the domain out of JSON, by their own types: the frozen dataclass is the description of
its form.

A field that has a default may be missing, an unknown field is passed over, and a wrong type is
refused by name: the rule of docs/formats.md. pydantic's core does the work, in one pass from the
bytes of a line. Its own reading of annotations is not used: it would need pydantic in `domain`, for
answerers, a token's bytes and the recursive `Json`.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

T = TypeVar("T")

Special = Mapping[Any, Callable[[Any], Any]]
"""Types whose JSON is not their fields, with what makes them of it."""

Unread = Mapping[type, Collection[str]]
"""Fields, by the type that has them."""


class TypedReader(Generic[T]):
    """Reads values of one dataclass.

    `special` are types that are made by a function, `named` the fields that JSON calls otherwise,
    `unread` the fields of a type that JSON does not hold: they have their default, whatever a text
    says of them. A field that no type knows is passed over; with `closed` one of the outermost type
    is refused.
    """

    def __init__(
        self,
        kind: type[T],
        *,
        special: Special | None = None,
        named: Mapping[str, str] | None = None,
        unread: Unread | None = None,
        closed: bool = False,
    ) -> None:
        def validator(text: CoreSchema) -> SchemaValidator:
            schemas = _Schemas(
                special or {}, named or {}, unread or {}, text, closed=kind if closed else None
            )
            return SchemaValidator(schemas.of(kind))

        self._from_text = validator(core_schema.str_schema(strict=True))
        # Half a surrogate pair is no text to pydantic, and may stand in a prompt: the slow way
        # takes it, too.
        self._from_value = validator(core_schema.is_instance_schema(str))

    def of_line(self, line: bytes) -> T:
        """The value in a line of JSON. Raises ValueError, naming the field, where it is none."""
        try:
            value: T = self._from_text.validate_json(line)
        except ValidationError:
            return self.of_value(json.loads(line))
        return value

    def of_value(self, value: Any) -> T:
        """The same of JSON that was decoded. Raises ValueError, naming the field, where it is
        none.
        """
        try:
            found: T = self._from_value.validate_python(value)
        except ValidationError as error:
            raise ValueError(_words_of(error)) from None
        return found


def moment(text: Any) -> datetime:
    """Return the instant that a text of JSON names, for `special`. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("a time of day must be a text")  # noqa: TRY004 - what is wrong is a value of JSON
    return datetime.fromisoformat(text)


class _Schemas:
    """Our types as schemas of pydantic's core."""

    def __init__(
        self,
        special: Special,
        named: Mapping[str, str],
        unread: Unread,
        text: CoreSchema,
        *,
        closed: type | None,
    ) -> None:
        self._special = special
        self._named = named
        self._unread = unread
        self._closed = closed
        number = [core_schema.int_schema(strict=True), core_schema.float_schema(strict=True)]
        self._plain: dict[Any, CoreSchema] = {
            str: text,
            int: core_schema.int_schema(strict=True),
            bool: core_schema.bool_schema(strict=True),
            # 0 stays 0, so that what is written again is the same text.
            float: core_schema.union_schema(
                [*number],
                mode="left_to_right",
                custom_error_type="number",
                custom_error_message="must be a number",
            ),
            Any: core_schema.any_schema(),
            # The bytes of an image are kept nowhere.
            bytes: core_schema.is_instance_schema(bytes),
        }

    def of(self, kind: Any) -> CoreSchema:
        if kind in self._special:
            return core_schema.no_info_plain_validator_function(self._special[kind])
        if kind in self._plain:
            return self._plain[kind]
        if is_dataclass(kind):
            return self._of_dataclass(kind)
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Literal:
            return core_schema.literal_schema([*parts])
        if origin is tuple:
            return core_schema.tuple_schema([self.of(parts[0])], variadic_item_index=0)
        if origin in (Union, types.UnionType):
            return self._of_union(parts)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return core_schema.dict_schema(self.of(parts[0]), self.of(parts[1]))
        raise TypeError(f"no JSON is known for {kind!r}")

    def _of_union(self, parts: tuple[Any, ...]) -> CoreSchema:
        some = [self.of(part) for part in parts if part is not type(None)]
        whole = (
            some[0] if len(some) == 1 else core_schema.union_schema([*some], mode="left_to_right")
        )
        return core_schema.nullable_schema(whole) if type(None) in parts else whole

    def _of_dataclass(self, kind: Any) -> CoreSchema:
        # `Json` is whatever JSON holds, and describes itself without end.
        hints = get_type_hints(kind, localns={"Json": Any})
        unread = self._unread.get(kind, ())
        known = [
            self._of_field(field, hints[field.name], field.name not in unread)
            for field in fields(kind)
        ]
        beyond: Literal["forbid", "ignore"] = "forbid" if kind is self._closed else "ignore"
        return core_schema.dataclass_schema(
            kind,
            core_schema.dataclass_args_schema(kind.__name__, known, extra_behavior=beyond),
            [field.name for field in fields(kind)],
            post_init=hasattr(kind, "__post_init__"),
            slots=hasattr(kind, "__slots__"),
        )

    def _of_field(self, field: Field[Any], hint: Any, read: bool) -> core_schema.DataclassField:
        schema = self.of(hint) if read else core_schema.any_schema()
        if field.default is not MISSING:
            schema = core_schema.with_default_schema(schema, default=field.default)
        elif field.default_factory is not MISSING:
            schema = core_schema.with_default_schema(schema, default_factory=field.default_factory)
        name = self._named.get(field.name)
        return core_schema.dataclass_field(
            field.name, schema, validation_alias=name, init=field.init and read
        )


def _words_of(error: ValidationError) -> str:
    """The first thing that is wrong: `served.latency_s: Input should be a valid number`."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = _SAID.get(first["type"], first["msg"])
    return f"{where}: {said}" if where else said


# In place of pydantic's words, which speak of Python.
_SAID = {
    "missing": "is missing",
    "unexpected_keyword_argument": "is not known",
    "tuple_type": "must be a list",
    "dataclass_type": "must be an object",
    "dict_type": "must be an object",
    "is_instance_of": "must be a text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
}
