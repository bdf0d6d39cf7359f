"""A model's Markdown as a tree of harmless elements, from which the page builds its nodes one by
one.

No HTML is made of what a model wrote, here or in the page: a text stays a text, an element is one
of `ELEMENTS` without attributes, but for a link, whose address is of http, https or mailto. Raw
HTML is shown as the text that it is; of a picture its description is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Node: TypeAlias = str | list["Node"]
"""A text, or an element: its name (of a link `a` and the address), then its nodes."""

ELEMENTS = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote", "hr",
     "br", "table", "thead", "tbody", "tr", "th", "td", "a"}
)  # fmt: skip
_SCHEMES = {"http", "https", "mailto"}
_LONGEST = 400_000
"""Characters from which on a text is shown as it is: nobody reads that much, and parsing it takes a
second.
"""


def tree_of(text: str) -> list[Node]:
    """The nodes of a text, which was made safe for a terminal before."""
    if len(text) > _LONGEST:
        return [["pre", text]]
    return _nested(_parser().parse(text))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - start-up that only a report needs

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return parser.disable(["html_block", "html_inline"])


def _nested(tokens: Iterable[Token]) -> list[Node]:
    root: list[Node] = []
    open_nodes = [root]
    for token in tokens:
        here = open_nodes[-1]
        if token.nesting == 1:
            node = _element(token)
            if node is None:  # what is not known is left out, and its content stays
                open_nodes.append(here)
            else:
                here.append(node)
                open_nodes.append(node)
        elif token.nesting == -1:
            open_nodes.pop()
        elif token.type == "inline":
            here.extend(_nested(token.children or ()))
        else:
            here.extend(_leaf(token))
    return root


def _element(token: Token) -> list[Node] | None:
    if token.hidden or token.tag not in ELEMENTS:
        return None
    if token.tag != "a":
        return [token.tag]
    address = str(token.attrs.get("href", ""))
    return ["a", address] if is_harmless(address) else None


def _leaf(token: Token) -> list[Node]:
    match token.type:
        case "softbreak":
            return ["\n"]
        case "hardbreak":
            return [["br"]]
        case "hr":
            return [["hr"]]
        case "code_inline":
            return [["code", token.content]]
        case "fence" | "code_block":
            return [["pre", token.content]]
        case "image":
            return [token.content or "(a picture)"]
    return [token.content] if token.content else []


def is_harmless(address: str) -> bool:
    """Return whether a link may lead there."""
    try:
        return urlsplit(address).scheme.lower() in _SCHEMES
    except ValueError:
        return False
