"""The golden file: read, written, accepted, and what a reviewer sees of a change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regress_cases import FakeMiss, a_call, a_case, a_suite

from harness.domain.run import drawn_id
from harness.errors import SuiteError
from harness.regress.checks.golden import (
    Accepted,
    Golden,
    golden_diff,
    golden_text,
    read_golden,
    write_golden,
)
from harness.regress.suites.accepting import accept, gone

BOTH = "[[check]]\nequals_golden = true\n[[check]]\nstep = 'ask'\nequals_golden = true\n"
OUTPUT = "[[check]]\nequals_golden = true\n"


def of_output(output: Any, **calls: str) -> Accepted:
    return Accepted(output=output, has_output=True, calls=calls)


def test_the_file_shows_texts_line_by_line_and_topics_in_order(tmp_path: Path) -> None:
    golden = Golden(
        draws={"zebra": of_output("one line", ask="a\nb"), "ant": of_output("first\n\nthird\n")}
    )
    assert (
        golden_text(golden) == "{\n"
        ' "golden": 1,\n'
        ' "topics": {\n'
        '  "ant": {\n'
        '   "output": [\n'
        '    "first",\n'
        '    "",\n'
        '    "third",\n'
        '    ""\n'
        "   ]\n"
        "  },\n"
        '  "zebra": {\n'
        '   "output": "one line",\n'
        '   "calls": {\n'
        '    "ask": [\n'
        '     "a",\n'
        '     "b"\n'
        "    ]\n"
        "   }\n"
        "  }\n"
        " }\n"
        "}\n"
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
LINES = st.text(alphabet="ab\n\r\u2028\x1b\"'[]", max_size=20)
ACCEPTED = st.builds(of_output, JSON | LINES) | st.builds(
    lambda calls: Accepted(calls=calls), st.dictionaries(st.text(max_size=4), LINES, max_size=3)
)


@given(st.dictionaries(st.text(max_size=6), ACCEPTED, max_size=4))
def test_what_is_written_is_read_again_exactly(
    tmp_path_factory: pytest.TempPathFactory, draws: dict[str, Accepted]
) -> None:
    path = tmp_path_factory.getbasetemp() / "golden.json"
    write_golden(path, Golden(draws=draws))
    assert read_golden(path) == Golden(draws=draws)
    assert golden_text(read_golden(path)) == path.read_text()


def test_without_a_file_nothing_was_accepted(tmp_path: Path) -> None:
    assert read_golden(tmp_path / "none.json") == Golden()


GOOD = '{\n "golden": 1,\n "topics": {\n  "t": {"output": "a", "calls": {"ask": "b"}}\n }\n}\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ":1: not a golden file: expecting value at column 1; restore it, or remove it and run with --accept"),
        (GOOD.replace(' "topics"', '<<<<<<< ours\n "topics"'), ":3: not a golden file: expecting property name"),
        (GOOD.replace('"output": "a"', '"output": "a", "output": "b"'), ':4: not a golden file: the key "output"'),
        (GOOD.replace("1", "2"), ":1: not a golden file of version 1: field 'golden' is 2"),
        ("[]", ":1: not a golden file of version 1: an array; remove it and run with --accept"),
        (GOOD.replace("topics", "topic"), ":1: must have the fields 'golden' and 'topics', an object, and no other"),
        (GOOD.replace('{"output"', '{"outputs"'), ":4: 't' has an unknown field 'outputs'; there are only 'output'"),
        (GOOD.replace('{"output": "a", "calls": {"ask": "b"}}', "3"), ":4: 't' must be an object of"),
        (GOOD.replace('{"ask": "b"}', "3"), ":4: the calls of 't' must be an object"),
        (GOOD.replace('"b"', '{"value": 3}'), ":4: the answer of 'ask' must be a text, or a list of its lines"),
        (GOOD.replace('"a"', "3"), ":4: expected a text, a list of its lines"),
        (GOOD.replace('"a"', '["one line"]'), ":4: expected a text, a list of its lines"),
        (GOOD.replace('"a"', '["a\\nb", "c"]'), ":4: expected a text, a list of its lines"),
        (GOOD.replace('"a"', '["a", 3]'), ":4: expected a text, a list of its lines"),
        (GOOD.replace('"a"', '{"value": "a"}'), ":4: expected a text, a list of its lines"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_golden_file_is_refused_by_its_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "g.json"
    path.write_text(text)
    with pytest.raises(SuiteError) as refused:
        read_golden(path)
    assert str(refused.value).startswith(f"{path}{problem}")


def test_a_conflict_of_a_merge_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text(GOOD.replace(' "topics"', '<<<<<<< ours\n "topics"'))
    with pytest.raises(
        SuiteError,
        match="resolve the conflict that a merge left, or remove it and run with --accept",
    ):
        read_golden(path)


def test_a_byte_order_mark_and_other_line_ends_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text(GOOD)
    plain = read_golden(path)
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_golden(path) == plain


def test_a_file_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "g.json").write_bytes(b"\xff")
    with pytest.raises(SuiteError, match="the golden file is not UTF-8"):
        read_golden(tmp_path / "g.json")
    with pytest.raises(SuiteError, match="the golden file cannot be read: Is a directory"):
        read_golden(tmp_path)
    with pytest.raises(SuiteError, match="cannot be written"):
        write_golden(tmp_path / "none" / "g.json", Golden())


@given(st.text(max_size=5), st.integers(0, 9), st.integers(0, 9))
def test_draws_of_a_topic_have_names_of_their_own(topic: str, one: int, other: int) -> None:
    assert (drawn_id(topic, one) == drawn_id(topic, other)) == (one == other)
    assert drawn_id(topic, 0) == topic


# Accepting


def test_accepting_takes_what_the_checks_compare_and_nothing_else(tmp_path: Path) -> None:
    calls = [a_call("ask", "one"), a_call("other", "two"), a_call("judge.x/judge", "three")]
    case = a_case("out", calls=calls)

    assert accept(a_suite(tmp_path, BOTH), [case], Golden()).draws == {
        "t": of_output("out", ask="one")
    }
    assert accept(a_suite(tmp_path, OUTPUT), [case], Golden()).draws == {"t": of_output("out")}
    only_step = "[[check]]\nstep = 'ask'\nequals_golden = true\n"
    assert accept(a_suite(tmp_path, only_step), [case], Golden()).draws == {
        "t": Accepted(calls={"ask": "one"})
    }


def test_topics_that_are_gone_are_found_and_dropped(tmp_path: Path) -> None:
    old = Golden(draws={"gone": of_output("x"), "t": of_output("old"), "t#3": of_output("y")})
    cases = [a_case("new"), a_case("newer", sample=1)]
    assert gone(cases, old) == ("gone", "t#3")
    assert accept(a_suite(tmp_path, OUTPUT), cases, old).draws == {
        "t": of_output("new"),
        "t#2": of_output("newer"),
    }


def test_what_could_not_be_looked_at_keeps_what_was_accepted(tmp_path: Path) -> None:
    old = Golden(draws={name: of_output("old") for name in ("failed", "missed", "skipped", "fine")})
    names = ("failed", "missed", "fine", "judged")
    cases = [
        a_case("new", topic_id=name, failed="TopicFailed" if name == "failed" else None)
        for name in names
    ]
    misses = [
        FakeMiss(topic_id="missed"),
        FakeMiss(topic_id="judged", span_id="judge.fair/judge", step="judge"),
    ]

    new = accept(
        a_suite(tmp_path, OUTPUT),
        cases,
        old,
        misses=misses,
        left_out={("skipped", 0): "not recorded"},
    )

    assert {name: accepted.output for name, accepted in new.draws.items()} == {
        "failed": "old",
        "missed": "old",
        "skipped": "old",
        "fine": "new",
        "judged": "new",
    }
    assert gone(cases, old, [("skipped", 0)]) == ()


def test_a_draw_that_could_never_be_looked_at_is_not_accepted(tmp_path: Path) -> None:
    assert accept(a_suite(tmp_path, OUTPUT), [a_case(failed="TopicFailed")], Golden()) == Golden()


def test_the_difference_shows_the_lines_that_change_by_topic() -> None:
    old = Golden(
        draws={"a": of_output("one\ntwo\nthree"), "b": of_output("same"), "c": of_output("gone")}
    )
    new = Golden(
        draws={"a": of_output("one\n2\nthree"), "b": of_output("same"), "d": of_output("new")}
    )
    assert golden_diff(old, new, "g.json").split("\n") == [
        "--- g.json: a (golden)",
        "+++ g.json: a (now)",
        "@@ -2,5 +2,5 @@",
        '  "output": [',
        '   "one",',
        '-  "two",',
        '+  "2",',
        '   "three"',
        "  ]",
        "--- g.json: c (golden)",
        "+++ g.json: c (now)",
        "@@ -1,3 +0,0 @@",
        "-{",
        '- "output": "gone"',
        "-}",
        "--- g.json: d (golden)",
        "+++ g.json: d (now)",
        "@@ -0,0 +1,3 @@",
        "+{",
        '+ "output": "new"',
        "+}",
    ]
    assert golden_diff(old, old, "g.json") == ""


def test_a_long_text_reads_as_its_lines(tmp_path: Path) -> None:
    report = '# Title\n\nA line with "quotes" and 量子.\n'
    write_golden(tmp_path / "g.json", Golden(draws={"t": of_output(report)}))
    text = (tmp_path / "g.json").read_text(encoding="utf-8")
    assert '    "A line with \\"quotes\\" and 量子.",\n' in text
    assert json.loads(text)["topics"]["t"]["output"] == report.split("\n")
