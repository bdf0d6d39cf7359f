"""Blocks of a report as Markdown: whatever is in their texts is shown, and nothing of it is
markup.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.diffs.words import Piece, diff_words
from harness.render.document import Block, Diff, Heading, Lines, Table, paragraph
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


@given(st.text("[]():=-+.)$'/1a →–", max_size=12))
@example("[x](/y)")
@example("[x]: /y")
@example("- x")
@example("= x")
@example("1. x")
@example("1)")
def test_what_is_written_as_it_is_has_no_markup(text: str) -> None:
    written = markdown([paragraph(text)])
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(written)
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    children = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in children} <= {"text", "text_special"}
    assert "".join(child.content for child in children) == " ".join(text.split())


@pytest.mark.parametrize(
    "text", ["1.67 [1.60, 1.70]", "$0.0180", "0 (0%)", "9.82 / 11.28", "don't"]
)
def test_a_text_without_markup_stays_readable_in_the_source(text: str) -> None:
    assert markdown([Lines(lines=(text,))]) == f"- {text}\n"
