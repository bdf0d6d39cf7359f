"""llama.cpp's own server, in an environment of its own and with one slot, serves a tiny model that
was made by hand.

The model thinks and answers as `tiny_model` says, so that each answer is known. What is tried here
is the server: how it streams, queues, counts, refuses and holds a model to a grammar.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import run_command
from environments import environment_with, need_time
from foreign_servers import LLAMA_CPP, llama_cpp
from processes import done, ended, rows_of, started, until, write_topics
from tiny_model import ANSWERS, ARRAY, CALL, COUNT, THOUGHT, write_tiny_model

from harness.domain.failures import CompletionError

pytestmark = [pytest.mark.system, pytest.mark.servers, pytest.mark.timeout(600)]

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
ONE_CALL = """
async def ask(step, topic):
    return (await step.complete("ask", topic.text)).content
"""
TWO_TURNS = f"""
from harness import Message, Tool

WEATHER = Tool(name="weather", description="The weather of a city", parameters={SCHEMA!r})


async def ask(step, topic):
    turns = [Message(role="user", content=topic.text)]
    first = await step.complete("first", turns, tools=[WEATHER])
    (call,) = first.tool_calls
    turns += [
        Message(role="assistant", reasoning=first.reasoning, content=first.content, tool_calls=first.tool_calls),
        Message(role="tool", content="rain", tool_call_id=call.id),
    ]
    return (await step.complete("second", turns, tools=[WEATHER])).content
"""


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with("llama.cpp", LLAMA_CPP, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="module")
def server(binaries: Path, model: Path) -> Iterator[str]:
    """The base URL of a server for all tests that need no other."""
    with llama_cpp(binaries, model) as url:
        yield url


@pytest.fixture(autouse=True)
def _an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For commands in this process, as `started` has it for others."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("HARNESS_") and name not in (
            "HARNESS_TEST_ENVS",
            "HARNESS_TEST_OFFLINE",
        ):
            monkeypatch.delenv(name)


def rows(directory: Path, name: str = "results") -> list[dict[str, Any]]:
    path = directory / "out" / f"{name}.jsonl"
    return rows_of(path) if path.exists() else []


def statuses(directory: Path) -> Counter[str]:
    return Counter(row["status"] for row in rows(directory))


def at(url: str) -> tuple[str, ...]:
    return ("--base-url", url, "--model", "tiny.gguf")


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_research_with_default_flags_on_one_slot(
    server: str, tmp_path: Path, how: tuple[str, ...]
) -> None:
    write_topics(tmp_path, 6)
    code, said = done(tmp_path, "run", "topics.jsonl", *at(server), "--out", "out", *how)
    assert code == 0, said
    calls = rows(tmp_path, "traces")
    assert statuses(tmp_path) == {"ok": 6}
    assert len(calls) == 6 * 5
    assert {call["served"]["attempts"] for call in calls} == {1}
    for call in calls:
        assert call["content"] in ((ARRAY,) if call["step"] == "decompose" else ANSWERS)
        assert call["reasoning"].strip() == THOUGHT
        assert call["usage"]["input_tokens"] > 50
        # It counts thought and answer together, and says of neither how much: what is told apart is
        # estimated.
        assert call["usage"]["output_tokens"] in range(13, 25)
        assert call["usage"]["reasoning_estimated"] in range(3, 15)
    # How much of the tokens it had already varies with the order of calls; that it says it does
    # not.
    assert "not told" not in said


def test_calls_that_wait_in_its_queue_for_longer_than_a_first_token_may_take(
    binaries: Path, tmp_path: Path
) -> None:
    need_time("a slow model")
    slow = write_tiny_model(tmp_path / "slow.gguf", ballast=2048)
    topics = [
        {"id": f"t{number}", "topic": f"COUNT the inventions of {1800 + number}"}
        for number in range(24)
    ]
    (tmp_path / "topics.jsonl").write_text("".join(json.dumps(topic) + "\n" for topic in topics))
    (tmp_path / "flow.py").write_text(ONE_CALL)
    hasty = ("--first-token-timeout", "2")
    with llama_cpp(binaries, slow) as url:
        run = started(
            tmp_path,
            "run",
            "topics.jsonl",
            *at(url),
            "--workflow",
            "flow.py:ask",
            "--out",
            "out",
            *hasty,
        )
        said, complained = run.communicate(timeout=120)
    assert run.returncode == 0, said + complained
    assert statuses(tmp_path) == {"ok": 24}
    calls = rows(tmp_path, "traces")
    assert {call["content"] for call in calls} == {COUNT}
    assert max(call["served"]["ttft_reasoning_s"] for call in calls) > 2, (
        "nothing waited for longer than it may"
    )
    assert {call["served"]["attempts"] for call in calls} == {1}, (
        "a call that waited was sent again"
    )
    assert "--in-flight 1" in complained


def test_a_server_that_starts_while_the_run_waits_for_it(
    binaries: Path, model: Path, tmp_path: Path
) -> None:
    write_topics(tmp_path, 4)
    with _nobody() as (port, came):
        run = started(
            tmp_path, "run", "topics.jsonl", *at(f"http://127.0.0.1:{port}/v1"), "--out", "out"
        )
        until(came.is_set, run)
    with llama_cpp(binaries, model, port=port):
        code, said = ended(run)
    assert code == 0, said
    assert statuses(tmp_path) == {"ok": 4}


@contextmanager
def _nobody() -> Iterator[tuple[int, threading.Event]]:
    """A port that hangs up on whoever comes, and the event that somebody has."""
    came = threading.Event()

    def hang_up() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.close()
            came.set()

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=hang_up)
    thread.start()
    try:
        yield int(listener.getsockname()[1]), came
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_doctor_says_what_it_does(server: str) -> None:
    doctor = run_command("doctor", "--ask", *at(server))
    said = doctor.output
    assert doctor.exit_code == 0, said
    for line in (
        "serves tiny.gguf",
        "ended with [DONE]",
        "told with the stream",
        "in the field reasoning_content",
        "the reason is told: length",
        "max_tokens is honoured: cut at 16 tokens",
    ):
        assert line in said


def test_a_name_that_it_does_not_have_is_no_error_to_it_and_doctor_says_so(server: str) -> None:
    doctor = run_command("doctor", "--ask", "--base-url", server, "--model", "other")
    said = doctor.output
    assert doctor.exit_code == 0, said
    assert "serves tiny.gguf, but not other; a call is answered all the same" in said
    assert "as 'tiny.gguf', asked for as 'other'" in said


def as_known(url: str) -> tuple[str, ...]:
    return (
        "--endpoint",
        "llamacpp",
        "--set",
        f"endpoint.base_url={url}",
        "--model",
        "tiny.gguf",
        "--json",
    )


def answer(*arguments: str) -> dict[str, Any]:
    asked = run_command("ask", *arguments)
    assert asked.exit_code == 0, asked.output
    found: dict[str, Any] = json.loads(asked.stdout)
    return found


def test_thinking_is_switched_as_the_table_of_endpoints_says(server: str) -> None:
    on, off, none = (answer("Why?", *as_known(server), *flags)
                     for flags in ((), ("--thinking", "off"), ("--effort", "none")))  # fmt: skip
    assert on["reasoning"].strip() == THOUGHT
    assert (off["reasoning"], none["reasoning"]) == ("", "")
    assert {on["content"], off["content"], none["content"]} <= set(ANSWERS)
    assert off["usage"]["output_tokens"] < on["usage"]["output_tokens"]


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_a_cap_inside_of_the_thought_says_so(server: str, how: tuple[str, ...]) -> None:
    asked = run_command("ask", "Why?", *at(server), "--max-tokens", "4", *how)
    assert isinstance(asked.exception, CompletionError)
    assert asked.exception.kind == "length"
    assert "max_tokens=4 was used up by the reasoning" in str(asked.exception)


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_it_holds_the_model_to_a_schema(server: str, tmp_path: Path, how: tuple[str, ...]) -> None:
    (tmp_path / "weather.json").write_text(json.dumps(SCHEMA))
    told = answer("The weather?", *as_known(server), "--schema", "weather.json", *how)
    weather = json.loads(told["content"])
    assert {name: type(value) for name, value in weather.items()} == {"city": str, "days": int}
    assert told["reasoning"].strip() == THOUGHT


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_a_tool_is_called_and_its_answer_is_answered(
    server: str, tmp_path: Path, how: tuple[str, ...]
) -> None:
    write_topics(tmp_path, 2)
    (tmp_path / "flow.py").write_text(TWO_TURNS)
    where = ("--workflow", "flow.py:ask", "--out", "out")
    code, said = done(tmp_path, "run", "topics.jsonl", *as_known(server), *where, *how)
    assert code == 0, said
    first, second = rows(tmp_path, "traces")[:2]
    (call,) = first["tool_calls"]
    assert {"name": call["name"], "arguments": json.loads(call["arguments"])} == json.loads(CALL)
    assert first["finish_reason"] == "tool_calls"
    assert (first["reasoning"].strip(), second["reasoning"].strip()) == (THOUGHT, THOUGHT)
    assert all(row["output"] in ANSWERS for row in rows(tmp_path))


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["streamed", "whole"])
def test_a_prompt_that_does_not_fit_fails_its_topic_once(
    binaries: Path, model: Path, tmp_path: Path, how: tuple[str, ...]
) -> None:
    topics = [{"id": "short", "topic": "Why?"}, {"id": "long", "topic": "Why? " * 400}]
    (tmp_path / "topics.jsonl").write_text("".join(json.dumps(topic) + "\n" for topic in topics))
    (tmp_path / "flow.py").write_text(ONE_CALL)
    with llama_cpp(binaries, model, n_ctx=512) as url:
        where = ("--workflow", "flow.py:ask", "--out", "out")
        code, said = done(tmp_path, "run", "topics.jsonl", *at(url), *where, *how)
    assert code == 1, said
    found = {row["topic_id"]: row for row in rows(tmp_path)}
    assert (found["short"]["status"], found["long"]["status"]) == ("ok", "failed")
    assert found["long"]["error"]["kind"] == "too_long"
    (failed,) = (call for call in rows(tmp_path, "traces") if call["topic_id"] == "long")
    assert failed["served"]["attempts"] == 1
    assert "exceeds the available context size" in said


def test_an_answer_that_fills_the_context_before_its_cap_says_so(
    binaries: Path, model: Path
) -> None:
    with llama_cpp(binaries, model, n_ctx=256) as url:
        asked = run_command("ask", "COUNT" + " and count" * 12, *at(url), "--max-tokens", "1000")
    assert isinstance(asked.exception, CompletionError)
    assert asked.exception.kind == "length"
    assert "before max_tokens=1000" in str(asked.exception)
    assert "seems to fill the context" in str(asked.exception)


def test_a_key_that_it_wants_and_does_not_get_stops_the_run(
    binaries: Path, model: Path, tmp_path: Path
) -> None:
    write_topics(tmp_path, 30)
    with llama_cpp(binaries, model, api_keys=["sk-of-the-server"]) as url:
        code, said = done(tmp_path, "run", "topics.jsonl", *at(url), "--out", "out")
        doctor = run_command("doctor", "--ask", *at(url)).output
    assert code == 3, said
    assert statuses(tmp_path) == {}
    assert "HARNESS_API_KEY" in said
    assert "wants a key (401: Invalid API Key), and none was sent" in doctor
