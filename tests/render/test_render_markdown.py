"""Blocks of a report as Markdown: whatever is in their texts is shown, and nothing of it is
markup.
"""

from __future__ import annotations

import pytest

from harness.diffs.words import Piece, diff_words
from harness.render.document import Block, Diff, Heading, Lines, Table
from harness.render.markdown import markdown


def changed(old: str, new: str) -> Diff:
    return Diff(title="answer", pieces=diff_words(old, new).pieces())


def test_headings_lines_and_tables() -> None:
    blocks: list[Block] = [
        Heading(level=2, text="A part"),
        Lines(lines=("one", "two")),
        Table(columns=("name", "A"), rows=(("calls", "1,234"), ("time", "1.5 s"))),
    ]
    assert (
        markdown(blocks)
        == "## A part\n\n- one\n- two\n\n| name | A |\n| --- | ---: |\n| calls | 1,234 |\n| time |"
        " 1.5 s |\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("a quick fox", "a slow fox", "a <del>quick</del><ins>slow</ins> fox"),
        ("a fox", "a fox jumps", "a fox <ins>jumps</ins>"),
        ("a ", "a", "a<del>·</del>"),
        ("one\n\ntwo", "three", "<del>one</del>\n\n<del>two</del><ins>three</ins>"),
        ("one\ntwo", "three", "<del>one</del>  \n<del>two</del><ins>three</ins>"),
    ],
)
def test_changes_are_tagged_line_by_line(old: str, new: str, shown: str) -> None:
    assert markdown([changed(old, new)]) == f"**answer**\n\n{shown}\n"


def test_what_is_left_out_is_said_without_a_tag() -> None:
    shown = markdown([Diff(title="t", pieces=(Piece(kind="skipped", text="[…9 characters…]"),))])
    assert shown == "**t**\n\n\\[…9 characters…\\]\n"


@pytest.mark.parametrize(
    "text", ["<script>", "[x](http://y)", "# no heading", "| cell |", "\x1b[31mred", "`x`", "1. x"]
)
def test_nothing_in_a_text_is_markup(text: str) -> None:
    blocks: list[Block] = [
        Heading(level=1, text=text),
        Lines(lines=(text,)),
        Table(columns=(text,), rows=((text,),)),
        changed("", text),
    ]
    shown = markdown(blocks)
    assert "<script>" not in shown
    assert "](http" not in shown
    assert "\x1b" not in shown
    assert shown.count("# no heading") == shown.count("\\# no heading")
    assert all(line.count("|") - line.count("\\|") in (0, 2) for line in shown.splitlines())
