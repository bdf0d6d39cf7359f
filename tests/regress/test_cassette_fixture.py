"""A test's own cassette: what it answers, what it refuses, and what a recording leaves in it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Delta, Step, Topic
from harness.cache.cassette_file import read_cassette
from harness.diffs.misses import Explanation
from harness.domain.failures import CacheMiss, CompletionError
from harness.errors import CacheError, HarnessError, InputError
from harness.regress.recorded.cassette_fixture import CassetteFixture, RecordMode, cassette_path
from harness.testing import VirtualTime

Open = Callable[[RecordMode], CassetteFixture]


async def twice(step: Step, topic: Topic) -> str:
    """A draft, and what is made of it."""
    draft = await step.complete("draft", f"Draft: {topic.text}")
    return (await step.complete("polish", f"Polish: {draft.content}")).content


@pytest.fixture
def open_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.chdir(tmp_path)
    numbers = itertools.count()

    def open_tape(mode: RecordMode) -> CassetteFixture:
        scratch = tmp_path / f"scratch-{next(numbers)}"
        scratch.mkdir()
        return CassetteFixture(
            tmp_path / "tape.jsonl", mode, test="tests/test_it.py::test_it[a b]", scratch=scratch
        )

    return open_tape


async def recorded(
    open_tape: Open, *prompts: str, mode: RecordMode = "once", passed: bool = True, **settings: Any
) -> CassetteFixture:
    tape = open_tape(mode)
    for prompt in prompts:
        await tape.ask(prompt, endpoint="mock", **settings)
    tape.close(passed=passed)
    return tape


def prompts_in(tape: CassetteFixture) -> list[str]:
    return [line.request.split('"content":"')[1].split('"')[0] for line in read_cassette(tape.path)]


async def test_what_was_recorded_is_answered_again(open_tape: Open) -> None:
    tape = open_tape("once")
    first = await tape.ask("Why?", endpoint="mock", system="Be brief.", max_tokens=9000)
    tape.close(passed=True)
    again = await open_tape("none").ask(
        "Why?", endpoint="mock", system="Be brief.", max_tokens=9000
    )
    assert again.content == first.content
    assert again.reasoning == first.reasoning
    assert (again.usage, again.cost, again.served.source) == (first.usage, first.cost, "replay")


async def test_without_a_cassette_it_says_how_to_record_one(open_tape: Open) -> None:
    tape = open_tape("none")
    with pytest.raises(
        CacheMiss, match=r"there is no cassette .*tape\.jsonl yet; record it, which asks"
    ) as missed:
        await tape.ask("Why?", endpoint="mock")
    assert str(missed.value).endswith(
        "pytest --harness-record=once 'tests/test_it.py::test_it[a b]'"
    )
    tape.close(passed=False)
    assert not tape.path.exists()


@pytest.mark.parametrize("mode", ["none", "once"])
async def test_a_request_that_changed_is_explained(open_tape: Open, mode: RecordMode) -> None:
    await recorded(open_tape, "Why is the sky blue?")
    tape = open_tape(mode)
    with pytest.raises(CacheMiss) as missed:
        await tape.ask("Why is the sea blue?", endpoint="mock")
    assert "Why is the [-sky-]{+sea+} blue?" in str(missed.value)
    assert "pytest --harness-record=all 'tests/test_it.py::test_it[a b]'" in str(missed.value)
    assert isinstance(missed.value.explanation, Explanation)
    assert missed.value.explanation.verdict == "changed"


async def test_each_question_is_compared_with_its_own_recording(open_tape: Open) -> None:
    await recorded(open_tape, "Name a colour of the sea.", "Name a colour of the sky.")
    tape = open_tape("none")
    await tape.ask("Name a colour of the sea.", endpoint="mock")
    with pytest.raises(CacheMiss, match=r"nearest: ask#2, .*") as missed:
        await tape.ask("Name a hue of the sea.", endpoint="mock")
    assert "Name a [-colour-]{+hue+} of the [-sky-]{+sea+}." in str(missed.value)


async def test_all_asks_anew_and_leaves_out_what_is_stale(open_tape: Open) -> None:
    before = await recorded(open_tape, "one", "two")
    lines = before.path.read_bytes().splitlines()
    after = await recorded(open_tape, "two", "three", mode="all")
    assert sorted(prompts_in(after)) == ["three", "two"]
    # An answer that is found again keeps its line.
    assert lines[1] in after.path.read_bytes().splitlines()


async def test_a_test_that_failed_does_not_say_what_is_stale(open_tape: Open) -> None:
    await recorded(open_tape, "one", "two")
    after = await recorded(open_tape, "three", mode="all", passed=False)
    assert sorted(prompts_in(after)) == ["one", "three", "two"]


async def test_a_recording_that_asked_nothing_leaves_the_cassette(open_tape: Open) -> None:
    before = await recorded(open_tape, "one")
    lines = before.path.read_bytes()
    await recorded(open_tape, mode="all")
    assert before.path.read_bytes() == lines


async def test_a_recording_with_a_call_that_failed_is_not_written(open_tape: Open) -> None:
    tape = open_tape("once")
    await tape.ask("one", endpoint="mock")
    with pytest.raises(CompletionError):
        await tape.ask("two", endpoint="mock", faults="400=1")
    tape.close(passed=False)
    assert not tape.path.exists()


async def test_a_batch_with_calls_that_failed_is_not_written(open_tape: Open) -> None:
    tape = open_tape("once")
    with pytest.raises(
        HarnessError, match=r"recording tape\.jsonl: not all calls were answered, so nothing"
    ) as error:
        await tape.run(["bees"], workflow=twice, endpoint="mock", faults="400=1")
    assert "/draft: " in str(error.value)
    tape.close(passed=False)
    assert not tape.path.exists()


async def test_a_budget_that_ends_a_recording_is_named(open_tape: Open) -> None:
    with pytest.raises(HarnessError, match=r"(?s)not all calls were answered.*budget"):
        await open_tape("once").run(["bees"], workflow=twice, endpoint="mock", run_calls=1)


async def test_topics_come_as_texts_as_objects_or_as_a_file(
    open_tape: Open, tmp_path: Path
) -> None:
    (tmp_path / "topics.jsonl").write_text(
        '{"id": "1", "topic": "bees"}\n{"id": "2", "topic": "tides", "kind": "x"}\n'
    )
    tides = Topic(id="2", text="tides", metadata={"kind": "x"})
    tape = open_tape("once")
    first = await tape.run(tmp_path / "topics.jsonl", workflow=twice, endpoint="mock")
    tape.close(passed=True)
    assert [case.row["metadata"] for case in first] == [{}, {"kind": "x"}]
    replayed = open_tape("none")
    objects = await replayed.run(
        [{"id": "1", "topic": "bees"}, tides], workflow=twice, endpoint="mock"
    )
    named = await replayed.run(str(tmp_path / "topics.jsonl"), workflow=twice, endpoint="mock")
    for cases in (objects, named):
        assert [case.row["output"] for case in cases] == [case.row["output"] for case in first]
    [case] = await replayed.run([tides], workflow=twice, endpoint="mock")
    assert [call["step"] for call in case.calls] == ["draft", "polish"]
    assert case.of_step("draft")[0]["served"]["source"] == "replay"


async def test_all_changes_of_a_batch_are_told_at_once(open_tape: Open, tmp_path: Path) -> None:
    tape = open_tape("once")
    await tape.run(["bees", "tides"], workflow=twice, endpoint="mock")
    tape.close(passed=True)
    with pytest.raises(CacheMiss) as missed:
        await open_tape("none").run(
            ["bees", "tides"], workflow=twice, endpoint="mock", model="deepseek-v4-pro"
        )
    said = str(missed.value)
    assert said.count("2 calls of 2 topics, the first of them: step") == 2
    assert said.index("'draft'") < said.index("'polish'")
    assert "model" in said


async def test_a_workflow_that_cannot_be_found_again_is_refused(open_tape: Open) -> None:
    async def inner(step: Step, topic: Topic) -> str:
        return topic.text

    with pytest.raises(InputError, match="inner"):
        await open_tape("none").run(["bees"], workflow=inner, endpoint="mock")


async def test_a_bad_topic_is_refused(open_tape: Open) -> None:
    with pytest.raises(InputError, match="blank"):
        await open_tape("once").run([" "], workflow=twice, endpoint="mock")


async def test_nothing_of_the_environment_decides(
    open_tape: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(open_tape, "Why?")
    monkeypatch.setenv("HARNESS_MODEL", "deepseek-v4-pro")
    (tmp_path / "harness.toml").write_text('effort = "max"')
    assert (await open_tape("none").ask("Why?", endpoint="mock")).content


async def test_a_watcher_is_shown_the_answer_once(open_tape: Open) -> None:
    modes: tuple[RecordMode, ...] = ("once", "none")
    for mode in modes:
        shown: list[Delta] = []
        tape = open_tape(mode)
        completion = await tape.ask("Why?", endpoint="mock", on_delta=shown.append)
        assert [delta.text for delta in shown] == [completion.reasoning, completion.content]
        tape.close(passed=True)


async def test_replaying_works_on_virtual_time_and_recording_over_a_network_does_not(
    open_tape: Open, virtual_time: VirtualTime
) -> None:
    await recorded(open_tape, "Why?", latency="fixed:60")
    assert virtual_time.now_s == pytest.approx(60)
    await open_tape("none").ask("Why?", endpoint="mock")
    with pytest.raises(HarnessError, match="a recording needs real time"):
        await open_tape("all").ask("Why?", base_url="http://127.0.0.1:9/v1", model="m")


def test_a_test_that_is_not_async_has_twins(open_tape: Open) -> None:
    tape = open_tape("once")
    asked, ran = (
        tape.ask_sync("Why?", endpoint="mock"),
        tape.run_sync(["bees"], workflow=twice, endpoint="mock"),
    )
    tape.close(passed=True)
    again = open_tape("none")
    assert again.ask_sync("Why?", endpoint="mock").content == asked.content
    assert (
        again.run_sync(["bees"], workflow=twice, endpoint="mock")[0].row["output"]
        == ran[0].row["output"]
    )
    with pytest.raises(CacheMiss) as missed:
        again.ask_sync("How?", endpoint="mock")
    assert missed.value.__context__ is None


async def test_questions_at_the_same_time_are_all_recorded(open_tape: Open) -> None:
    tape = open_tape("once")
    await asyncio.gather(
        *(tape.ask(f"question {number % 3}", endpoint="mock") for number in range(6))
    )
    tape.close(passed=True)
    assert sorted(prompts_in(tape)) == ["question 0", "question 1", "question 2"]


def test_a_cassette_that_is_not_sound_is_refused(open_tape: Open, tmp_path: Path) -> None:
    (tmp_path / "tape.jsonl").write_text("{}\n")
    with pytest.raises(CacheError, match=r"tape.jsonl:1: not a cassette: it has no field"):
        open_tape("none")


async def test_the_story_names_the_cassette_and_what_was_done(open_tape: Open) -> None:
    assert open_tape("none").history().endswith("tape.jsonl, which is not there yet")
    await recorded(open_tape, "one")
    assert open_tape("none").history().endswith("tape.jsonl, 1 recorded answer")
    assert (
        (await recorded(open_tape, "one", "two", mode="all"))
        .history()
        .endswith("1 recorded answer; 2 recorded anew")
    )


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("test_it", "test_it.jsonl"),
        ("TestClass::test_it", "TestClass.test_it.jsonl"),
        ("test_it[a/../b]", "test_it-a-..-b-e8275466.jsonl"),
    ],
)
def test_a_cassette_stands_beside_its_test(test: str, name: str) -> None:
    path = cassette_path(Path("/project/tests/test_topics.py"), test)
    assert path.parent == Path("/project/tests/cassettes/test_topics")
    assert path.name == name


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_tests_never_share_a_cassette(one: str, other: str) -> None:
    names = [
        cassette_path(Path("t.py"), f"test_it[{parameter}]").name for parameter in (one, other)
    ]
    assert (names[0] == names[1]) == (one == other)
    assert all(
        name.isascii() and len(name) < 120 and "/" not in name and not name.startswith(".")
        for name in names
    )
