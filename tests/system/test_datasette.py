"""datasette, in an environment of its own, shows the database of an export."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from environments import environment_with
from exports.runs import a_run_of, odd_topics

from harness.exports.formats import export

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_datasette_shows_tables_views_keys_and_search(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    datasette = (
        environment_with("datasette", ("datasette==0.65.5",), tmp_path_factory.getbasetemp())
        / "datasette"
    )
    database, _ = export(a_run_of(tmp_path / "run", odd_topics()), "sqlite", None, force=False)

    def got(path: str) -> str:
        command = [str(datasette), str(database), "--get", path]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(got(path))
        return found

    home = json.loads(got("/export.json"))
    assert {table["name"] for table in home["tables"] if not table["hidden"]} == {
        "run",
        "topics",
        "calls",
    }
    assert {view["name"] for view in home["views"]} == {
        "reports",
        "steps",
        "failures",
        "attempts_failed",
    }
    assert [
        row["topic_index"] for row in rows("/export/topics.json?_shape=array&_sort=topic_index")
    ] == [0, 1, 2, 3]
    assert [
        row["topic_id"] for row in rows("/export/topics.json?_shape=array&_search=desrever")
    ] == ["t0"]
    (call,) = rows("/export/calls.json?_shape=array&call_id=third&_json=served_failures")
    assert call["served_failures"][0]["kind"] == "rate_limited"
    page = got("/export/calls")
    assert 'href="/export/topics/0"' in page
    assert "<script>alert" not in page
