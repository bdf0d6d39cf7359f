"""docs/reliability.md names for every promise a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.findall(r"`(tests/[a-z_/]+\.py)::(\w+)`", PAGE)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_every_promise_names_a_test() -> None:
    table = PAGE.partition("| promise | proved by |\n| --- | --- |\n")[2].splitlines()
    promises = [line for line in table if line.startswith("|") and not line.startswith("| **")]
    assert len(promises) > 30
    assert [line for line in promises if not re.search(r"`tests/[a-z_/]+\.py::\w+`", line)] == []
