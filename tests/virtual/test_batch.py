"""Whole batches on virtual time: a night in a second, the same on every machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from batches import (
    RUN_ID,
    Files,
    a_topic_file,
    clear,
    journaled,
    lasting,
    loaded,
    manifest_of,
    rows_of,
    run,
)
from prompts import edited_prompts

from harness.cli.summary import report_json, summary_of
from harness.engine.stopping import Stop
from harness.errors import DatasetError, ResultsError, RunStopped
from harness.render.plain import plain

pytestmark = pytest.mark.harness_virtual_time

SLOW = "uniform:8:12"


async def test_the_same_batch_run_twice_is_equal_to_the_byte(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 30)
    began_s = asyncio.get_running_loop().time()
    once = await run(tmp_path, source, latency=SLOW, in_flight=16, runs=8, faults="0.05")
    first = Files.of(tmp_path)
    clear(tmp_path)

    # The same night again, from the same instant of the clock.
    asyncio.get_running_loop()._virtual_s = began_s  # type: ignore[attr-defined]
    again = await run(tmp_path, source, latency=SLOW, in_flight=16, runs=8, faults="0.05")

    assert Files.of(tmp_path) == first
    assert once.wall_s == again.wall_s
    assert once.exit_code == again.exit_code == 0


async def test_a_night_of_two_hundred_topics_shows_its_speed_up(tmp_path: Path) -> None:
    report = await run(tmp_path, a_topic_file(tmp_path, 200), latency=SLOW, in_flight=16, runs=16)

    sequential_s = report.totals["sequential_s"]
    assert report.totals["ok"] == 200
    assert sequential_s > 200 * 5 * 8
    # Sixteen places: no run can be faster than a sixteenth, and this one must come near.
    assert sequential_s / 16 <= report.wall_s < 1.1 * sequential_s / 16
    assert manifest_of(tmp_path)["totals"]["wall_s"] == round(report.wall_s, 6)


async def test_a_batch_ends_in_full_width_where_no_budget_may_end_it_before(tmp_path: Path) -> None:
    walls_s = []
    for caps in ({}, {"budget": 1000.0}, {"run_calls": 1000}):
        report = await run(
            tmp_path, a_topic_file(tmp_path, 16), latency="fixed:10", in_flight=8, **caps
        )
        walls_s.append(report.wall_s)
        clear(tmp_path)

    assert walls_s[1] == pytest.approx(walls_s[0])
    assert walls_s[0] < walls_s[2] - 9.0


async def test_a_storm_of_faults_fails_no_topic_and_hides_no_attempt(tmp_path: Path) -> None:
    report = await run(tmp_path, a_topic_file(tmp_path, 40), latency="fixed:2", faults="0.3")

    spans = rows_of(tmp_path, "traces")
    assert report.totals["ok"] == 40
    failures = [failure for span in spans for failure in span["served"]["failures"]]
    assert len(failures) > 40
    assert report.session.totals.retries == len(failures)
    assert len({failure["kind"] for failure in failures}) > 5
    assert report.spent.calls == sum(span["served"]["attempts"] for span in spans)


async def test_all_seconds_of_a_call_are_accounted_for(tmp_path: Path) -> None:
    await run(
        tmp_path,
        a_topic_file(tmp_path, 12),
        latency=SLOW,
        in_flight=3,
        per_run=2,
        faults="0.2",
        rpm=60,
    )

    for span in rows_of(tmp_path, "traces"):
        served = span["served"]
        names = ("queued_run_s", "queued_s", "paced_s", "budget_s", "stored_s", "outage_s")
        waits = sum(served.get(name, 0.0) for name in names)
        attempts = sum(
            failure["elapsed_s"] + failure["backoff_s"] for failure in served["failures"]
        )
        assert waits + attempts + served["latency_s"] == pytest.approx(
            span["end_s"] - span["start_s"], abs=1e-4
        )


@pytest.mark.parametrize("budget", [0.006, 0.01, 0.02])
async def test_the_budget_is_never_passed_and_a_higher_one_goes_on(
    tmp_path: Path, budget: float
) -> None:
    source = a_topic_file(tmp_path, 20)
    report = await run(tmp_path, source, latency=SLOW, budget=budget)

    assert report.exit_code == 3
    assert report.stop is not None
    assert report.stop.kind == "budget"
    assert manifest_of(tmp_path)["status"] == "budget"
    assert 0 < report.spent.cost <= budget
    assert report.spent.open_calls == 0

    done = await run(tmp_path, source, latency=SLOW, budget=1.0)

    assert done.exit_code == 0
    assert done.totals["rows"] == 20
    # What the first session paid for was not paid again, and belongs to the rows that it went into.
    assert done.totals["cost"] == pytest.approx(done.spent.cost)
    assert journaled(tmp_path, "stored") == len(rows_of(tmp_path, "traces"))


async def test_a_budget_in_tokens_is_kept_too(tmp_path: Path) -> None:
    report = await run(tmp_path, a_topic_file(tmp_path, 20), latency=SLOW, budget_tokens=40_000)

    assert report.exit_code == 3
    assert 0 < report.spent.tokens <= 40_000


@pytest.mark.parametrize("stop_after_s", [1.0, 11.0, 44.0])
async def test_a_run_that_was_drained_and_resumed_equals_an_undisturbed_one(
    tmp_path: Path, stop_after_s: float
) -> None:
    source = a_topic_file(tmp_path, 12)
    calm, disturbed = tmp_path / "calm", tmp_path / "disturbed"
    await run(calm, source, latency=SLOW, runs=4)

    stop = Stop()
    asyncio.get_running_loop().call_later(
        stop_after_s, stop.set, "interrupted", "interrupted by a test"
    )
    report = await run(disturbed, source, latency=SLOW, runs=4, stop=stop)
    assert report.exit_code == 130
    assert report.spent.open_calls == 0
    resumed = await run(disturbed, source, latency=SLOW, runs=4)

    assert resumed.exit_code == 0
    assert lasting(rows_of(disturbed)) == lasting(rows_of(calm))
    assert journaled(disturbed, "stored") == len(rows_of(calm, "traces"))
    assert resumed.totals["cost"] == pytest.approx(resumed.spent.cost)


@pytest.mark.parametrize("crash_after_s", [3.0, 19.0, 33.0])
async def test_a_run_that_was_cancelled_in_mid_flight_goes_on_and_lists_what_was_open(
    tmp_path: Path, crash_after_s: float
) -> None:
    source = a_topic_file(tmp_path, 12)
    calm, disturbed = tmp_path / "calm", tmp_path / "disturbed"
    await run(calm, source, latency=SLOW, runs=4)

    task = asyncio.create_task(run(disturbed, source, latency=SLOW, runs=4))
    await asyncio.sleep(crash_after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert manifest_of(disturbed)["status"] == "incomplete"
    resumed = await run(disturbed, source, latency=SLOW, runs=4)

    assert lasting(rows_of(disturbed)) == lasting(rows_of(calm))
    assert len(resumed.left_open) >= 4
    assert resumed.spent.open_calls == len(resumed.left_open)
    assert resumed.spent.cost_at_risk == pytest.approx(
        sum(call.cost_at_most or 0 for call in resumed.left_open)
    )
    said = plain([summary_of(resumed, loaded(tmp_path).settings)])
    for request in resumed.left_open:
        assert (
            f"at most ${request.cost_at_most:.4f}: {request.call.topic_id} {request.call.span_id}\n"
            in said
        )
    assert [
        (entry["topic_id"], entry["span_id"]) for entry in report_json(resumed)["left_open"]
    ] == [(request.call.topic_id, request.call.span_id) for request in resumed.left_open]
    assert resumed.totals["cost"] == pytest.approx(resumed.spent.cost)


async def test_failed_topics_are_tried_again_and_leave_one_row(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 10)
    first = await run(
        tmp_path, source, latency="fixed:1", faults="empty-200=1", attempts=1, patience=0.0
    )
    assert first.exit_code == 1
    assert first.totals["failed"] == 10

    second = await run(tmp_path, source, latency="fixed:1")

    assert second.exit_code == 0
    assert [row["session"] for row in rows_of(tmp_path)] == [2] * 10
    assert {span["session"] for span in rows_of(tmp_path, "traces")} == {2}


async def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 3)
    await run(tmp_path, source)
    before = (tmp_path / "out" / "results.jsonl").read_bytes()

    report = await run(tmp_path, source)

    assert report.exit_code == 0
    assert report.session.totals.calls == 0
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before
    assert manifest_of(tmp_path)["sessions"] == 2


async def test_a_limit_may_grow_and_shrink_from_session_to_session(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 10)

    counts = []
    for limit in (3, 7, 2, None):
        report = await run(tmp_path, source, limit=limit)
        counts.append(
            (report.exit_code, report.totals["rows"], report.unfinished, report.session.done)
        )

    assert counts == [(0, 3, 0, 3), (0, 7, 0, 4), (0, 7, 0, 0), (0, 10, 0, 3)]


async def test_another_dataset_in_the_same_directory_is_an_error_that_says_so(
    tmp_path: Path,
) -> None:
    source = a_topic_file(tmp_path, 2)
    await run(tmp_path, source)
    other = tmp_path / "other.jsonl"
    other.write_text('{"topic": "Rivers"}\n{"topic": "Lakes"}\n{"topic": "Seas"}\n')

    with pytest.raises(ResultsError) as refused:
        await run(tmp_path, other)

    said = str(refused.value)
    assert (
        f"began with other topics than are now in {other}: it is another file: neither its first"
        " line nor" in said
    )
    assert said.endswith(
        "or begin another run with a new --out DIR: what the cache has costs nothing there"
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "deepseek-v4-pro"}, "model (then 'deepseek-flash', now 'deepseek-v4-pro')"),
        ({"thinking": False}, "thinking (then None, now False)"),
        ({"shuffle": 1}, "shuffle (then None, now 1)"),
        ({"filter": ("id~topic",)}, "filter (then [], now ['id~topic'])"),
        ({"steps": {"research": {"max_tokens": 500}}}, "steps (then {}, now {'research'"),
        ({"workflow_settings": {"max_questions": 4}}, "workflow_settings (then "),
    ],
)
async def test_what_decides_the_answers_cannot_change_within_a_run(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    source = a_topic_file(tmp_path, 2)
    await run(tmp_path, source)

    with pytest.raises(ResultsError) as refused:
        await run(tmp_path, source, **changed)

    assert said in str(refused.value)


async def test_other_prompts_in_the_same_directory_are_an_error(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 2)
    await run(tmp_path, source)
    prompts = edited_prompts(tmp_path / "prompts.toml", ("You plan research.", "You plan."))

    with pytest.raises(ResultsError, match=r"differs in prompts \(they were edited since\)"):
        await run(tmp_path, source, prompts=prompts)


async def test_a_bad_line_is_skipped_and_is_no_failure_of_the_run(tmp_path: Path) -> None:
    source = tmp_path / "topics.jsonl"
    source.write_text(
        '{"id": "line-2", "topic": "One"}\n{"topic": 7}\n{"id": "c", "topic": "Three"}\n'
    )

    with pytest.raises(DatasetError, match=r"topics\.jsonl:2"):
        await run(tmp_path, source)
    assert not (tmp_path / "out").exists()
    report = await run(tmp_path, source, skip_bad=True)
    again = await run(tmp_path, source, skip_bad=True)

    assert report.exit_code == again.exit_code == 0
    rows = sorted(rows_of(tmp_path), key=lambda row: int(row["index"]))
    assert [(row["topic_id"], row["index"], row["status"]) for row in rows] == [
        ("line-2", 0, "ok"),
        ("c", 2, "ok"),
    ]
    assert manifest_of(tmp_path)["status"] == "complete"
    assert manifest_of(tmp_path)["dataset"]["skipped"] == 1
    for told in (report, again):
        said = plain([summary_of(told, loaded(tmp_path).settings)])
        assert said.startswith("topics    2: 2 ok, 0 degraded, 0 failed, 1 skipped\nskipped   ")
        assert f"skipped   {source}:2: the field 'topic' is a number, not a string" in said
        assert "harness resume" not in said
        assert (report_json(told)["skipped"], report_json(told)["exit_code"]) == (1, 0)


@pytest.mark.parametrize("mode", ["off", "refresh", "read_write"])
async def test_each_mode_of_the_cache_goes_on_after_an_interruption(
    tmp_path: Path, mode: str
) -> None:
    source = a_topic_file(tmp_path, 6)
    shared: dict[str, Any] = {"cache": tmp_path / "cache.db", "latency": SLOW, "runs": 2}
    await run(tmp_path / "warm", source, run_id="another", **shared)
    stop = Stop()
    asyncio.get_running_loop().call_later(12.0, stop.set, "interrupted", "interrupted by a test")
    await run(tmp_path, source, stop=stop, cache_mode=mode, **shared)

    report = await run(tmp_path, source, cache_mode=mode, **shared)

    assert report.exit_code == 0
    calls, paid = len(rows_of(tmp_path, "traces")), journaled(tmp_path, "stored", RUN_ID)
    if mode == "read_write":
        assert paid == 0  # by another run, long ago
    elif mode == "refresh":
        assert paid == calls  # anew, and each of them once
    else:
        assert calls < paid < 2 * calls  # what had no row yet was lost


async def test_replay_answers_everything_and_a_miss_says_what_to_do(tmp_path: Path) -> None:
    source = a_topic_file(tmp_path, 3)
    await run(tmp_path / "warm", source, cache=tmp_path / "cache.db")

    replayed = await run(
        tmp_path / "replay", source, cache=tmp_path / "cache.db", cache_mode="replay"
    )
    missing = await run(
        tmp_path / "miss",
        source,
        cache=tmp_path / "cache.db",
        cache_mode="replay",
        model="deepseek-v4-pro",
    )

    assert replayed.exit_code == 0
    assert replayed.totals["hits"] == replayed.totals["calls"]
    assert missing.exit_code == 1
    message = rows_of(tmp_path / "miss")[0]["error"]["message"]
    assert "because model changed; take that back, or record the new answers" in message
    assert 'model: recorded "deepseek-flash", wanted "deepseek-v4-pro"' in message


async def test_an_interruption_before_the_first_call_leaves_nothing(tmp_path: Path) -> None:
    stop = Stop()
    stop.set("interrupted", "interrupted by a test")

    with pytest.raises(RunStopped):
        await run(tmp_path, a_topic_file(tmp_path, 3), stop=stop)

    assert os.listdir(tmp_path) == ["topics.jsonl"]
