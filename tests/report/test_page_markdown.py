from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.markdown import ELEMENTS, Node, tree_of


def elements(tree: list[Node]) -> Iterator[list[Node]]:
    for node in tree:
        if isinstance(node, list):
            yield node
            yield from elements(node[1:])


def texts(tree: list[Node]) -> str:
    return "".join(
        node if isinstance(node, str) else texts(node[2:] if node[0] == "a" else node[1:])
        for node in tree
    )


def test_markdown_becomes_elements() -> None:
    tree = tree_of(
        "# On it\n\nIt is **so** and `that`.\n\n- one\n- two\n\n| a | b |\n| :- | -: |\n| 1 | 2 |\n"
    )
    assert tree[0] == ["h1", "On it"]
    assert tree[1] == ["p", "It is ", ["strong", "so"], " and ", ["code", "that"], "."]
    assert tree[2] == ["ul", ["li", "one"], ["li", "two"]]
    assert tree[3] == [
        "table",
        ["thead", ["tr", ["th", "a"], ["th", "b"]]],
        ["tbody", ["tr", ["td", "1"], ["td", "2"]]],
    ]


def test_code_keeps_its_text() -> None:
    assert tree_of("```js\n<script>alert(1)</script>\n```\n") == [
        ["pre", "<script>alert(1)</script>\n"]
    ]


def test_a_link_to_the_web_stays_a_link() -> None:
    assert tree_of("[see](https://example.org/a?b=1)") == [
        ["p", ["a", "https://example.org/a?b=1", "see"]]
    ]


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "&#106;avascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//example.org",
        "/somewhere",
        "#topic=other",
    ],
)
def test_a_link_to_anything_else_is_its_text(address: str) -> None:
    tree = tree_of(f"[see]({address}) ![pic]({address}) <{address}>")
    assert [node for node in elements(tree) if node[0] == "a"] == []
    assert "see" in texts(tree)


def test_html_is_shown_as_the_text_that_it_is() -> None:
    tree = tree_of("<img src=x onerror=alert(1)>\n\nand <b onclick=x>bold</b>")
    assert {node[0] for node in elements(tree)} == {"p"}
    assert "<img src=x onerror=alert(1)>" in texts(tree)


def test_a_picture_is_its_description() -> None:
    assert tree_of("![a cat](https://example.org/cat.png)") == [["p", "a cat"]]


def test_a_text_that_nobody_reads_is_not_parsed() -> None:
    huge = "# " + "x" * 400_000
    assert tree_of(huge) == [["pre", huge]]


@given(st.text(st.sampled_from("<>[]()!*_`#|-:\\\"'&;/ \nabjsrcipt:htps0"), max_size=120))
def test_nothing_but_harmless_elements_comes_out(text: str) -> None:
    for element in elements(tree_of(text)):
        assert element[0] in ELEMENTS
        if element[0] == "a":
            assert str(element[1]).partition(":")[0].lower() in ("http", "https", "mailto")
