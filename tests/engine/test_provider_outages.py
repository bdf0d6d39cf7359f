"""The provider goes away and comes back: calls wait in place, a probe looks, and nothing fails for
it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

import pytest
from fakes import Engine, FakeModel, a_call, a_refusal, a_request, a_reset, an_answer, gathered

from harness.domain.completion import Completion
from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError
from harness.domain.policy import Limits, OutagePolicy, RetryPolicy
from harness.engine.limiter import Limiter
from harness.engine.provider import KEPT_OUTAGES, OutageState, Provider
from harness.engine.stopping import Stop
from harness.errors import RunStopped

pytestmark = pytest.mark.harness_virtual_time

WAITING = OutagePolicy()
Failing = Callable[[], CompletionError]

KINDS: dict[str, Failing] = {
    "503": lambda: TransientError("503: busy", kind="server", status=503),
    "502 with HTML": lambda: TransientError("502: Bad Gateway", kind="gateway", status=502),
    "500": lambda: TransientError("500: Internal Server Error", kind="server", status=500),
    "refused": lambda: TransientError("no connection: refused", kind="connection"),
    "reset": lambda: a_reset(billed="unknown"),
    "429": a_refusal,
    "silence": lambda: TransientError("sent no first token", kind="timeout", billed="unknown"),
    "empty 200": lambda: TransientError("no completion: an empty body", kind="malformed"),
    "404": lambda: PermanentError("404: no route matched", kind="bad_request", status=404),
    "redirect": lambda: PermanentError("302: a redirect", kind="redirect", status=302),
}


def away(
    start_s: float, end_s: float, failing: Failing
) -> Callable[[FakeModel], CompletionError | None]:
    """A provider that fails every request between these times of the loop."""

    def refuse(model: FakeModel) -> CompletionError | None:
        return failing() if start_s <= asyncio.get_running_loop().time() < end_s else None

    return refuse


async def all_at_once(engine: Engine, number: int) -> list[object]:
    return await gathered(
        *(
            engine.completer.complete(a_request(f"{i}"), a_call(span_id=f"{i}", priority=i))
            for i in range(number)
        )
    )


@pytest.mark.parametrize("in_flight", [1, 4, 64])
@pytest.mark.parametrize("attempts", [1, 5])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_outage_of_75_seconds_fails_no_call_and_meets_only_probes(
    kind: str, attempts: int, in_flight: int
) -> None:
    model = FakeModel(latency_s=2.0, refuse=away(9.0, 84.0, KINDS[kind]))
    engine = Engine(
        model=model,
        limits=Limits(in_flight=in_flight, per_run=100),
        retry=RetryPolicy(attempts=attempts),
        outages=WAITING,
    )
    answers = await all_at_once(engine, max(60, 10 * in_flight))
    assert all(isinstance(answer, Completion) for answer in answers)
    # Intervals of 1, 2, 4 … 64 s, each at least half as long: at most ten probes in 75 s.
    meanwhile = [at for at in model.sent_at if 9.0 <= at < 84.0]
    assert len(meanwhile) <= in_flight + 10
    # The last interval before the end is at most a minute.
    assert min(at for at in model.sent_at if at >= 84.0) <= 84.0 + 60.0


@pytest.mark.parametrize("in_flight", [4, 64])
@pytest.mark.parametrize("kind", ["503", "refused"])
async def test_answers_that_still_come_in_at_the_start_of_an_outage_send_nothing_into_it(
    kind: str, in_flight: int
) -> None:
    draw = random.Random(3)
    model = FakeModel(
        latency_s=lambda request: draw.uniform(2.0, 8.0), refuse=away(31.0, 106.0, KINDS[kind])
    )
    engine = Engine(
        model=model,
        limits=Limits(in_flight=in_flight, per_run=100),
        retry=RetryPolicy(attempts=1),
        outages=WAITING,
    )
    answers = await all_at_once(engine, 20 * in_flight)
    assert all(isinstance(answer, Completion) for answer in answers)
    # The first failure, three more until it is certain, and the probes of 75 s.
    assert len([at for at in model.sent_at if 31.0 <= at < 106.0]) <= 4 + 10


async def test_two_failures_of_a_hundred_slow_nothing_down() -> None:
    draw, chance = random.Random(5), random.Random(6)
    model = FakeModel(
        latency_s=lambda request: draw.uniform(2.0, 8.0),
        refuse=lambda it: KINDS["503"]() if chance.random() < 0.02 else None,
    )
    engine = Engine(model=model, limits=Limits(in_flight=64, per_run=100), outages=WAITING)
    answers = await all_at_once(engine, 1280)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert engine.limiter.provider.outages == []
    # 1280 answers of 5 s on average, 64 at a time, take 100 s, and the last of them up to 8 s more.
    assert asyncio.get_running_loop().time() < 1.05 * 100.0 + 8.0


@pytest.mark.parametrize("kind", ["503", "refused", "502 with HTML", "429"])
async def test_a_cold_start_of_ten_minutes_is_waited_for(kind: str) -> None:
    model = FakeModel(latency_s=2.0, refuse=away(0.0, 600.0, KINDS[kind]))
    engine = Engine(model=model, limits=Limits(in_flight=8, per_run=100), outages=WAITING)
    answers = await all_at_once(engine, 40)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert asyncio.get_running_loop().time() < 700.0


async def test_after_the_patience_the_run_stops_and_no_call_has_failed() -> None:
    model = FakeModel(latency_s=2.0, refuse=away(9.0, 1e9, KINDS["refused"]))
    engine = Engine(
        model=model, limits=Limits(in_flight=4, per_run=100), outages=OutagePolicy(patience_s=600.0)
    )
    outcomes = await all_at_once(engine, 60)
    assert {type(outcome) for outcome in outcomes} == {Completion, RunStopped}
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "provider"
    assert "--patience" in engine.stop.cause.message
    assert asyncio.get_running_loop().time() == pytest.approx(609.0, abs=3.0)


async def test_after_an_hour_of_refusals_the_window_is_as_wide_as_before() -> None:
    model = FakeModel(latency_s=2.0, refuse=away(31.0, 3631.0, KINDS["429"]))
    engine = Engine(model=model, limits=Limits(in_flight=64, per_run=100), outages=WAITING)
    peaks: list[int] = []

    def look() -> None:
        peaks.append(engine.limiter.in_flight)

    asyncio.get_running_loop().call_at(30.0, look)
    # A minute at most until the next probe, two seconds for its answer, and one for the window to
    # open.
    asyncio.get_running_loop().call_at(3631.0 + 63.0, look)
    answers = await all_at_once(engine, 64 * 80)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert peaks == [64, 64]


async def test_a_wait_that_is_longer_than_the_patience_is_told_at_once() -> None:
    model = FakeModel(refuse=lambda it: a_refusal(retry_after_s=7 * 3600.0))
    engine = Engine(model=model, outages=WAITING)
    (outcome,) = await all_at_once(engine, 1)
    assert isinstance(outcome, RunStopped)
    assert "asks to be left alone for 7 h" in str(outcome)
    assert asyncio.get_running_loop().time() < 1.0


async def test_a_wait_of_hours_within_the_patience_is_waited_for() -> None:
    loop = asyncio.get_running_loop()
    model = FakeModel(
        refuse=lambda it: (
            a_refusal(retry_after_s=7200.0 - loop.time()) if loop.time() < 7200.0 else None
        )
    )
    engine = Engine(model=model, outages=WAITING, limits=Limits(in_flight=4, per_run=100))
    answers = await all_at_once(engine, 8)
    assert all(isinstance(answer, Completion) for answer in answers)
    assert len([at for at in model.sent_at if at < 7200.0]) <= 4
    assert loop.time() < 7300.0


async def test_the_wait_is_told_as_an_outage_and_the_seconds_add_up() -> None:
    model = FakeModel(latency_s=2.0, refuse=away(0.0, 30.0, KINDS["503"]))
    engine = Engine(model=model, limits=Limits(in_flight=1, per_run=100), outages=WAITING)
    first, second = await all_at_once(engine, 2)
    assert isinstance(first, Completion)
    assert isinstance(second, Completion)
    for answer in (first, second):
        assert answer.served.outage_s > 15.0
    (outage,) = engine.limiter.provider.outages
    assert outage.since == 0.0
    assert outage.until is not None
    assert 30.0 <= outage.until <= 92.0


async def test_a_stop_ends_the_wait_at_once() -> None:
    model = FakeModel(refuse=away(0.0, 1e9, KINDS["refused"]))
    engine = Engine(model=model, outages=WAITING)
    asyncio.get_running_loop().call_later(100.0, lambda: engine.stop.set("interrupted", "Ctrl-C"))
    outcomes = await all_at_once(engine, 3)
    assert {type(outcome) for outcome in outcomes} == {RunStopped}
    assert asyncio.get_running_loop().time() == 100.0


async def test_one_call_that_fails_by_itself_holds_up_no_other_and_fails_after_its_attempts() -> (
    None
):
    def script(request: object) -> Completion | CompletionError:
        return KINDS["500"]() if "poison" in str(request) else an_answer("fine")

    for in_flight in (1, 4):
        model = FakeModel(latency_s=2.0, script=script)
        engine = Engine(
            model=model,
            limits=Limits(in_flight=in_flight, per_run=100),
            retry=RetryPolicy(attempts=3),
            outages=WAITING,
        )
        calls = [engine.completer.complete(a_request("poison"), a_call(span_id="poison"))]
        calls += [
            engine.completer.complete(a_request(f"{i}"), a_call(span_id=f"{i}", priority=i + 1))
            for i in range(40)
        ]
        outcomes = await gathered(*calls)
        assert isinstance(outcomes[0], TransientError)
        assert all(isinstance(outcome, Completion) for outcome in outcomes[1:])
        # Each attempt that counts comes after one by which nothing could be told yet.
        assert len([request for request in model.sent if "poison" in str(request)]) <= 2 * 3


async def test_a_call_that_fails_by_itself_fails_also_when_it_is_the_last_one() -> None:
    def script(request: object) -> Completion | CompletionError:
        return KINDS["500"]() if "poison" in str(request) else an_answer("fine")

    model = FakeModel(
        latency_s=lambda request: 0.1 if "poison" in str(request) else 5.0, script=script
    )
    engine = Engine(model=model, limits=Limits(in_flight=4, per_run=100), outages=WAITING)
    calls = [engine.completer.complete(a_request("poison"), a_call(span_id="poison"))]
    calls += [
        engine.completer.complete(a_request(f"{i}"), a_call(span_id=f"{i}", priority=i + 1))
        for i in range(40)
    ]
    outcomes = await gathered(*calls)
    assert isinstance(outcomes[0], TransientError)
    # The others take 5 s each, four at a time; and then it is not the patience of six hours that
    # ends it.
    assert asyncio.get_running_loop().time() < 50.0 + 60.0


@pytest.mark.parametrize("in_flight", [1, 8, 64])
async def test_a_server_that_fails_half_of_all_requests_for_ever_fails_no_call(
    in_flight: int,
) -> None:
    chance = random.Random(in_flight)
    model = FakeModel(
        latency_s=2.0, refuse=lambda it: KINDS["503"]() if chance.random() < 0.5 else None
    )
    engine = Engine(model=model, limits=Limits(in_flight=in_flight, per_run=100), outages=WAITING)
    answers = await all_at_once(engine, 500)
    assert all(isinstance(answer, Completion) for answer in answers)


async def test_a_call_that_fails_amid_others_that_recover_is_not_spared_for_ever() -> None:
    chance = random.Random(3)

    def script(request: object) -> Completion | CompletionError:
        return (
            KINDS["503"]()
            if "poison" in str(request) or chance.random() < 0.5
            else an_answer("fine")
        )

    model = FakeModel(latency_s=0.2, script=script)
    engine = Engine(model=model, limits=Limits(in_flight=8, per_run=100), outages=WAITING)
    calls = [engine.completer.complete(a_request("poison"), a_call(span_id="poison"))]
    calls += [
        engine.completer.complete(a_request(f"{i}"), a_call(span_id=f"{i}", priority=i + 1))
        for i in range(1500)
    ]
    outcomes = await gathered(*calls)
    assert isinstance(outcomes[0], TransientError)
    assert all(isinstance(outcome, Completion) for outcome in outcomes[1:])


async def test_a_404_for_one_step_only_fails_its_calls_and_holds_up_nothing() -> None:
    def script(request: object) -> Completion | CompletionError:
        return KINDS["404"]() if "other model" in str(request) else an_answer("fine")

    model = FakeModel(latency_s=2.0, script=script)
    engine = Engine(model=model, limits=Limits(in_flight=4, per_run=100), outages=WAITING)
    texts = [f"{'other model' if i % 2 else 'mine'} {i}" for i in range(40)]
    outcomes = await gathered(
        *(
            engine.completer.complete(a_request(text), a_call(span_id=text, priority=i))
            for i, text in enumerate(texts)
        )
    )
    assert [isinstance(outcome, Completion) for outcome in outcomes] == [
        not i % 2 for i in range(40)
    ]
    # Forty requests of 2 s, four at a time, take 20 s.
    assert asyncio.get_running_loop().time() < 40.0


async def test_equal_refusals_before_anything_was_answered_end_the_run() -> None:
    model = FakeModel(
        refuse=lambda it: PermanentError(
            f"400: no model, call {len(it.sent)}", kind="bad_request", status=400
        )
    )
    engine = Engine(model=model, limits=Limits(in_flight=1, per_run=100), outages=WAITING)
    outcomes = await all_at_once(engine, 42)
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "refused"
    assert len(model.sent) == 5
    assert sum(isinstance(outcome, PermanentError) for outcome in outcomes) == 4


async def test_equal_refusals_after_an_answer_are_each_topics_own() -> None:
    model = FakeModel(
        refuse=lambda it: (
            PermanentError("400: no", kind="bad_request", status=400) if len(it.sent) > 1 else None
        )
    )
    engine = Engine(model=model, limits=Limits(in_flight=1, per_run=100), outages=WAITING)
    outcomes = await all_at_once(engine, 20)
    assert engine.stop.cause is None
    assert sum(isinstance(outcome, PermanentError) for outcome in outcomes) == 19


async def test_the_same_500_to_every_probe_before_anything_was_answered_ends_the_run() -> None:
    model = FakeModel(refuse=away(0.0, 1e9, KINDS["500"]))
    engine = Engine(model=model, limits=Limits(in_flight=8, per_run=100), outages=WAITING)
    outcomes = await all_at_once(engine, 42)
    assert {type(outcome) for outcome in outcomes} == {RunStopped, FatalError}
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "refused"
    assert len(model.sent) <= 8 + 5


async def test_an_outage_is_logged_when_it_is_certain_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="harness.limit")
    model = FakeModel(latency_s=1.0, refuse=away(5.0, 40.0, KINDS["503"]))
    engine = Engine(model=model, limits=Limits(in_flight=2, per_run=100), outages=WAITING)
    await all_at_once(engine, 30)
    assert [record.getMessage().split(",")[0].split(" after ")[0] for record in caplog.records] == [
        "the provider does not answer",
        "the provider answers again",
    ]


async def test_an_outage_that_goes_on_is_shown_with_what_comes_next() -> None:
    model = FakeModel(latency_s=1.0, refuse=away(0.0, 1e9, KINDS["503"]))
    engine = Engine(
        model=model, limits=Limits(in_flight=1, per_run=100), outages=OutagePolicy(patience_s=600.0)
    )
    loop = asyncio.get_running_loop()
    shown: list[OutageState | None] = [engine.limiter.state().outage]
    loop.call_later(100.0, lambda: shown.append(engine.limiter.state().outage))
    await all_at_once(engine, 3)
    before, during = shown
    assert before is None
    assert during is not None
    assert (during.for_s, during.patience_s, during.kind, during.message) == (
        100.0,
        500.0,
        "server",
        "503: busy",
    )
    assert during.certain
    assert during.probes == len([at for at in model.sent_at if 0.0 < at <= 100.0])
    assert during.next_probe_s == pytest.approx(
        min(at for at in model.sent_at if at > 100.0) - 100.0
    )


async def test_of_many_outages_the_last_are_kept() -> None:
    provider = Provider(WAITING, Stop(), random.Random(0), lambda: None)
    for number in range(KEPT_OUTAGES + 5):
        provider.failed(
            KINDS["503"](),
            owner="a",
            key="a",
            sent_at=0.0,
            number=number,
            before=None,
            probe=True,
            alone=True,
        )
        await asyncio.sleep(20.0)
        provider.sends(asyncio.get_running_loop().time())
        provider.begun(owner="b", number=provider.sent, after_s=1.0)
        await asyncio.sleep(20.0)
    # The first five, each 40 s after the one before, are gone.
    assert [(outage.since, outage.until) for outage in provider.outages] == [
        (40.0 * number, 40.0 * number + 20.0) for number in range(5, KEPT_OUTAGES + 5)
    ]


async def test_a_call_that_failed_in_an_outage_is_not_held_responsible_in_the_next() -> None:
    # Up for 15 s and down for 30 s, again and again; answers take 8 s, and what has not come is cut
    # off.
    def cut(request: object) -> Completion | CompletionError:
        return (
            KINDS["reset"]()
            if asyncio.get_running_loop().time() % 45.0 < 30.0
            else an_answer("fine")
        )

    model = FakeModel(latency_s=8.0, script=cut)
    engine = Engine(
        model=model,
        limits=Limits(in_flight=4, per_run=100),
        retry=RetryPolicy(attempts=1),
        outages=WAITING,
    )
    answers = await all_at_once(engine, 60)
    assert all(isinstance(answer, Completion) for answer in answers)


async def test_equal_refusals_of_one_and_the_same_request_are_no_sign_of_a_mistake_in_the_settings() -> (
    None
):
    model = FakeModel(refuse=lambda it: PermanentError("400: no", kind="bad_request", status=400))
    engine = Engine(
        model=model, limits=Limits(in_flight=1, per_run=100), mode="off", outages=WAITING
    )
    outcomes = await gathered(
        *(engine.completer.complete(a_request("same"), a_call(span_id=f"{i}")) for i in range(9))
    )
    assert engine.stop.cause is None
    assert {type(outcome) for outcome in outcomes} == {PermanentError}


async def test_equal_refusals_in_a_run_that_was_answered_in_an_earlier_session_are_each_topics_own() -> (
    None
):
    stop = Stop()
    limiter = Limiter(Limits(), stop, answered_before=True)
    error = PermanentError("400: no", kind="bad_request", status=400)
    reaches = {
        limiter.provider.failed(
            error,
            owner=f"{i}",
            key=f"{i}",
            sent_at=0.0,
            number=i,
            before=None,
            probe=False,
            alone=False,
        )
        for i in range(9)
    }
    assert reaches == {"topic"}


async def test_refusals_of_requests_that_were_in_flight_together_count_once() -> None:
    model = FakeModel(latency_s=2.0, script=lambda request: KINDS["500"]())
    engine = Engine(model=model, limits=Limits(in_flight=8, per_run=100), outages=WAITING)
    await all_at_once(engine, 42)
    assert engine.stop.cause is not None
    assert engine.stop.cause.kind == "refused"
    # The eight of the start are one refusal; four probes make it five. Others may leave while those
    # are under way.
    assert 8 + 4 <= len(model.sent) <= 8 + 4 + 3
