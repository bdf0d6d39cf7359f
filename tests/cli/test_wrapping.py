"""Lines on a terminal: wrapped under what they belong to, and whole."""

from __future__ import annotations

import io
import os
import pty

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.render.document import Field, Fields
from harness.render.terminal import columns_of, show
from harness.render.wrapping import wrapped


class Terminal(io.StringIO):
    """A terminal that does not know its width."""

    def isatty(self) -> bool:
        return True


def test_a_line_that_is_too_long_goes_on_under_its_label() -> None:
    assert wrapped("failed    3 × server 500 – the server has no room left for it (tea)", 40, hanging=10) == (
        "failed    3 × server 500 – the server\n"
        "          has no room left for it (tea)"
    )  # fmt: skip


def test_what_stands_behind_an_arrow_stays_behind_it() -> None:
    assert wrapped("            → raise max_tokens for the step, and resume", 40, hanging=10) == (
        "            → raise max_tokens for the\n"
        "              step, and resume"
    )  # fmt: skip


def test_a_line_that_fits_is_left_alone() -> None:
    assert wrapped("a\n  b   c\n", 30, hanging=10) == "a\n  b   c\n"


def test_columns_of_a_table_stay_where_they_are() -> None:
    assert wrapped("ok   t1     3 calls   and then some more words", 34, hanging=5) == (
        "ok   t1     3 calls   and then\n"
        "     some more words"
    )  # fmt: skip


def test_a_path_and_a_command_are_left_whole_to_be_copied() -> None:
    for label in ("results", "continue", "look"):
        command = f"harness resume {'deep/' * 20}out --out x"
        fields = Fields(fields=(Field(label, command, whole=True), Field("note", "why " * 30)))
        shown = Terminal()
        show([fields], shown)
        whole, *wrapped_lines = shown.getvalue().splitlines()
        assert whole == f"{label:<10}{command}"
        assert len(wrapped_lines) == 2
    address = f"see {'http://127.0.0.1:8000/' + 'x' * 60}"
    assert address.split()[1] in wrapped(address, 40, hanging=10).split()


def test_a_script_without_spaces_is_cut_where_the_line_ends() -> None:
    shown = wrapped("failed    1 × bad request 400 – " + "模型不存在" * 12, 40, hanging=10).split(
        "\n"
    )
    assert all(cell_len(line) <= 40 for line in shown)
    assert "".join(line.strip() for line in shown[1:]).count("模") == 12


def test_a_terminal_too_narrow_for_an_indent_gets_the_line_as_it_is() -> None:
    assert (
        wrapped("failed    3 × server 500 – no", 12, hanging=10) == "failed    3 × server 500 – no"
    )


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=300)
)
def test_no_word_is_lost_or_changed(text: str) -> None:
    assert "".join(wrapped(text, 40, hanging=10).split()) == "".join(text.split())


def test_a_pipe_has_no_width_and_a_terminal_has_one() -> None:
    assert columns_of(io.TextIOWrapper(io.BytesIO())) is None
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        assert columns_of(stream) == 80
    os.close(ours)
