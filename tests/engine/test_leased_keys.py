"""Two engines on one cache, as two processes are: what one is asking, the other waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import anyio
import pytest
from fakes import (
    Engine,
    FakeModel,
    SlowCache,
    a_call,
    a_request,
    accounted_s,
    an_answer,
    gathered,
    one_after_another,
)

from harness.domain.completion import Completion
from harness.domain.failures import PermanentError, TransientError
from harness.domain.key import cache_key
from harness.domain.policy import CacheMode, Limits, Patience, RetryPolicy
from harness.errors import RunStopped, StorageError

pytestmark = pytest.mark.harness_virtual_time

KEY = cache_key(a_request())
LONGEST_S = Patience().longest_s


class Two:
    """Engines of two processes, each with a model of its own, so that it can be told which of them
    asked.
    """

    def __init__(
        self, *, latency_s: float = 10.0, mode: CacheMode = "read_write", **options: Any
    ) -> None:
        self.cache = SlowCache()
        self.first = Engine(
            model=FakeModel(latency_s=latency_s), cache=self.cache, mode=mode, **options
        )
        self.second = Engine(
            model=FakeModel(latency_s=latency_s), cache=self.cache, mode=mode, **options
        )

    def ask_first(self, text: str = "why?") -> Coroutine[Any, Any, Completion]:
        return self.first.completer.complete(a_request(text), a_call(run_id="first"))

    def ask_second(self, text: str = "why?") -> Coroutine[Any, Any, Completion]:
        return self.second.completer.complete(a_request(text), a_call(run_id="second"))

    async def both(
        self, *, second_after_s: float = 1.0
    ) -> tuple[asyncio.Task[Completion], asyncio.Task[Completion]]:
        """The first is asking, and the second has come for the same."""
        first = asyncio.create_task(self.ask_first())
        await asyncio.sleep(second_after_s)
        second = asyncio.create_task(self.ask_second())
        await asyncio.sleep(second_after_s)
        return first, second

    @property
    def sent(self) -> tuple[int, int]:
        return len(self.first.model.sent), len(self.second.model.sent)


async def test_what_another_process_is_asking_is_waited_for_and_shared() -> None:
    two = Two()
    first, second = await two.both()
    answers = await gathered(first, second)
    assert two.sent == (1, 0)
    assert answers[0].content == answers[1].content
    assert (answers[1].served.source, answers[1].served.attempts) == ("shared", 0)
    assert answers[1].owner == "first/t/s"


async def test_a_wait_for_another_process_is_told_as_a_wait_for_a_shared_answer() -> None:
    two = Two()
    loop = asyncio.get_running_loop()
    first = asyncio.create_task(two.ask_first())
    await asyncio.sleep(1.0)
    started = loop.time()
    second = await two.ask_second()
    assert second.served.latency_s == loop.time() - started == accounted_s(second.served)
    assert 9.0 <= second.served.latency_s <= 9.0 + LONGEST_S
    await first


async def test_those_who_wait_within_a_process_share_what_another_process_brought() -> None:
    two = Two()
    first = asyncio.create_task(two.ask_first())
    await asyncio.sleep(1.0)
    answers = await gathered(*(two.ask_second() for _ in range(5)))
    assert [answer.served.source for answer in answers] == ["shared"] * 5
    assert two.sent == (1, 0)
    await first


async def test_a_cancelled_owner_hands_over_to_another_process() -> None:
    two = Two()
    first, second = await two.both()
    first.cancel()
    gone_at = anyio.current_time()
    answer = await second
    assert two.sent == (1, 1)
    assert answer.served.source == "endpoint"
    assert two.second.model.sent_at[0] - gone_at <= LONGEST_S
    # It came at 1.0, and all that it did until it asked was to wait for the other.
    assert answer.served.stored_s == pytest.approx(two.second.model.sent_at[0] - 1.0)
    assert accounted_s(answer.served) == pytest.approx(anyio.current_time() - 1.0)


async def test_a_failure_of_another_process_is_not_shared() -> None:
    two = Two()
    two.first.model.script = lambda request: PermanentError("no", kind="bad_request", status=400)
    first, second = await two.both()
    failure, answer = await gathered(first, second)
    assert isinstance(failure, PermanentError)
    assert (answer.content, two.sent) == ("answer to why?", (1, 1))


async def test_the_lease_is_held_between_attempts() -> None:
    two = Two(latency_s=1.0)
    failure = TransientError("503", kind="server", status=503, retry_after_s=20.0)
    two.first.model.script = one_after_another(failure, an_answer("at last"))
    first, second = await two.both()
    answers = await gathered(first, second)
    assert [answer.content for answer in answers] == ["at last"] * 2
    assert two.sent == (2, 0)


async def test_an_owner_that_lives_and_brings_nothing_is_not_waited_for_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    two = Two(patience=Patience(total_s=60.0))
    await two.cache.claim(KEY)
    with caplog.at_level(logging.WARNING, "harness.cache"):
        answer = await two.ask_second()
    assert answer.served.source == "endpoint"
    assert 60.0 <= answer.served.stored_s <= 60.0 + LONGEST_S
    assert "is asked here, too" in caplog.text
    # Its answer frees the others, too.
    assert (await two.ask_first()).served.source == "cache"


async def test_one_who_waits_holds_no_place() -> None:
    two = Two(limits=Limits(in_flight=1, per_run=1))
    first = asyncio.create_task(two.ask_first())
    await asyncio.sleep(1.0)
    waiting = asyncio.create_task(two.ask_second())
    await asyncio.sleep(1.0)
    other = await two.ask_second("something else")
    assert other.served.queued_s == other.served.queued_run_s == 0.0
    assert (await waiting).served.source == "shared"
    await first


async def test_one_who_waits_hears_at_once_that_the_run_ends_and_leaves_the_lease_alone() -> None:
    two = Two()
    first, second = await two.both()
    told_at = anyio.current_time()
    two.second.stop.set("interrupted", "Ctrl-C")
    with pytest.raises(RunStopped, match="Ctrl-C"):
        await second
    assert anyio.current_time() == told_at
    assert await two.cache.claim(KEY) == "held"
    await first
    assert two.sent == (1, 0)


async def test_one_who_waits_and_is_cancelled_leaves_the_lease_alone() -> None:
    two = Two()
    first, second = await two.both()
    second.cancel()
    assert await two.cache.claim(KEY) == "held"
    await first
    assert two.sent == (1, 0)


@pytest.mark.parametrize("broken", ["open_call", "resolve"])
async def test_a_disk_that_fails_leaves_no_lease(broken: str) -> None:
    two = Two()
    two.cache.failing = {broken}
    assert [type(end) for end in await gathered(two.ask_first())] == [StorageError]
    assert await two.cache.claim(KEY) == "taken"


async def test_an_answer_that_came_between_the_look_and_the_claim_is_found() -> None:
    two = Two(latency_s=1.0)
    first = asyncio.create_task(two.ask_first())
    await asyncio.sleep(0.5)
    two.cache.claim_s = 2.0
    answer = await two.ask_second()
    await first
    assert (answer.served.source, answer.served.latency_s) == ("shared", 2.0)
    assert two.sent == (1, 0)
    two.cache.claim_s = 0.0
    assert await two.cache.claim(KEY) == "found"


async def test_an_entry_that_is_too_old_does_not_keep_anyone_from_asking() -> None:
    two = Two(ttl_s=60.0)
    await two.first.completer.complete(a_request(), a_call(run_id="yesterday"))
    await asyncio.sleep(100.0)
    first, second = await two.both()
    assert [answer.served.source for answer in await gathered(first, second)] == [
        "endpoint",
        "shared",
    ]
    assert two.sent == (2, 0)


async def test_in_mode_refresh_nobody_waits_because_nothing_of_another_run_would_answer() -> None:
    two = Two(mode="refresh")
    first, second = await two.both()
    answers = await gathered(first, second)
    assert [answer.served.source for answer in answers] == ["endpoint"] * 2
    assert two.second.model.sent_at == [1.0]
    assert await two.cache.claim(KEY) == "found"


async def test_one_who_refreshes_is_waited_for() -> None:
    two = Two(mode="refresh")
    first = asyncio.create_task(two.ask_first())
    await asyncio.sleep(1.0)
    reader = Engine(model=FakeModel(), cache=two.cache)
    answer = await reader.completer.complete(a_request(), a_call(run_id="reader"))
    assert (answer.served.source, reader.model.sent) == ("shared", [])
    await first


@pytest.mark.parametrize("mode", ["off", "replay"])
async def test_in_modes_that_store_nothing_no_lease_is_taken(mode: CacheMode) -> None:
    two = Two(mode=mode)
    two.cache.failing = {"claim"}
    ends = await gathered(two.ask_first(), two.ask_second())
    assert [type(end).__name__ for end in ends] == [
        {"off": "Completion", "replay": "CacheMiss"}[mode]
    ] * 2


async def test_three_processes_with_much_in_common_pay_for_each_request_once() -> None:
    cache = SlowCache(look_s=0.001, claim_s=0.002, open_s=0.003, resolve_s=0.004)
    engines = [
        Engine(
            model=FakeModel(latency_s=lambda request: 1.0 + len(str(request)) % 7),
            cache=cache,
            limits=Limits(in_flight=4, per_run=99),
            retry=RetryPolicy(attempts=2),
        )
        for _ in range(3)
    ]

    async def all_of(number: int, engine: Engine) -> list[str]:
        asks = [
            engine.completer.complete(
                a_request(f"{text}"), a_call(run_id=f"{number}", span_id=f"{text}")
            )
            for text in range(40)
        ]
        return [answer.content for answer in await asyncio.gather(*asks)]

    first, *others = await asyncio.gather(
        *(all_of(number, engine) for number, engine in enumerate(engines))
    )
    assert others == [first, first]
    assert sum(len(engine.model.sent) for engine in engines) == 40
