from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.text.safe import json_safe, one_line, terminal_safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nover lines", "plain\ttext\nover lines"),
        ("Windows\r\nlines", "Windows\nlines"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]8;;http://evil\x07", "\\x1b]8;;http://evil\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("\x7f\x00\x08", "\\x7f\\x00\\x08"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("a\u2028b", "a\\u2028b"),
        ("half \ud83d", "half \\ud83d"),
        ("天空 é 🌍", "天空 é 🌍"),
    ],
)
def test_what_commands_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert terminal_safe(text) == shown


def test_one_line_folds_and_cuts() -> None:
    assert one_line("a\n\n b\tc") == "a b c"
    assert one_line("x" * 30, 10) == "x" * 9 + "…"


@given(st.text(st.characters()))
def test_nothing_but_tabs_and_line_feeds_commands_after_it(text: str) -> None:
    assert not [
        c for c in terminal_safe(text) if c not in "\t\n" and (ord(c) < 32 or 127 <= ord(c) < 160)
    ]


@given(
    st.recursive(
        st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_safe_json_means_the_same_and_commands_nothing(value: object) -> None:
    text = json_safe(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(text) == value
    text.encode("utf-8")
    assert not [c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]
