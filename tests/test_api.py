"""The package as a library."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.errors import DatasetError, RunStopped, SettingsError


@pytest.fixture(autouse=True)
def _an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("topics.txt").write_text("Why is the sky blue?\n")


def test_the_public_names_are_these() -> None:
    assert harness.__all__ == sorted(harness.__all__)
    assert set(dir(harness)) == set(harness.__all__)
    assert 20 <= len(harness.__all__) <= 30


@pytest.mark.parametrize("name", [name for name in harness.__all__ if not name.startswith("__")])
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert (inspect.getdoc(getattr(harness, name)) or "").strip()


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'harness' has no attribute 'rn'"):
        _ = harness.rn


def test_importing_the_package_imports_nothing_slow() -> None:
    code = (
        "import sys, harness; print(sorted({'openai', 'pydantic', 'anyio', 'aiohttp'} &"
        " set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        check=True,
    )
    assert told.stdout == b"[]\n"


async def test_a_batch_runs_with_keywords_for_settings() -> None:
    report = await harness.run("topics.txt", endpoint="mock", out="done", cache="cache.db")
    assert (report.exit_code, report.totals["ok"]) == (0, 1)
    [row] = harness.read_results(Path("done"))
    assert row["topic"] == "Why is the sky blue?"


async def test_one_question_is_streamed_to_whoever_wants_to_see() -> None:
    pieces: list[str] = []
    answer = await harness.ask(
        "Why?", endpoint="mock", on_delta=lambda delta: pieces.append(delta.text)
    )
    assert answer.content
    assert "".join(pieces) == answer.reasoning + answer.content


def test_without_a_loop_the_sync_functions_run_their_own() -> None:
    assert harness.ask_sync("Why?", endpoint="mock").content
    assert harness.run_sync("topics.txt", endpoint="mock", out="done").exit_code == 0


async def test_inside_a_running_loop_the_sync_functions_work_too() -> None:
    loop = asyncio.get_running_loop()
    assert harness.ask_sync("Why?", endpoint="mock").content
    assert harness.run_sync(Path("topics.txt"), endpoint="mock", out="done").exit_code == 0
    assert asyncio.get_running_loop() is loop


@pytest.mark.parametrize(
    ("sync", "function"), [(harness.run_sync, harness.run), (harness.ask_sync, harness.ask)]
)
def test_a_sync_function_takes_what_its_async_one_takes(
    sync: Callable[..., object], function: object
) -> None:
    assert callable(function)
    assert inspect.signature(sync).parameters == inspect.signature(function).parameters


def test_a_sync_function_hands_on_what_it_is_given() -> None:
    pieces: list[str] = []
    answer = harness.ask_sync(
        "Why?", endpoint="mock", cache=None, on_delta=lambda delta: pieces.append(delta.text)
    )
    assert "".join(pieces) == answer.reasoning + answer.content
    with pytest.raises(harness.CompletionError, match="max_tokens=7 was used up"):
        harness.ask_sync("Why?", endpoint="mock", max_tokens=7)
    stopped = harness.Stop()
    stopped.set("interrupted", "told to")
    with pytest.raises(RunStopped, match="told to"):
        harness.run_sync("topics.txt", endpoint="mock", out="done", stop=stopped)


async def test_errors_come_out_as_they_are_in_and_outside_of_a_loop() -> None:
    with pytest.raises(SettingsError, match="did you mean 'mock'"):
        harness.ask_sync("Why?", endpoint="mok")
    with pytest.raises(DatasetError, match=r"nofile\.jsonl"):
        await harness.run("nofile.jsonl", endpoint="mock")


async def test_an_unknown_keyword_suggests_the_nearest_setting() -> None:
    with pytest.raises(SettingsError, match="unknown setting 'in_fligt'; did you mean 'in_flight'"):
        await harness.run("topics.txt", endpoint="mock", in_fligt=3)  # type: ignore[call-arg]
