"""A document as plain text: what a pipe, a file and a log get."""

from __future__ import annotations

import io

import pytest

from harness.diffs.words import diff_words
from harness.render.document import (
    Block,
    Code,
    Diff,
    Field,
    Fields,
    Fold,
    Heading,
    Line,
    Lines,
    Table,
    paragraph,
)
from harness.render.markdown import markdown
from harness.render.plain import plain, plain_lines
from harness.render.terminal import show

TABLE = Table(columns=("step", "calls"), rows=(("plan", "1"), ("答える", "1,000")))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_parts_stand_apart_and_statements_below_their_heading() -> None:
    blocks: list[Block] = [
        Heading(level=1, text="Report"),
        Lines(lines=("one", Line("two", "bad"))),
        paragraph("in words"),
        Heading(level=2, text="Part"),
        Lines(lines=("three",)),
    ]
    assert plain(blocks) == "Report\n  one\n  two\n\nin words\n\nPart\n  three\n"


def test_columns_are_as_wide_as_their_widest_cell_on_a_terminal() -> None:
    assert plain([TABLE]) == "step    calls\nplan        1\n答える  1,000\n"


def test_a_table_may_have_least_widths_and_a_narrow_terminal_leaves_them_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = Table(columns=("step", "calls"), rows=(("plan", "1"),), least=(8, 10))
    assert plain([table]) == "step           calls\nplan               1\n"
    monkeypatch.setenv("NO_COLOR", "1")
    for columns, row in (("80", "plan               1"), ("16", "plan      1")):
        monkeypatch.setenv("COLUMNS", columns)
        terminal = Terminal()
        show([table], terminal)
        assert row in [line.rstrip() for line in terminal.getvalue().splitlines()]


def test_a_narrow_terminal_folds_numbers_and_cuts_no_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = Table(
        title="t",
        columns=("arm", "step", "wait"),
        rows=(("batch-1024", "synthesize", "1000.5 / 2000.5 / 3000.5"),),
        texts=2,
    )
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    shown = Terminal()
    show([table], shown)
    assert "batch-1024" in shown.getvalue()
    assert "synthesize" in shown.getvalue()
    assert "…" not in shown.getvalue()
    assert {"1000.5", "2000.5", "3000.5"} <= set(shown.getvalue().split())


def test_a_table_may_have_a_title() -> None:
    table = Table(title="Steps", columns=("step", "calls"), rows=(("plan", "1"),))
    assert plain([table]) == "Steps\nstep  calls\nplan      1\n"
    assert markdown([table]) == "**Steps**\n\n| step | calls |\n| --- | ---: |\n| plan | 1 |\n"


FIELDS = Fields(
    fields=(
        Field("failed", "3 × server 500\nwith two lines", ("  → wait",)),
        Field("", "of the budget"),
        Field("look", "harness show results/night", whole=True),
    )
)


def test_the_texts_of_fields_stand_under_each_other() -> None:
    assert plain([FIELDS]) == (
        "failed    3 × server 500\n"
        "          with two lines\n"
        "            → wait\n"
        "          of the budget\n"
        "look      harness show results/night\n"
    )
    long = Fields(fields=(Field("a", "b"), Field("a longer label", "c")))
    assert plain([long]) == "a               b\na longer label  c\n"


def test_fields_are_a_list_in_markdown() -> None:
    assert markdown([FIELDS]) == (
        "- failed: 3 × server 500 with two lines\n"
        "  - → wait\n"
        "- of the budget\n"
        "- look: harness show results/night\n"
    )


def test_a_change_is_marked_and_indented_below_its_title() -> None:
    pieces = diff_words("a quick fox\n\nends", "a slow fox\n\nends").pieces()
    assert (
        plain([Diff(title="answer", pieces=pieces)])
        == "  answer:\n    a [-quick-]{+slow+} fox\n\n    ends\n"
    )


def test_a_quoted_text_has_a_bar_before_each_line_and_says_what_is_left_out() -> None:
    code = Code(text="::error::x\nb\nc\nd", most_lines=2)
    assert plain([code]) == "    | ::error::x\n    | b\n    … and 2 lines more\n"
    assert markdown([code]) == "```text\n::error::x\nb\nc\nd\n```\n"


def test_a_fold_shows_all_that_is_in_it() -> None:
    fold = Fold(summary="why <b>", blocks=(Lines(lines=("this",)), Code(text="that")))
    assert plain([fold]) == "  why <b>\n  this\n    | that\n"
    assert markdown([fold]) == (
        "<details><summary>why &lt;b&gt;</summary>\n\n- this\n\n```text\nthat\n```\n\n</details>\n"
    )


@pytest.mark.parametrize(
    "block",
    [
        Heading(level=1, text="\x1b[2J"),
        paragraph("\x1b[2J"),
        Lines(lines=("\x1b[2J",)),
        Fields(fields=(Field("\x1b[2J", "\x1b[2J", ("\x1b[2J",)),)),
        Table(columns=("\x1b[2J",), rows=(("\x1b[2J",),), title="\x1b[2J"),
        Diff(title="\x1b[2J", pieces=diff_words("", "\x1b[2J").pieces()),
        Code(text="\x1b[2J"),
        Fold(summary="\x1b[2J", blocks=(paragraph("\x1b[2J"),)),
    ],
)
def test_no_block_commands_a_terminal(block: Block) -> None:
    for shown in (plain([block]), markdown([block])):
        assert "\x1b" not in shown
        assert "x1b" in shown


def test_lines_keep_their_tones() -> None:
    blocks: list[Block] = [
        Heading(level=1, text="all is well", tone="good"),
        Lines(lines=(Line("why", "faint"),)),
    ]
    assert list(plain_lines(blocks)) == [Line("all is well", "good"), Line("  why", "faint")]


def test_a_pipe_gets_plain_text_and_a_terminal_the_same_words_in_colours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    blocks: list[Block] = [Heading(level=1, text="bad news", tone="bad"), TABLE]
    pipe, terminal = io.StringIO(), Terminal()
    show(blocks, pipe)
    show(blocks, terminal)
    assert pipe.getvalue() == plain(blocks)
    assert "\x1b[1;31mbad news\x1b[0m\n" in terminal.getvalue()
    assert "答える" in terminal.getvalue()
