"""ARCHITECTURE.md tells the truth: its layers are those of the import contract, and each file that
it names exists.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "harness"
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SUFFIXES = (".py", ".toml", ".md", "/")


def first_cells(heading: str) -> list[str]:
    """The first cell of each row of the table under a heading of the page, without its marks."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [
        re.split(r"(?<!\\)\|", row)[1].strip().replace("`", "").replace("\\|", "|")
        for row in rows[2:]
    ]


def contract(name: str) -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers: list[str] = next(one["layers"] for one in contracts if one["id"] == name)
    return layers


def files_named(text: str) -> list[str]:
    """What is written as code and looks like a file or a folder."""
    return [name for name in re.findall(r"`([\w./]+)`", text) if name.endswith(SUFFIXES)]


def files_where_things_are_decided() -> list[str]:
    return files_named(PAGE.partition("\n## Where things are decided\n")[2])


def test_the_table_of_layers_is_the_import_contract() -> None:
    assert first_cells("Layers") == contract("layers")


def test_every_module_of_the_package_is_in_a_layer() -> None:
    named = {name for row in first_cells("Layers") for name in row.split(" | ")}
    modules = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    # The package's own files: its face, its start and its number.
    assert modules - {"__init__", "__main__", "_version"} == named


def test_each_question_names_a_file() -> None:
    assert len(first_cells("Where things are decided")) > 30
    assert len(files_where_things_are_decided()) >= len(first_cells("Where things are decided"))


@pytest.mark.parametrize("name", sorted(set(files_named(PAGE))))
def test_every_file_that_the_page_names_exists(name: str) -> None:
    assert (PACKAGE / name).exists() or (ROOT / name).exists()
