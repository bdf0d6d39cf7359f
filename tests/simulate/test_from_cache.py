from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from batches import RUN_ID
from nights import predicted, recorded

from harness.errors import ResultsError
from harness.simulation.from_cache import read_cache
from harness.simulation.from_run import read_run
from harness.simulation.recording import Recording


def change(directory: Path, statement: str, *values: Any) -> None:
    """Change the cache of a run behind its back."""
    with closing(sqlite3.connect(directory / "cache.db")) as database, database:
        assert database.execute(statement, values).rowcount > 0


def cached(directory: Path, run_id: str | None = None) -> Recording:
    return read_cache(directory / "cache.db", run_id, seed=0)


def shapes(recording: Recording) -> Counter[Any]:
    """What the topics are made of: each call's step and tokens, and those of the calls that it waited for."""

    def call(number: int, topic: Any) -> tuple[str, int]:
        return topic.calls[number].step, topic.calls[number].usage.output_tokens

    return Counter(
        frozenset(
            (call(number, topic), frozenset(call(other, topic) for other in one.after), len(one.failures))
            for number, one in enumerate(topic.calls)
        )
        for topic in recording.topics
    )


@pytest.mark.parametrize("in_flight", [1, 24])
def test_a_cache_tells_of_the_same_topics_as_the_directory_of_the_run(tmp_path: Path, in_flight: int) -> None:
    recorded(tmp_path, 8, latency="lognormal:5:0.4", in_flight=in_flight, faults="reset=0.2")

    run, cache = read_run(tmp_path / "out", seed=0), cached(tmp_path)

    assert shapes(cache) == shapes(run)
    assert (cache.run_id, cache.topics_in_all, cache.endpoint, cache.models()) == (
        (run.run_id, run.topics_in_all, run.endpoint, run.models())
    )
    for step, fit in run.fits().items():
        # A cache does not know the time that storing took.
        assert cache.fits()[step].mean_s == pytest.approx(fit.mean_s, rel=0.02)
        assert cache.fits()[step].ttft_s == pytest.approx(fit.ttft_s, abs=1e-6)


def test_a_night_from_a_cache_is_that_from_the_directory_of_the_run(tmp_path: Path) -> None:
    # One call in flight: what the cache lacks is how long each of them waited.
    recorded(tmp_path, 15, latency="lognormal:5:0.4", in_flight=1)

    night, same = predicted(tmp_path, 60, 12).nights + predicted(tmp_path, 60, 12, recording=cached(tmp_path)).nights

    assert same.wall_s == pytest.approx(night.wall_s, rel=0.001)
    assert same.books.cost == pytest.approx(night.books.cost)
    assert same.most_in_flight == night.most_in_flight == 12


def test_calls_that_never_got_an_answer_fail_again(tmp_path: Path) -> None:
    recorded(tmp_path, 20, latency="fixed:1", faults="400=0.2")

    run, cache = read_run(tmp_path / "out", seed=0), cached(tmp_path)

    failed = [Counter(call.step for topic in one.topics for call in topic.calls if call.error) for one in (run, cache)]
    assert failed[0] == failed[1]
    assert failed[0].total() > 0


def test_what_failed_attempts_cost_is_known_as_far_as_the_journal_tells_it(tmp_path: Path) -> None:
    recorded(tmp_path, 20, latency="fixed:1", faults="length=0.1,reset=0.1,500=0.1")

    known = [
        Counter(
            (failure.kind, failure.usage and failure.usage.total_tokens)
            for topic in one.topics
            for call in topic.calls
            for failure in call.failures
        )
        for one in (read_run(tmp_path / "out", seed=0), cached(tmp_path))
    ]

    assert known[0] == known[1]
    assert {kind for kind, _ in known[0]} == {"length", "connection", "server"}


def test_topics_that_end_otherwise_than_most_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    # The cap on requests ends the run in the middle of topics.
    recorded(tmp_path, 12, latency="uniform:8:12", run_calls=40, runs=2)

    recording = cached(tmp_path)

    whole = read_run(tmp_path / "out", seed=0).finished
    assert len(recording.topics) == recording.finished == whole
    assert any("left out: their last answer" in note for note in recording.notes)


def test_topics_whose_answers_are_gone_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    recorded(tmp_path, 12, latency="fixed:5")
    change(tmp_path, "DELETE FROM responses WHERE key = (SELECT key FROM calls WHERE topic_id = 'topic-3')")
    change(tmp_path, "UPDATE responses SET value = '{}' WHERE key = (SELECT key FROM calls WHERE topic_id = 'topic-7')")

    recording = cached(tmp_path)

    assert len(recording.topics) == 10
    assert any("2 topics are left out" in note for note in recording.notes)


def test_one_of_several_runs_must_be_named(tmp_path: Path) -> None:
    recorded(tmp_path, 3, latency="fixed:5")
    (tmp_path / "out").rename(tmp_path / "first")
    recorded(tmp_path, 3, latency="fixed:9", run_id="another", cache_mode="refresh")

    with pytest.raises(ResultsError, match=rf"name one with --run.*another .*{RUN_ID}"):
        cached(tmp_path)
    with pytest.raises(ResultsError, match="no answers of a run 'a third'"):
        cached(tmp_path, "a third")
    assert [fit.mean_s for fit in cached(tmp_path, "another").fits().values()] == [pytest.approx(9)] * 3


def test_a_cache_without_answers_is_refused(tmp_path: Path) -> None:
    recorded(tmp_path, 2, latency="fixed:5", faults="400=1")

    with pytest.raises(ResultsError, match="holds no answer"):
        cached(tmp_path)


def test_a_run_that_kept_no_answers_is_refused(tmp_path: Path) -> None:
    recorded(tmp_path, 2, latency="fixed:5", cache_mode="off")

    with pytest.raises(ResultsError, match="not kept"):
        cached(tmp_path)


@pytest.mark.parametrize("latency", ["none", "fixed:0.05"])
def test_a_mock_that_took_no_time_is_refused(tmp_path: Path, latency: str) -> None:
    recorded(tmp_path, 2, latency=latency)

    with pytest.raises(ResultsError, match="took no time"):
        cached(tmp_path)


def test_what_a_cache_cannot_know_is_said(tmp_path: Path) -> None:
    recorded(tmp_path, 2, latency="fixed:5")

    said = " ".join(cached(tmp_path).notes)

    for unknown in ("when it was wanted", "the limits of the run", "what the run found in it", "were finished"):
        assert unknown in said


def test_a_limit_that_refusals_name_is_found_in_the_journal(tmp_path: Path) -> None:
    # The fault names a limit of 25: of a run that never passed it, it explains nothing, as the run's settings tell.
    recorded(tmp_path, 10, latency="fixed:5", faults="429-concurrency=0.2", in_flight=25)

    assert read_run(tmp_path / "out", seed=0).provider_limit is None
    assert cached(tmp_path).provider_limit == 25
