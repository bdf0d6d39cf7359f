from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Harness, problem_of
from prompts import edited_prompts


def recorded(harness: Harness, *arguments: str) -> str:
    """What the recording says of itself."""
    done = harness(
        "record", "topics.jsonl", "--cassette", "c.jsonl", "--endpoint", "mock", *arguments
    )
    assert done.exit_code == 0, done.output
    return done.stderr


def keys_in(cassette: str) -> set[str]:
    return {json.loads(line)["key"] for line in Path(cassette).read_text().splitlines()}


def test_the_answers_of_a_run_become_a_cassette(harness: Harness) -> None:
    said = recorded(harness)
    lines = [json.loads(line) for line in Path("c.jsonl").read_text().splitlines()]
    assert (
        f"cassette  c.jsonl: {len(lines)} answers; {len(lines)} added, 0 replaced, 0 unchanged"
        in said
    )
    assert {line["topic"] for line in lines} == {"sky", "tea"}
    assert {line["call"].rpartition("/")[2] for line in lines} == {
        "decompose",
        "research",
        "synthesize",
    }


@pytest.mark.parametrize("mode", ["read_write", "refresh"])
def test_recording_again_changes_nothing(mode: str, harness: Harness) -> None:
    recorded(harness)
    once = Path("c.jsonl").read_bytes()
    said = recorded(harness, "--cache-mode", mode, "--cache", "another.db", "--in-flight", "1")
    assert Path("c.jsonl").read_bytes() == once
    assert "0 added, 0 replaced" in said


def test_nothing_is_sent_where_no_cassette_can_be_written(harness: Harness) -> None:
    done = harness(
        "record", "topics.jsonl", "--endpoint", "mock", "--cassette", "topics.jsonl/c.jsonl"
    )
    assert "topics.jsonl/c.jsonl: no cassette can be written there" in problem_of(done)
    assert not Path("results").exists()


def test_a_first_recording_says_what_it_takes(harness: Harness) -> None:
    assert "missing   all: about 1" in recorded(harness)
    assert (
        "calls of 2 topics (decompose 2, research 9, synthesize 2), likely some $0.0"
        in recorded(harness, "--cache-mode", "refresh")
    )


def test_what_is_recorded_is_not_asked_again_whatever_the_cache_holds(harness: Harness) -> None:
    recorded(harness)
    said = recorded(harness, "--cache", "empty.db")
    assert "missing   nothing: all calls are recorded" in said
    stats = json.loads(harness("cache", "stats", "--cache", "empty.db", "--json").stdout)
    assert stats["journal"]["calls"] == 0


def test_what_a_changed_prompt_takes_is_said_before_it_is_asked(harness: Harness) -> None:
    recorded(harness)
    prompts = edited_prompts(Path("prompts.toml"), ("You plan research", "You organise research"))
    said = recorded(harness, "--prompts", str(prompts))
    assert "missing   2 calls, some $0.0" in said
    assert "if their answers change what is asked after them" in said
    assert "stale (--prune removes them)" in said


def test_a_stale_answer_goes_when_it_is_told_to(harness: Harness) -> None:
    recorded(harness)
    before = keys_in("c.jsonl")
    recorded(harness, "--cache", "other.db", "--limit", "1")
    assert keys_in("c.jsonl") == before
    said = recorded(harness, "--cache", "other.db", "--limit", "1", "--prune")
    left = keys_in("c.jsonl")
    assert f"{len(left)} answers" in said
    assert f"{len(before) - len(left)} stale removed" in said
    assert left < before


def test_a_new_topic_is_announced(harness: Harness) -> None:
    recorded(harness)
    with Path("topics.jsonl").open("a") as file:
        file.write('{"id": "rain", "topic": "What is rain?"}\n')
    assert "1 of 3 topics ask what was never asked, some $0.0" in recorded(harness)


def test_topics_that_are_piped_in_are_recorded_too(harness: Harness) -> None:
    recorded(harness)
    once = Path("c.jsonl").read_bytes()
    text = Path("topics.jsonl").read_text()
    done = harness(
        "record",
        "-",
        "--cassette",
        "c.jsonl",
        "--endpoint",
        "mock",
        "--cache",
        "empty.db",
        text=text,
    )
    assert done.exit_code == 0, done.output
    assert Path("c.jsonl").read_bytes() == once


@pytest.mark.parametrize("mode", ["off", "replay"])
def test_a_mode_that_keeps_nothing_is_refused(mode: str, harness: Harness) -> None:
    done = harness(
        "record",
        "topics.jsonl",
        "--cassette",
        "c.jsonl",
        "--endpoint",
        "mock",
        "--cache-mode",
        mode,
    )
    assert f"--cache-mode {mode}: a recording keeps what it pays for" in problem_of(done)


def test_a_cassette_that_is_not_sound_is_refused_before_anything_is_sent(harness: Harness) -> None:
    recorded(harness)
    text = Path("c.jsonl").read_text()
    Path("c.jsonl").write_text(text[:-10])
    done = harness("record", "topics.jsonl", "--cassette", "c.jsonl", "--endpoint", "mock")
    assert f"c.jsonl:{text.count(chr(10))}: not JSON" in problem_of(done)
    assert Path("c.jsonl").read_text() == text[:-10]


def test_a_recording_without_answers_for_failed_calls_says_so_by_its_exit_code(
    harness: Harness,
) -> None:
    done = harness(
        "record",
        "topics.jsonl",
        "--cassette",
        "c.jsonl",
        "--endpoint",
        "mock",
        "--faults",
        "content-filter=1",
    )
    assert done.exit_code == 1
    assert "0 answers" in done.stderr
