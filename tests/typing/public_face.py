"""Right and wrong uses of the public functions, for mypy to read: never imported, never run.

A wrong use is marked `# type: ignore[code]`. As mypy is told to warn of ignores that it does not
need, it fails both where a right use is refused and where a wrong one is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack, assert_type

import harness
from harness.api import CallSettings, RunSettings
from harness.regress.case import CaseRows
from harness.regress.recorded.cassette_fixture import CassetteFixture


async def right_runs(topics: Path) -> None:
    assert_type(await harness.run("topics.jsonl"), harness.Report)
    assert_type(
        harness.run_sync(topics, workflow="debate.py:debate", stop=harness.Stop()), harness.Report
    )
    await harness.run(
        topics, endpoint="mock", out="results/a", cache=topics.parent / "cache.db", budget=1
    )
    await harness.run(
        topics, in_flight=8, rpm=None, budget=0.5, thinking=False, cache_mode="replay", seed=7
    )
    await harness.run(
        topics, patience="6h", ttl=90, connect_timeout=2.5, max_failures="off", filter="lang=de"
    )
    await harness.run(
        topics, filter=["lang=de", "year!=1999"], log_level=("call=debug",), json=True
    )


async def right_tables(topics: Path) -> None:
    await harness.run(
        topics,
        steps={
            "research": {"model": "deepseek-v4-pro", "effort": "high", "extra_body": {"top_k": 40}}
        },
        prices={"some-model": {"input": 0.5, "output": 1.5}},
        endpoints={
            "gpu1": {"like": "vllm", "base_url": "http://gpu1:8000/v1", "cap": "max_tokens"}
        },
        workflow_settings={"min_questions": 3},
    )


async def right_asks() -> None:
    assert_type(await harness.ask("Why?"), harness.Completion)
    schema = harness.JsonSchema(name="causes", schema={"type": "array"})
    image = harness.image("plot.png")
    harness.ask_sync(
        "Why?",
        system="Be brief.",
        max_tokens=200,
        images=[image],
        response_format=schema,
        model="m",
    )
    await harness.ask(
        "Why?", endpoint="mock", latency="fixed:1", faults="0.05", stream=False, transport="httpx2"
    )


async def right_replays(replay: CassetteFixture, topics: Path) -> None:
    async def own(step: harness.Step, topic: harness.Topic) -> str:
        return (await step.complete("answer", topic.text)).content

    assert_type(await replay.ask("Why?", endpoint="mock"), harness.Completion)
    assert_type(
        replay.run_sync(["Why?", {"topic": "How?"}], workflow=own, in_flight=2),
        tuple[CaseRows, ...],
    )
    await replay.run(topics, workflow="research", budget=0.10)
    replay.ask_sync("Why?", system="Be brief.", max_tokens=9)


def passed_on(**settings: Unpack[RunSettings]) -> harness.Report:
    return harness.run_sync("topics.jsonl", workflow="research", **settings)


def also_passed_on(**settings: Unpack[CallSettings]) -> str:
    return harness.ask_sync("Why?", **settings).content


def from_a_file(settings: dict[str, Any]) -> harness.Report:
    return harness.run_sync("topics.jsonl", **settings)


async def wrong_names(topics: Path, replay: CassetteFixture) -> None:
    await harness.run(topics, in_fligt=8)  # type: ignore[call-arg]
    harness.run_sync(topics, endpont="mock")  # type: ignore[call-arg]
    await harness.ask("Why?", temprature=1)  # type: ignore[call-arg]
    harness.ask_sync("Why?", shuffle=7)  # type: ignore[call-arg]
    await replay.run(["Why?"], workflw="research")  # type: ignore[call-arg]
    replay.ask_sync("Why?", max_token=9)  # type: ignore[call-arg]
    passed_on(run=8)  # type: ignore[call-arg]


async def wrong_types(topics: Path, replay: CassetteFixture) -> None:
    await harness.run(topics, in_flight="8")  # type: ignore[arg-type]
    harness.run_sync(topics, budget="1 USD")  # type: ignore[arg-type]
    await harness.run(topics, cache_mode="read-write")  # type: ignore[arg-type]
    await harness.run(topics, max_failures="of")  # type: ignore[arg-type]
    await harness.run(topics, workflow=right_asks)  # type: ignore[arg-type]
    await harness.ask("Why?", effort="medium")  # type: ignore[arg-type]
    harness.ask_sync("Why?", cache=7)  # type: ignore[arg-type]
    harness.ask_sync(["Why?"])  # type: ignore[arg-type]
    await replay.ask("Why?", stream="yes")  # type: ignore[arg-type]
    replay.run_sync([7])  # type: ignore[list-item]


async def wrong_tables(topics: Path) -> None:
    await harness.run(topics, steps={"research": {"modl": "m"}})  # type: ignore[typeddict-unknown-key]
    await harness.run(topics, steps={"research": {"top_p": "high"}})  # type: ignore[typeddict-item]
    await harness.run(topics, prices={"some-model": {"input": 0.5}})  # type: ignore[typeddict-item]
    await harness.run(topics, endpoints={"gpu1": {"url": "http://gpu1"}})  # type: ignore[typeddict-unknown-key]
