"""The promises of every `harness.ports.Answers`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from stores import NOON, STORES, a_request, an_answer, an_entry, put, stored

from harness.cache.memory import MemoryCache
from harness.cache.recorded_first import RecordedFirst
from harness.domain.call import Call
from harness.domain.completion import (
    FailedAttempt,
    Served,
)
from harness.domain.key import cache_key
from harness.ports import Answers, Cache

AnswersFactory: TypeAlias = Callable[[], AbstractAsyncContextManager[tuple[Cache, Answers]]]


@pytest.fixture(params=[*STORES, "under a recording"])
def open_answers(request: pytest.FixtureRequest, tmp_path: Path) -> AnswersFactory:
    """Opens a store, and what answers from it: itself, or it behind a recording that knows nothing."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[Cache, Answers]]:
        if request.param in STORES:
            async with STORES[request.param](tmp_path) as cache:
                yield cache, cache
        else:
            store = MemoryCache()
            yield store, RecordedFirst(MemoryCache(), store)

    return opened


async def test_an_unknown_key_is_a_miss(open_answers: AnswersFactory) -> None:
    async with open_answers() as (_, answers_of):
        assert await answers_of.get(cache_key(a_request()), a_request()) is None


async def test_a_hit_is_the_stored_answer_with_its_run_and_its_time(
    open_answers: AnswersFactory,
) -> None:
    async with open_answers() as (cache, answers_of):
        await put(cache, a_request(), an_answer())
        hit = await answers_of.get(cache_key(a_request()), a_request())
    assert hit is not None
    assert hit.completion == an_answer()
    assert hit.run_id == "run-1"
    assert hit.created_at == NOON + timedelta(seconds=3)


async def test_an_entry_tells_of_the_paid_call_and_not_of_the_waits_around_it(
    open_answers: AnswersFactory,
) -> None:
    failure = FailedAttempt(number=1, kind="server", message="503")
    served = Served(
        source="shared", attempts=2, failures=(failure,), queued_s=1, queued_run_s=2, paced_s=3, budget_s=4, outage_s=6,
        stored_s=5, ttft_reasoning_s=0.25, ttft_answer_s=0.5, latency_s=0.75,
    )  # fmt: skip
    async with open_answers() as (cache, answers_of):
        await put(cache, a_request(), replace(an_answer(), served=served))
        hit = await answers_of.get(cache_key(a_request()), a_request())
    assert hit is not None
    assert hit.completion.served == Served(
        attempts=2, ttft_reasoning_s=0.25, ttft_answer_s=0.5, latency_s=0.75
    )


async def test_a_newer_answer_replaces_the_older(open_answers: AnswersFactory) -> None:
    async with open_answers() as (cache, answers_of):
        await put(cache, a_request(), an_answer("old"))
        await put(cache, a_request(), an_answer("new"))
        hit = await answers_of.get(cache_key(a_request()), a_request())
    assert hit is not None
    assert hit.completion.content == "new"


async def test_an_entry_never_answers_another_request_under_its_key(
    open_answers: AnswersFactory,
) -> None:
    async with open_answers() as (cache, answers_of):
        await put(cache, a_request(), an_answer())
        assert (
            await answers_of.get(cache_key(a_request()), a_request("Why is the sea blue?")) is None
        )


async def test_equal_requests_in_other_words_share_an_entry(open_answers: AnswersFactory) -> None:
    as_int, as_float = replace(a_request(), temperature=1), replace(a_request(), temperature=1.0)
    async with open_answers() as (cache, answers_of):
        await put(cache, as_int, an_answer())
        assert await answers_of.get(cache_key(as_float), as_float) is not None


async def test_text_with_half_a_surrogate_pair_comes_back_whole(
    open_answers: AnswersFactory,
) -> None:
    request = a_request("cut emoji \ud83d and \\")
    async with open_answers() as (cache, answers_of):
        await put(cache, request, an_answer("also \ude00 here, \\\udc00"))
        hit = await answers_of.get(cache_key(request), request)
    assert hit is not None
    assert hit.completion.content == "also \ude00 here, \\\udc00"


async def test_what_was_stored_for_a_topic_is_found_by_it_and_belongs_to_who_asked_last(
    open_answers: AnswersFactory,
) -> None:
    async with open_answers() as (cache, answers_of):
        for text, topic_id, span_id in (
            ("a", "t1", "s1"),
            ("b", "t1", "s2"),
            ("c", "t2", "s1"),
            ("b", "t2", "s3"),
        ):
            request = a_request(text)
            call = Call(run_id="run-1", topic_id=topic_id, span_id=span_id)
            entry = replace(an_entry(request), call=call)
            await cache.resolve(await cache.open_call(request, entry), stored(an_answer(text)))
        of_first, of_second = await answers_of.recorded("t1"), await answers_of.recorded("t2")
        assert await answers_of.recorded("none") == []
    assert [(one.span_id, one.request, one.completion.content) for one in of_first] == [
        ("s1", a_request("a"), "a")
    ]
    assert {(one.span_id, one.completion.content) for one in of_second} == {
        ("s1", "c"),
        ("s3", "b"),
    }
    assert of_first[0].created_at == stored(an_answer()).closed_at


async def test_a_thousand_callers_at_once_each_get_their_own_answer(
    open_answers: AnswersFactory,
) -> None:
    async with open_answers() as (cache, answers_of):

        async def one(index: int) -> str:
            request = a_request(str(index))
            await put(cache, request, an_answer(f"answer {index}"))
            hit = await answers_of.get(cache_key(request), request)
            assert hit is not None
            return hit.completion.content

        answers = await asyncio.gather(*(one(index) for index in range(1000)))
        assert answers == [f"answer {index}" for index in range(1000)]
        assert (await cache.spent("run-1")).calls == 1000
