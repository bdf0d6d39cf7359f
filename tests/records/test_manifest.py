"""The description of a run, read and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from manifests import a_manifest

from harness.records.manifest import (
    RUN_FILE,
    AskedEndpoint,
    TopicFile,
    read_manifest,
    session_begun,
)

RUNS = sorted((Path(__file__).parents[1] / "data" / "runs").glob("*/run.json"))


@pytest.mark.parametrize("run", RUNS, ids=lambda path: path.parent.name)
def test_what_is_read_is_written_as_it_was_to_the_byte(run: Path, tmp_path: Path) -> None:
    read_manifest(run.parent).write(tmp_path)
    assert (tmp_path / RUN_FILE).read_bytes() == run.read_bytes()


def test_a_change_keeps_the_order_of_the_fields_and_those_that_nobody_knows(
    tmp_path: Path,
) -> None:
    known = a_manifest(status="running", of_tomorrow=[1])
    known.changed({"status": "complete", "journal": {"cost": 0.5}}).write(tmp_path)

    found = read_manifest(tmp_path)
    assert (found.status, found.journal) == ("complete", {"cost": 0.5})
    assert list(json.loads((tmp_path / RUN_FILE).read_text())) == [*known.json, "journal"]


def test_a_run_of_the_first_version_has_a_value_for_each_field_that_came_later() -> None:
    found = a_manifest(dataset={"topics": 3, "path": "/a.jsonl"}, identity={"endpoint": "mock"})
    assert found.dataset == TopicFile(topics=3, path="/a.jsonl")
    assert found.endpoints == {"": AskedEndpoint(endpoint="mock")}
    assert (found.session_log, found.sessions_begun, found.wall_s) == ((), (), None)
    assert (found.created_at, found.workflow_sha256, found.harness_version) == (None, None, None)


def test_a_session_that_begins_is_noted_with_the_copy_of_what_was_piped_in() -> None:
    piped = a_manifest(dataset={"topics": 1, "path": "-", "kept": None, "later": True})
    first = session_begun(piped, {"session": 1}, kept="dataset.jsonl")
    second = session_begun(first, {"session": 2}, kept=None)
    assert second.dataset.kept == "dataset.jsonl"
    assert second.json["dataset"]["later"]
    assert second.sessions_begun == ({"session": 1}, {"session": 2})
    assert piped.sessions_begun == ()


def test_the_endpoints_are_told_by_name_the_runs_own_first() -> None:
    told = {
        "mock": {"endpoint": "mock", "steps": []},
        "local": {"endpoint": "http://127.0.0.1:1/v1", "steps": ["plan"], "asked": False},
    }
    found = a_manifest(endpoints=told)
    assert list(found.endpoints.items()) == [
        ("mock", AskedEndpoint(endpoint="mock")),
        (
            "local",
            AskedEndpoint(endpoint="http://127.0.0.1:1/v1", steps=("plan",), asked=False),
        ),
    ]
