"""A workflow with a mistake in it: the run stops, its files tell where, and a mended one goes on
from the cache.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batches import a_topic_file, journaled, manifest_of, rows_of, run

pytestmark = pytest.mark.harness_virtual_time

BROKEN = """\
from beside_the_flow import last_word


async def flow(step, topic):
    answer = await step.complete("ask", topic.text)
    return last_word(answer.content, topic)
"""
HELPER = """\
def last_word(text, topic):
    return text.split()[10_000]  # {}
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "flow.py").write_text(BROKEN)
    (tmp_path / "beside_the_flow.py").write_text(HELPER)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(name: str, text: str) -> None:
    """A new version of a file, as a new process would import it."""
    Path(name).write_text(text)
    sys.modules.pop("beside_the_flow", None)


async def night(tmp_path: Path, **settings: Any) -> Any:
    return await run(
        tmp_path,
        a_topic_file(tmp_path, 300),
        workflow="flow.py:flow",
        latency="fixed:1",
        **settings,
    )


async def test_the_run_stops_for_cause_and_says_where(tmp_path: Path) -> None:
    report = await night(tmp_path)
    assert report.exit_code == 3
    assert (report.totals["failed"], report.unfinished) == (5, 295)
    assert manifest_of(tmp_path)["status"] == "workflow"
    assert (
        report.stop.message
        == "the workflow failed for 5 topics in a row, and nothing has succeeded yet: IndexError"
        " at beside_the_flow.py:2 (return text.split()[10_000]  # {}): list index out of"
        f" range; mend it, then `harness resume {tmp_path}/out`: what was paid comes from the"
        " cache (--max-failures off goes on all the same)"
    )


async def test_the_row_has_the_line_and_rows_of_other_failures_are_as_ever(tmp_path: Path) -> None:
    await night(tmp_path)
    error = rows_of(tmp_path)[0]["error"]
    assert error == {
        "type": "IndexError",
        "kind": None,
        "message": "list index out of range",
        "step": None,
        "status": None,
        "where": "beside_the_flow.py:2",
        "code": "return text.split()[10_000]  # {}",
    }
    await run(
        tmp_path,
        a_topic_file(tmp_path, 1, name="one.jsonl"),
        out=tmp_path / "other",
        attempts=1,
        patience=0.0,
        faults="500=1",
    )
    (tmp_path / "out").rename(tmp_path / "first")
    (tmp_path / "other").rename(tmp_path / "out")
    assert list(rows_of(tmp_path)[0]["error"]) == ["type", "kind", "message", "step", "status"]


async def test_mended_it_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    await night(tmp_path)
    paid = journaled(tmp_path, "stored")
    write("beside_the_flow.py", "def last_word(text, topic):\n    return text.split()[-1]\n")
    report = await night(tmp_path)
    assert (report.totals["ok"], report.exit_code) == (300, 0)
    assert journaled(tmp_path, "stored") == 300
    assert paid < 300


async def test_a_run_that_is_resumed_unmended_stops_again(tmp_path: Path) -> None:
    await night(tmp_path)
    report = await night(tmp_path)
    assert (report.exit_code, report.totals["failed"], report.unfinished) == (3, 5, 295)


async def test_switched_off_every_topic_has_its_row(tmp_path: Path) -> None:
    report = await night(tmp_path, max_failures="off")
    assert (report.exit_code, report.totals["failed"], report.unfinished) == (1, 300, 0)


FOR_SOME = """\
async def flow(step, topic):
    answer = await step.complete("ask", topic.text)
    if topic.index < 20:
        raise KeyError(topic.id)
    return answer.content
"""


async def test_topics_that_fail_again_do_not_stop_a_run_whose_code_has_brought_results(
    tmp_path: Path,
) -> None:
    write("flow.py", FOR_SOME)
    first = await night(tmp_path, max_failures="off")
    assert (first.totals["ok"], first.totals["failed"]) == (280, 20)
    again = await night(tmp_path)
    assert (again.stop, again.totals["failed"], again.exit_code) == (None, 20, 1)


async def test_code_that_was_changed_since_has_brought_no_result_yet(tmp_path: Path) -> None:
    write("flow.py", FOR_SOME)
    await night(tmp_path, max_failures="off")
    write("flow.py", FOR_SOME.replace("topic.index < 20", "True"))
    again = await night(tmp_path)
    assert (again.exit_code, again.totals["ok"], again.totals["failed"]) == (3, 280, 20)


async def test_a_key_in_the_message_or_the_line_is_masked(tmp_path: Path) -> None:
    key = "sk-0123456789abcdef"
    (tmp_path / ".env").write_text(f"HARNESS_API_KEY={key}\n")
    write("flow.py", f'async def flow(step, topic):\n    raise ValueError("refused: {key}")\n')
    server: dict[str, Any] = {"endpoint": None, "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    report = await run(tmp_path, a_topic_file(tmp_path, 9), workflow="flow.py:flow", **server)
    error = rows_of(tmp_path)[0]["error"]
    assert (error["message"], error["code"]) == ("refused: ***", 'raise ValueError("refused: ***")')
    assert report.stop is not None
    assert key not in report.stop.message
    assert files_with(key, tmp_path) == []


def files_with(text: str, directory: Path) -> list[str]:
    """The files of a run, and its cache, in which this stands."""
    files = [file for file in directory.rglob("*") if file.suffix in (".json", ".jsonl", ".db")]
    assert len(files) >= 4
    return [file.name for file in files if text.encode() in file.read_bytes()]
