"""The example of docs/workflows.md, as a reader would copy it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import harness

PAGE = Path(__file__).parent.parent.parent / "docs" / "workflows.md"


def test_the_documented_workflow_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert [name for name, _ in files] == ["compare.py", "compare.toml"]
    for name, text in files:
        Path(name).write_text(text)
    Path("topics.txt").write_text("Should a small team use one repository or many?\n")
    report = harness.run_sync(
        "topics.txt", workflow="compare.py:compare", endpoint="mock", out="done"
    )
    assert report.totals["ok"] == 1
    [row] = harness.read_results(Path("done"))
    assert len(row["sections"]) >= 2
    assert {span["step"] for span in harness.read_spans(Path("done"))} == {
        "options",
        "weigh",
        "recommend",
    }


def test_every_other_block_of_the_page_is_python_too() -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        compile(
            f"async def _():\n{re.sub('^', '    ', block, flags=re.MULTILINE)}", str(PAGE), "exec"
        )
