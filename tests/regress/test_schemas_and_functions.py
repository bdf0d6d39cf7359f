"""Expectations that a schema or a function of the user's decides, and what is told of those that
cannot be used.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from regress_cases import HEAD, a_call, a_case, a_suite, checked, message_of

from harness.errors import SuiteError
from harness.regress.checks.expect_schema import FitsSchema, schema_validator
from harness.regress.checks.expectation import Shortfall, View

CASE = a_case(calls=[a_call("ask")])

# JSON schema

INLINE = 'json_schema = { type = "array", items = { type = "string" }, minItems = 2 }'


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('["a", "b"]', None),
        ('Here they are:\n```json\n["a", "b"]\n```', None),
        ('["a"]', "$: ['a'] is too short (minItems 2)"),
        (
            json.dumps(["long " * 50]),
            (
                "$: ['long long long long long long long long long long long ... is too short"
                " (minItems 2)"
            ),
        ),
        ('["a", 2]', "$[1]: 2 is not of type 'string'"),
        ("no JSON here", "no JSON in the text: it held no JSON array or object"),
        ("", "no JSON in the text: it was blank"),
    ],
)
def test_an_answer_fits_a_schema_or_the_place_is_named(
    tmp_path: Path, answer: str, message: str | None
) -> None:
    draw = checked(
        tmp_path, f"{INLINE}\nstep = 'decompose'", a_case(calls=[a_call("decompose", answer)])
    )
    assert (draw.failing[0].shortfall.message if draw.failing else None) == message


def test_what_does_not_fit_is_shown_and_not_all_around_it(tmp_path: Path) -> None:
    [failing] = checked(tmp_path, INLINE, a_case(["a", {"b": 1}, "c"])).failing
    assert (failing.shortfall.expected, failing.shortfall.got) == (
        "$[1]: type string",
        '{\n  "b": 1\n}',
    )


def test_an_output_that_is_no_text_is_held_against_the_schema_as_it_is(tmp_path: Path) -> None:
    assert checked(tmp_path, INLINE, a_case(["a", "b"])).state == "passed"
    assert checked(tmp_path, INLINE, a_case({"a": 1})).state == "failed"


def test_a_schema_may_stand_in_a_file_beside_the_suite(tmp_path: Path) -> None:
    schema = {
        "$defs": {"n": {"type": "integer"}},
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/n"}},
    }
    (tmp_path / "form.json").write_text(json.dumps(schema))
    line = "json_schema = 'form.json'"
    assert checked(tmp_path, line, a_case('{"n": 1}')).state == "passed"
    assert (
        message_of(checked(tmp_path, line, a_case('{"n": "x"}')))
        == "$.n: 'x' is not of type 'integer'"
    )


def test_a_schema_that_turns_in_circles_is_a_failed_check(tmp_path: Path) -> None:
    draw = checked(tmp_path, 'json_schema = { "$ref" = "#" }', a_case("{}"))
    assert message_of(draw).startswith("the schema cannot be followed: RecursionError")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("3", "must be the path of a .json file, or a table"),
        (
            "{ type = 'strin' }",
            "is no JSON schema: $.type: 'strin' is not valid under any of the given schemas",
        ),
        ("{ pattern = '(' }", "is no JSON schema: $.pattern: '(' is not a 'regex'"),
        (
            "{ '$ref' = 'https://example.com/x.json' }",
            "refers to 'https://example.com/x.json', which is not in it",
        ),
        (
            "{ anyOf = [{ '$ref' = 'x.json' }] }",
            "refers to 'x.json', which is not in it; a schema must stand alone",
        ),
        ("{ '$ref' = '#/$defs/none' }", "refers to '#/$defs/none', which is not in it"),
        ("'none.json'", "none.json cannot be read: No such file or directory"),
        ("'latin.json'", "latin.json is not UTF-8: "),
        ("{ title = 'x' }", "all JSON fits it; say what the JSON must be"),
        ("{ tpye = 'array' }", "has a word 'tpye' that means nothing; did you mean 'type'?"),
        ("'torn.json'", "torn.json is not JSON: "),
        ("'list.json'", "list.json holds an array, and a schema is an object"),
    ],
)
def test_a_schema_that_is_none_is_refused_on_its_line(
    tmp_path: Path, value: str, problem: str
) -> None:
    (tmp_path / "torn.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "latin.json").write_bytes(b"\xff")
    with pytest.raises(SuiteError) as refused:
        checked(tmp_path, f"json_schema = {value}", a_case())
    assert str(refused.value).startswith(f"{tmp_path}/suite.toml:6: json_schema = ")
    assert problem in str(refused.value)


def test_without_the_library_for_schemas_the_suite_says_how_to_get_it(tmp_path: Path) -> None:
    a_suite(tmp_path, "[[check]]\ncitations = true\n")
    (tmp_path / "suite.toml").write_text(f"{HEAD}[[check]]\n{INLINE}\n")
    code = (
        "import sys\nsys.modules['jsonschema'] = None\nfrom pathlib import Path\nfrom"
        " harness.errors import SuiteError\nfrom harness.regress.suites.suite_file import"
        f" load_suite\ntry:\n    load_suite(Path({str(tmp_path / 'suite.toml')!r}))\nexcept"
        " SuiteError as error:\n    print(error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert told.startswith(f"{tmp_path}/suite.toml:6: json_schema = ")
    assert told.endswith(
        ": needs the library jsonschema: pip install 'reasoning-harness[schemas]'\n"
    )


def test_a_pattern_within_a_schema_is_stopped_too() -> None:
    schema = schema_validator({"type": "string", "pattern": r"(a+)+$"})
    expectation = FitsSchema(validator=schema, shown="x", most_cpu_s=0.05)
    found = expectation.look(View(case=a_case(json.dumps("a" * 60 + "b"))))
    assert isinstance(found, Shortfall)
    assert (
        found.message
        == "the schema took more than 0.05 s of CPU; a pattern in it backtracks too much"
    )


# Functions

CHECKS = """
def agrees(case):
    return None

def counts(case, call):
    return len(call["content"]) > 3 or f"only {len(call['content'])} characters"

def denies(case):
    return False

def stumbles(case):
    return case.row["nothing"]

def leaves(case):
    raise SystemExit(3)

def mumbles(case):
    return 17

def writes(case, call):
    case.row["output"] = call["content"] = case.calls[0]["content"] = "mine"
    return case.row["output"] == case.calls[0]["content"]

async def waits(case):
    return True
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    (tmp_path / "own_checks.py").write_text(CHECKS)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("agrees", None),
        ("denies", "own_checks.py:denies: returned False"),
        (
            "stumbles",
            "own_checks.py:stumbles: raised KeyError: 'nothing' (own_checks.py:12, in stumbles)",
        ),
        ("leaves", "own_checks.py:leaves: raised SystemExit: 3 (own_checks.py:15, in leaves)"),
        (
            "mumbles",
            (
                "own_checks.py:mumbles: returned 17; it must be True, False, None or a text that"
                " says why"
            ),
        ),
    ],
)
def test_a_function_decides_and_what_it_raises_is_its_verdict(
    functions: Path, name: str, message: str | None
) -> None:
    draw = checked(functions, f"function = 'own_checks.py:{name}'", CASE)
    assert (draw.failing[0].shortfall.message if draw.failing else None) == message


def test_what_a_function_changes_no_other_check_sees(functions: Path) -> None:
    case = a_case("theirs", calls=[a_call("ask", "theirs")])
    assert (
        checked(functions, "function = 'own_checks.py:writes'\nstep = 'ask'", case).state
        == "passed"
    )
    assert (case.row.output, case.calls[0].content) == ("theirs", "theirs")


def test_a_function_for_a_step_is_given_each_call(functions: Path) -> None:
    case = a_case(calls=[a_call("ask", "long enough"), a_call("ask#2", "no")])
    draw = checked(functions, "function = 'own_checks.py:counts'\nstep = 'ask'", case)
    assert [each.checked for each in draw.failing] == ["ask#2"]
    assert message_of(draw) == "own_checks.py:counts: only 2 characters"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("function = 'own_checks.py'", "must be path.py:function or module:function"),
        ("function = 'no_such.py:x'", "there is no such check file"),
        ("function = 'no_such_module_here:x'", "the check cannot be imported: No module named"),
        ("function = 'own_checks.py:agree'", "has no function 'agree'; did you mean 'agrees'?"),
        ("function = 'own_checks.py:waits'", "must be a plain function: def waits(case): ..."),
        ("function = 'own_checks.py:counts'", "must take case: def counts(case): ..."),
        (
            "function = 'own_checks.py:agrees'\nstep = 'ask'",
            "must take case and call: def agrees(case, call): ...",
        ),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_on_its_line(
    functions: Path, line: str, problem: str
) -> None:
    with pytest.raises(SuiteError, match=r"suite\.toml:6: function = ") as refused:
        checked(functions, line, CASE)
    assert problem in str(refused.value)
