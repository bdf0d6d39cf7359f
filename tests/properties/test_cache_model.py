"""The SQLite cache and the one in memory agree, whatever is done to them, reopening included."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from harness.cache.memory import MemoryCache
from harness.cache.sqlite_cache import SqliteCache
from harness.domain.call import Call
from harness.domain.completion import Completion, Message, Request, Usage
from harness.domain.key import cache_key
from harness.ports import OpenCall, Resolution

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
RUNS = ("x", "y")
REQUESTS = tuple(
    Request(endpoint="mock", model="m", messages=(Message(role="user", content=text),))
    for text in ("a", "b", "ü\ud83d")
)

requests = st.sampled_from(REQUESTS)
runs = st.sampled_from(RUNS)
# Eighths add up without rounding, in whatever order.
costs = st.none() | st.integers(0, 80).map(lambda eighths: eighths / 8)
tokens = st.integers(0, 1000)


class CacheMachine(RuleBasedStateMachine):
    """Both caches are told the same. `numbers` are open calls, as each of them counts, and after
    which reopening.
    """

    numbers: Bundle[tuple[int, int, int]] = Bundle("numbers")

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.model = MemoryCache()
        self.step = 0
        self.reopened = 0
        self.enter()

    def enter(self) -> None:
        path = Path(self.directory.name) / "cache.db"
        self.manager: AbstractAsyncContextManager[SqliteCache] = SqliteCache.open(path)
        self.cache = self.runner.run(self.manager.__aenter__())

    def leave(self) -> None:
        self.runner.run(self.manager.__aexit__(None, None, None))

    def now(self) -> datetime:
        self.step += 1
        return NOON + timedelta(seconds=self.step)

    @rule(target=numbers, request=requests, run_id=runs, cost=costs, at_most=tokens)
    def open_call(
        self, request: Request, run_id: str, cost: float | None, at_most: int
    ) -> tuple[int, int, int]:
        call = Call(run_id=run_id, topic_id="t", span_id=str(self.step))
        entry = OpenCall(
            key=cache_key(request),
            call=call,
            opened_at=self.now(),
            cost_at_most=cost,
            tokens_at_most=at_most,
        )
        number = self.runner.run(self.cache.open_call(request, entry))
        return number, self.runner.run(self.model.open_call(request, entry)), self.reopened

    @rule(
        number=consumes(numbers),
        cost=costs,
        count=tokens,
        content=st.text(max_size=5),
        stored=st.booleans(),
        keep=st.booleans(),
    )
    def resolve(
        self,
        number: tuple[int, int, int],
        cost: float | None,
        count: int,
        content: str,
        stored: bool,
        keep: bool,
    ) -> None:
        in_file, in_model, opened = number
        if opened != self.reopened:
            return  # a crash lies between: this call stays open for ever, in both
        completion = Completion(
            model="m", content=content, finish_reason="stop", usage=Usage(), cost=cost
        )
        resolution = Resolution(
            outcome="stored" if stored else "failed",
            closed_at=self.now(),
            cost=cost,
            tokens=count,
            completion=completion,
            keep=keep,
        )
        self.runner.run(self.cache.resolve(in_file, resolution))
        self.runner.run(self.model.resolve(in_model, resolution))

    @rule(request=requests)
    def claim(self, request: Request) -> None:
        key = cache_key(request)
        assert self.runner.run(self.cache.claim(key)) == self.runner.run(self.model.claim(key))

    @rule(request=requests)
    def release(self, request: Request) -> None:
        async def release() -> None:
            self.cache.release(cache_key(request))
            self.model.release(cache_key(request))

        self.runner.run(release())

    @rule()
    def reopen(self) -> None:
        self.leave()
        for request in REQUESTS:
            self.model.release(cache_key(request))  # leases end with their holder
        self.reopened += 1
        self.enter()

    @invariant()
    def both_give_the_same_answers(self) -> None:
        for request in REQUESTS:
            key = cache_key(request)
            assert self.runner.run(self.cache.get(key, request)) == self.runner.run(
                self.model.get(key, request)
            )

    @invariant()
    def both_keep_the_same_journal(self) -> None:
        for run_id in RUNS:
            assert self.runner.run(self.cache.spent(run_id)) == self.runner.run(
                self.model.spent(run_id)
            )
            left = self.runner.run(self.cache.left_open(run_id))
            assert list(left) == list(self.runner.run(self.model.left_open(run_id)))

    def teardown(self) -> None:
        self.leave()
        self.runner.close()
        self.directory.cleanup()


TestCacheMachine = CacheMachine.TestCase
TestCacheMachine.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
