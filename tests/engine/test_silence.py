"""Requests to which nothing comes: a long prompt, a queue, or a server that hangs."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from fakes import Engine, FakeModel, a_call, a_request, an_answer, gathered, text_of

from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Served
from harness.domain.failures import TransientError
from harness.domain.policy import Limits, OutagePolicy, RetryPolicy
from harness.errors import RunStopped

pytestmark = pytest.mark.harness_virtual_time

ASKS_EVERY_S = 15.0


@dataclass(slots=True)
class SilentModel(FakeModel):
    """Answers begin after `begins_s` and are whole `latency_s` later; math.inf: never.

    Asks what to do about a silence as the endpoint's adapter does.
    """

    begins_s: Callable[[Request, float], float] = lambda request, at: 1.0
    first_token_s: float = 600.0
    given_up: list[tuple[str, float]] = field(default_factory=list)

    async def complete(self, request: Request, call: Call) -> Completion:
        loop = asyncio.get_running_loop()
        at = loop.time()
        self.sent.append(request)
        self.sent_at.append(at)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await self._silent(request, call, at)
            await asyncio.sleep(
                self.latency_s(request) if callable(self.latency_s) else self.latency_s
            )
        finally:
            self.in_flight -= 1
        return replace(
            an_answer(f"answer to {text_of(request)}"), served=Served(latency_s=loop.time() - at)
        )

    async def _silent(self, request: Request, call: Call, at: float) -> None:
        assert call.attempt.on_silence is not None
        assert call.attempt.on_life is not None
        loop = asyncio.get_running_loop()
        begins_at, deadline = at + self.begins_s(request, at), at + self.first_token_s
        while (left_s := begins_at - loop.time()) > ASKS_EVERY_S:
            await asyncio.sleep(ASKS_EVERY_S)
            verdict = call.attempt.on_silence(loop.time() - at)
            if verdict == "wait on" and loop.time() >= deadline:
                deadline = loop.time() + self.first_token_s
            elif verdict == "give up" or loop.time() >= deadline:
                self.given_up.append((text_of(request), loop.time()))
                raise TransientError("sent no first token", kind="timeout", billed="unknown")
        await asyncio.sleep(left_s)
        call.attempt.on_life()


def an_engine(model: SilentModel, *, in_flight: int = 4, **fields: object) -> Engine:
    return Engine(
        **{
            "model": model,
            "limits": Limits(in_flight=in_flight, per_run=100),
            "outages": OutagePolicy(),
            "first_token_s": model.first_token_s,
            **fields,
        }  # type: ignore[arg-type]
    )


async def all_at_once(engine: Engine, number: int, **fields: object) -> list[object]:
    return await gathered(
        *(
            engine.completer.complete(
                a_request(f"{i}"), a_call(span_id=f"{i}", priority=i, **fields)
            )
            for i in range(number)
        )
    )


def hanging(
    start_s: float, end_s: float, begins_s: float = 1.0
) -> Callable[[Request, float], float]:
    """A server on which what was sent in this time, or had not begun before it, is never
    answered.
    """

    def begins(request: Request, at: float) -> float:
        return math.inf if start_s - begins_s < at < end_s else begins_s

    return begins


@pytest.mark.parametrize("attempts", [1, 5])
@pytest.mark.parametrize("in_flight", [1, 4, 64])
async def test_a_hang_in_the_middle_of_a_run_loses_no_call(in_flight: int, attempts: int) -> None:
    model = SilentModel(begins_s=hanging(30.0, 1830.0), latency_s=2.0)
    engine = an_engine(model, in_flight=in_flight, retry=RetryPolicy(attempts=attempts))
    answers = await all_at_once(engine, 20 * in_flight)
    assert all(isinstance(answer, Completion) for answer in answers)
    # Two minutes of silence, and it is looked at every 15 s.
    assert 150.0 <= model.given_up[0][1] <= 30.0 + 120.0 + 15.0
    # After its end: a probe that hangs is given up, and the next one leaves within a minute.
    assert min(at for at in model.sent_at if at >= 1830.0) <= 1830.0 + 135.0 + 60.0


async def test_what_hung_is_given_up_within_15_seconds_of_the_first_answer_and_sent_again() -> None:
    model = SilentModel(begins_s=hanging(30.0, 300.0), latency_s=2.0)
    engine = an_engine(model, in_flight=8)
    answers = await all_at_once(engine, 160)
    assert all(isinstance(answer, Completion) for answer in answers)
    first_answer_at = min(at for at in model.sent_at if at >= 300.0) + 1.0
    assert max(at for _, at in model.given_up) <= first_answer_at + ASKS_EVERY_S


async def test_a_slow_server_is_given_five_times_the_time_it_took_before() -> None:
    model = SilentModel(begins_s=hanging(30.0, 1e9, begins_s=40.0), latency_s=2.0)
    engine = an_engine(model, in_flight=8, outages=OutagePolicy(patience_s=900.0))
    await all_at_once(engine, 100)
    # Eight answers began 40 s after they were asked for; the last of them is heard at 40 s.
    assert model.given_up[0][1] >= 42.0 + 5 * 40.0
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "provider"


async def test_before_five_answers_have_begun_only_the_time_out_counts() -> None:
    model = SilentModel(begins_s=hanging(0.0, 700.0), latency_s=2.0)
    engine = an_engine(model, in_flight=4)
    answers = await all_at_once(engine, 8)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert model.given_up[0][1] == 600.0


async def test_a_whole_answer_that_is_silent_until_its_end_is_never_taken_for_lost() -> None:
    slow = {"7"}
    model = SilentModel(begins_s=lambda request, at: 500.0 if text_of(request) in slow else 1.0)
    engine = an_engine(model, in_flight=2)
    answers = await all_at_once(engine, 8, stream=False)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert model.given_up == []


async def test_the_patience_ends_also_while_only_probes_hang_and_nobody_waits() -> None:
    model = SilentModel(begins_s=hanging(0.0, 1e9))
    engine = an_engine(model, in_flight=2, outages=OutagePolicy(patience_s=100.0))
    stopped_at: list[float] = []
    engine.stop.on_set(lambda: stopped_at.append(asyncio.get_running_loop().time()))
    outcomes = await all_at_once(engine, 2)
    assert {type(outcome) for outcome in outcomes} == {RunStopped}
    # The first is given up at 600 s.
    assert stopped_at == [700.0]


class Queue:
    """A server that works on `places` requests for `seconds` each, in their order, and is silent
    about the others.
    """

    def __init__(self, places: int, seconds: float) -> None:
        self._free_at = [0.0] * places
        self._seconds = seconds

    def begins_s(self, request: Request, at: float) -> float:
        place = self._free_at.index(min(self._free_at))
        begins_at = max(at, self._free_at[place])
        self._free_at[place] = begins_at + self._seconds
        return begins_at - at + 1.0


async def test_a_queued_call_is_left_waiting_and_the_window_is_narrowed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="harness.limit")
    model = SilentModel(
        begins_s=Queue(places=2, seconds=40.0).begins_s, latency_s=39.0, first_token_s=120.0
    )
    engine = an_engine(model, in_flight=16)
    answers = await all_at_once(engine, 60)
    assert all(isinstance(answer, Completion) for answer in answers)
    # No request was sent twice. The window was narrowed to two, and has grown with the answers
    # since.
    assert len(model.sent) == 60
    assert model.given_up == []
    assert min(places for _, places in engine.limiter.history.since(0.0)) == 2
    assert engine.limiter.state().works_on == 2
    assert "--in-flight 2" in caplog.text


async def test_of_several_endpoints_the_one_that_queues_is_named_with_its_setting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="harness.limit")
    model = SilentModel(
        begins_s=Queue(places=2, seconds=40.0).begins_s, latency_s=39.0, first_token_s=120.0
    )
    engine = an_engine(model, in_flight=16, others={"cloud": FakeModel()})
    await all_at_once(engine, 60)
    assert "in_flight = 2 in [endpoints.own]" in caplog.text


async def test_a_call_that_is_silent_alone_is_given_up_at_its_time_out_and_asked_again() -> None:
    asked: list[float] = []

    def begins(request: Request, at: float) -> float:
        asked.append(at)
        return math.inf if len(asked) == 1 else 1.0

    model = SilentModel(begins_s=begins, first_token_s=60.0)
    engine = an_engine(model, in_flight=1)
    (answer,) = await all_at_once(engine, 1)
    assert isinstance(answer, Completion)
    assert model.given_up == [("0", 60.0)]


async def test_a_window_that_was_narrowed_and_is_full_of_what_hangs_keeps_no_probe_from_leaving() -> (
    None
):
    # The first two are answered; what comes then hangs, is taken for queued, and the window shrinks
    # to one place.
    model = SilentModel(
        begins_s=lambda request, at: math.inf if 5.0 < at < 800.0 else 1.0,
        latency_s=3.0,
        first_token_s=60.0,
    )
    engine = an_engine(model, in_flight=4)

    async def one(number: int, after_s: float) -> object:
        await asyncio.sleep(after_s)
        return await engine.completer.complete(
            a_request(f"{number}"), a_call(span_id=f"{number}", priority=number)
        )

    calls = [one(0, 0.0), one(1, 4.0), one(2, 6.0), one(3, 6.5), one(4, 30.0), one(5, 900.0)]
    answers = await gathered(*calls)
    assert all(isinstance(answer, Completion) for answer in answers)
    # The fourth is given up at 90 s, while two hang in a window of one place; the first probe
    # leaves a second later.
    assert model.given_up[0] == ("4", 90.0)
    assert min(at for at in model.sent_at if at > 30.0) <= 91.0
