"""A dataset once more from its recording: equal where nothing changed, and each change found where
it was made.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from batches import a_topic_file, loaded, rows_of, run
from prompts import edited_prompts

from harness.cache.cassette import Recording
from harness.cache.cassette_file import read_cassette, write_cassette
from harness.datasets.dataset import open_dataset
from harness.domain.run import Topic
from harness.engine.step import Step
from harness.engine.stopping import Stop
from harness.records.json_text import to_text
from harness.regress.recorded.expecting import expected
from harness.regress.recorded.recording import known_recordings, recorded_from
from harness.regress.recorded.replaying import Replay, replay
from harness.runs.batch import dataset_spec
from harness.testing.virtual_time import VirtualClock
from harness.workflows.loading import load_workflow


@dataclass(frozen=True)
class Recorded:
    """A run of two topics on the mock, and its cassette."""

    directory: Path
    source: Path
    cassette: Path

    async def replayed(
        self, *, prompts: Path | None = None, topics: Path | None = None, **settings: Any
    ) -> Replay:
        chosen = loaded(self.directory, prompts=prompts, **settings)
        workflow = load_workflow(chosen.settings.workflow, prompts_file=prompts, settings={})
        with closing(
            open_dataset(dataset_spec(chosen.settings, str(topics or self.source)))
        ) as dataset:
            return await replay(
                chosen, workflow, dataset, read_cassette(self.cassette), stop=Stop()
            )

    def prompts(self, *changes: tuple[str, str]) -> Path:
        return edited_prompts(self.directory / "prompts.toml", *changes)

    def rewrite(self, change: Callable[[Recording], Recording | None]) -> None:
        """Make the cassette another."""
        write_cassette(
            self.cassette,
            [one for one in map(change, read_cassette(self.cassette)) if one is not None],
        )


@pytest.fixture
async def recorded(tmp_path: Path) -> Recorded:
    source, cassette = a_topic_file(tmp_path, 2), tmp_path / "c.jsonl"
    report = await run(tmp_path, source)
    today = VirtualClock().now().date()
    recorded_from(report.path, cassette, known_recordings(cassette), day=today, prune=False)
    return Recorded(tmp_path, source, cassette)


async def test_what_was_recorded_comes_out_again_to_the_byte(recorded: Recorded) -> None:
    found = await recorded.replayed()
    rows = sorted(rows_of(recorded.directory), key=lambda row: row["index"])
    assert [case.row.output for case in found.cases] == [row["output"] for row in rows]
    assert [list(case.row.sections) for case in found.cases] == [row["sections"] for row in rows]
    assert (found.misses, found.stale) == ((), ())
    assert {call.served.source for case in found.cases for call in case.calls} == {"replay"}


async def test_a_replayed_call_tells_what_it_would_cost(recorded: Recorded) -> None:
    found = await recorded.replayed()
    call = found.cases[0].of_step("decompose")[0]
    usage = call.usage
    assert call.cost == 0.0
    assert call.saved == pytest.approx(
        (usage.input_tokens * 0.15 + usage.output_tokens * 0.60) / 1e6
    )


ONE_WORD = {
    "decompose": ("You plan research", "You organise research", "[-plan-]{+organise+}"),
    "research": ("a careful researcher", "a diligent researcher", "[-careful-]{+diligent+}"),
    "synthesize": ("Write a report", "Compose a report", "[-Write-]{+Compose+}"),
}


@pytest.mark.parametrize("step", ONE_WORD)
async def test_one_word_in_a_prompt_is_found_in_that_step_and_blamed_on_nothing_else(
    step: str, recorded: Recorded
) -> None:
    old, new, shown = ONE_WORD[step]
    found = await recorded.replayed(prompts=recorded.prompts((old, new)))
    assert {miss.step for miss in found.misses} == {step}
    assert {miss.explanation.verdict for miss in found.misses} == {"changed"}
    assert all(shown in miss.explanation.text() for miss in found.misses)
    assert {(miss.topic_id, miss.sample) for miss in found.misses} == {
        ("topic-0", 0),
        ("topic-1", 0),
    }


async def test_changes_of_several_prompts_are_all_found_in_one_pass(recorded: Recorded) -> None:
    prompts = recorded.prompts(
        ("You plan research", "You organise research"),
        ("careful researcher", "diligent researcher"),
    )
    found = await recorded.replayed(prompts=prompts)
    assert {miss.step for miss in found.misses} == {"decompose", "research"}
    assert all(miss.stood_in for miss in found.misses)
    for miss in found.misses:
        word = "[-plan-]{+organise+}" if miss.step == "decompose" else "[-careful-]{+diligent+}"
        assert word in miss.explanation.text()
    steps = {call.step for case in found.cases for call in case.calls if call.error is None}
    assert steps == {"decompose", "research", "synthesize"}


async def test_another_setting_is_named(recorded: Recorded) -> None:
    found = await recorded.replayed(steps={"synthesize": {"max_tokens": 999}})
    assert {miss.step for miss in found.misses} == {"synthesize"}
    assert "max_tokens: recorded 32768, wanted 999" in found.misses[0].explanation.text()


async def test_steps_that_only_follow_another_answer_are_said_to_follow(recorded: Recorded) -> None:
    def other_questions(one: Recording) -> Recording:
        if one.span_id != "decompose":
            return one
        completion = json.loads(one.completion)
        questions = [
            f"And what of matter number {number}, say?"
            for number, _ in enumerate(json.loads(completion["content"]))
        ]
        return replace(one, completion=to_text({**completion, "content": json.dumps(questions)}))

    recorded.rewrite(other_questions)
    found = await recorded.replayed()
    assert {miss.explanation.verdict for miss in found.misses} == {"follows"}
    assert "this step is not to blame" in found.misses[0].explanation.text()
    assert "decompose" in found.misses[0].explanation.text()


async def test_a_new_topic_is_unknown_and_nothing_stands_in(recorded: Recorded) -> None:
    more = a_topic_file(recorded.directory, 3, name="more.jsonl")
    found = await recorded.replayed(topics=more)
    assert [(miss.topic_id, miss.span_id, miss.stood_in) for miss in found.misses] == [
        ("topic-2", "decompose", False)
    ]
    assert found.misses[0].explanation.verdict == "unknown topic"
    assert [case.row.status for case in found.cases] == ["ok", "ok", "failed"]
    error = found.cases[2].row.error
    assert error is not None
    assert error.type == "CacheMiss"


async def test_what_nothing_asks_for_any_more_is_stale(recorded: Recorded) -> None:
    fewer = a_topic_file(recorded.directory, 1, name="fewer.jsonl")
    found = await recorded.replayed(topics=fewer)
    assert {one.topic_id for one in found.stale} == {"topic-1"}
    changed = await recorded.replayed(
        prompts=recorded.prompts(("You plan research", "You organise research"))
    )
    assert {one.span_id for one in changed.stale} == {"decompose"}


async def test_draws_of_a_topic_are_recorded_and_replayed_apart(tmp_path: Path) -> None:
    source, cassette = a_topic_file(tmp_path, 2), tmp_path / "c.jsonl"
    report = await run(tmp_path, source, samples=3)
    merged = recorded_from(report.path, cassette, (), day=VirtualClock().now().date(), prune=False)
    found = await Recorded(tmp_path, source, cassette).replayed(samples=3)
    assert [(case.topic_id, case.sample) for case in found.cases] == [
        (topic, sample) for topic in ("topic-0", "topic-1") for sample in range(3)
    ]
    assert (found.misses, found.stale) == ((), ())
    assert len(merged.recordings) == sum(len(case.calls) for case in found.cases)
    more = await Recorded(tmp_path, source, cassette).replayed(samples=4)
    assert [(miss.topic_id, miss.sample) for miss in more.misses] == [
        ("topic-0", 3),
        ("topic-1", 3),
    ]


async def test_a_recording_is_expected_to_ask_what_is_missing_and_at_most_what_follows(
    recorded: Recorded,
) -> None:
    nothing = expected(await recorded.replayed())
    assert nothing.is_nothing
    assert (nothing.topics, nothing.cost) == (2, 0)

    found = await recorded.replayed(
        prompts=recorded.prompts(("You plan research", "You organise research"))
    )
    first = expected(found)
    calls = [call for case in found.cases for call in case.calls]
    assert (first.calls, first.calls_at_most, first.unknown) == (2, len(calls), 0)
    assert first.cost == pytest.approx(
        sum(call.saved for call in calls if call.step == "decompose")
    )
    assert first.cost_at_most == pytest.approx(sum(call.saved for call in calls))

    last = expected(await recorded.replayed(steps={"synthesize": {"max_tokens": 999}}))
    assert (last.calls, last.calls_at_most) == (2, 2)


async def test_of_a_new_topic_nothing_can_be_expected(recorded: Recorded) -> None:
    found = expected(
        await recorded.replayed(topics=a_topic_file(recorded.directory, 3, name="more.jsonl"))
    )
    assert (found.calls, found.unknown, found.topics, found.is_nothing) == (0, 1, 3, False)


async def test_a_workflow_that_fails_is_a_case_like_any_other(recorded: Recorded) -> None:
    async def broken(step: Step, topic: Topic) -> str:
        raise ValueError(f"no idea of {topic.id}")

    chosen = loaded(recorded.directory)
    workflow = load_workflow("research", prompts_file=None, settings={})
    with closing(open_dataset(dataset_spec(chosen.settings, str(recorded.source)))) as dataset:
        found = await replay(chosen, workflow, dataset, (), stop=Stop(), wrap=lambda _: broken)
    errors = [case.row.error for case in found.cases]
    assert [error and error.message for error in errors] == [
        "no idea of topic-0",
        "no idea of topic-1",
    ]
