"""Whatever the text, what is made of it for a place commands nothing there, and says the same."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.text.safe import csv_safe, html_safe, markdown_safe, terminal_safe

HOSTILE = "\\`*_{}[]<>()#&!|~$^-+=:.)0123456789 \t\n\r\x1b\x9b'\"/;ab@\u2028\u202e\uff1d"
texts = st.text() | st.text(st.sampled_from(HOSTILE), max_size=60)


class _Parsed(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said = ""
        self.tags: list[str] = []

    def handle_data(self, data: str) -> None:
        self.said += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.said += "".join(value or "" for _, value in attrs)

    def handle_comment(self, data: str) -> None:
        self.tags.append("!--")

    def handle_decl(self, decl: str) -> None:
        self.tags.append("!")


@given(texts)
@example("<script>alert(1)</script>")
@example('" onmouseover="alert(1)')
@example("&lt;script&gt;")
def test_html_holds_the_text_and_no_tag(text: str) -> None:
    parsed = _Parsed()
    parsed.feed(f'<p>{html_safe(text)}</p><a title="{html_safe(text)}">')
    parsed.close()
    assert parsed.tags == ["p", "a"]
    assert parsed.said == terminal_safe(text) * 2


@given(texts)
@example("# a heading")
@example("![image](https://evil.example/?q=secret)")
@example("a\n===\n- - -\n    code\n1. item\n12) item\n+ item\n> quote")
@example("[ref]: https://evil.example\n\n[ref]")
@example("<img src=x onerror=alert(1)>\n```\ncode")
@example("a  \nb\\")
@example("&copy; &#35;")
def test_markdown_shows_the_text_and_no_markup(text: str) -> None:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown_safe(text))
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    children = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in children} <= {"text", "softbreak", "text_special"}
    shown = "".join("\n" if child.type == "softbreak" else child.content for child in children)
    assert "".join(shown.split()) == "".join(terminal_safe(text).split())


@given(texts)
@example("=cmd|' /C calc'!A0")
@example("\t=1+1")
@example("\r=1+1")
@example(" @SUM(A1)")
@example("\uff1d1+1")
def test_a_cell_is_no_formula_and_reads_back_as_it_was_written(text: str) -> None:
    cell = csv_safe(text)
    written = io.StringIO()
    csv.writer(written).writerow(["id", cell])
    (row,) = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert row == ["id", cell]
    assert cell.removeprefix("'") == terminal_safe(text).removeprefix("'")
    assert not cell.lstrip().startswith(
        ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    )
    assert cell[:1] not in ("\t", "\r", "\n")


@pytest.mark.parametrize("cell", ["plain", "5 apples", "a=b", "", "'quoted'", "a-b"])
def test_a_cell_that_is_no_formula_stays_as_it_is(cell: str) -> None:
    assert csv_safe(cell) == cell
