"""Writes the table of the forms into docs/servers.md: `python tests/wire/write_table.py`."""

from __future__ import annotations

from pathlib import Path

from wire_forms import BEGIN, END, table_of

from harness.testing.deepseek.forms import all_forms

PAGE = Path(__file__).parents[2] / "docs" / "servers.md"


def main() -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{table_of(all_forms())}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
