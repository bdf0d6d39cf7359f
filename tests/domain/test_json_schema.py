"""What is wrong with a JSON schema itself."""

from __future__ import annotations

import pytest

from harness.domain.json_schema import fault_in


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "objekt"}, "type is no type of JSON: 'objekt'; did you mean 'object'?"),
        (
            {"type": 7},
            (
                "type is no type of JSON: 7; JSON has object, array, string, number, integer,"
                " boolean, null"
            ),
        ),
        (
            {"type": "object", "properties": {"a": {"type": "int"}}},
            "properties.a.type is no type of JSON: 'int'; did you mean 'integer'?",
        ),
        (
            {"items": {"anyOf": [{"type": "string"}, {"type": "strin"}]}},
            "items.anyOf[1].type is no type of JSON: 'strin'; did you mean 'string'?",
        ),
        ({"type": ["string", "nul"]}, "type is no type of JSON: 'nul'; did you mean 'null'?"),
        ({"properties": ["a"]}, "properties must be an object"),
        ({"properties": {"a": "string"}}, "properties.a must be a schema, which is an object"),
        ({"required": "a"}, "required must be a list"),
        ({"items": {"anyOf": {}}}, "items.anyOf must be a list"),
        ("object", "it must be a schema, which is an object"),
    ],
)
def test_a_schema_that_is_wrong_in_itself_is_named_with_its_place(
    schema: object, fault: str
) -> None:
    assert fault_in(schema) == fault


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": ["string", "null"], "enum": ["a", None]},
        {
            "type": "object",
            "properties": {"type": {"type": "string"}},
            "required": ["type"],
            "additionalProperties": False,
        },
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": True}}},
        {"items": [{"type": "string"}], "a_word_of_its_own": 7},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
    ],
)
def test_nothing_is_wrong_with_a_schema_that_a_server_may_know(schema: object) -> None:
    assert fault_in(schema) is None
