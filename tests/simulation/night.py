"""A night: sessions of the real engine, one after another, until every topic has its row.

The world of the seed decides everything, so a night replays exactly. `play` returns its story, with
all that broke a rule; nothing is raised inside the engine, which would make a failure of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from harness.compose import Policies, layered
from harness.domain.call import Call
from harness.domain.completion import Completion, Delta, Request
from harness.domain.key import cache_key
from harness.domain.ledger import Ledger
from harness.domain.pace import Bucket
from harness.domain.policy import Budget
from harness.domain.run import Span, Topic, TopicResult
from harness.domain.step_options import StepOptions
from harness.domain.validity import defect
from harness.engine.routes import Routes
from harness.engine.runner import Runner
from harness.engine.step import RunContext
from harness.engine.stopping import Stop
from harness.ports import Completer, OpenCall, Resolution, Results
from harness.testing.virtual_time import VirtualClock, run_virtual
from simulation import rules
from simulation.disk import Disk, NightCache, NightResults
from simulation.provider import MAX_TOKENS, Provider, true_answer
from simulation.session import Sent, Session
from simulation.workflows import workflow_of
from simulation.world import Ending, Outage, World, world_of

RUN_ID = "tonight"
EARLIER = "an earlier night"
SPARE_SESSIONS = 12
A_MOMENT_S = 1e-7
"""So short that nothing else happens in it."""
REQUESTS_AT_MOST = 20_000


@dataclass(slots=True)
class Story:
    """What happened: every event, and what broke a rule."""

    seed: int
    events: list[tuple[object, ...]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    sessions: int = 0
    requests: int = 0

    def told(self, last: int = 60) -> str:
        """The rules that were broken, the events that led there, and the command that plays the
        night again.
        """
        events = "\n".join(" ".join(map(str, event)) for event in self.events[-last:])
        return (
            f"night {self.seed}: {len(self.broken)} broken, the first: "
            + "; ".join(self.broken[:3])
            + "\n"
            f"the last events (time, session, event):\n{events}\n"
            f"play it again: HARNESS_NIGHT={self.seed} pytest tests/simulation"
        )


def play(seed: int) -> Story:
    """Play the night of a seed to its end, or to the first rule that is broken."""
    night = SimulatedRun(world_of(seed))
    try:
        run_virtual(night.play)
    except RuntimeError as error:
        night.story.broken.append(str(error))
    return night.story


class SimulatedRun:
    """The state of the world through one night."""

    def __init__(self, world: World) -> None:
        self.story = Story(world.seed)
        self._world = world
        self._clock = VirtualClock(world.begins)
        self._pricing = world.settings.pricing()
        self._policy = world.settings.cache_policy()
        self._provider = Provider(world, self._pricing, self._clock)
        self._disk = Disk()
        self._by_row: dict[int, Sent] = {}
        self._sent: list[Sent] = []
        self._session: Session | None = None
        self._items = [
            Topic(id=f"t{index}", text=f"topic {index}", index=index)
            for index in range(world.topics)
        ]
        self._wanted: dict[int, TopicResult] = {}

    async def play(self) -> None:
        """Session after session, as a user would who comes back and tries again."""
        oracle = _Oracle(self._world)
        wanted = self._wanted = {row.index: row for row in await self._undisturbed(oracle)}
        await self._seed_the_cache(oracle.answered)
        budget = self._world.settings.spending_cap()
        endings = list(self._world.endings)
        for number in range(len(endings) + SPARE_SESSIONS):
            session = await self._live(number, endings.pop(0) if endings else None, budget)
            self.story.sessions += 1
            if self.story.broken:
                return
            if not endings and not any(rules.at_the_end_of_the_night(self._disk.rows, wanted)):
                break
            if session.stop.cause is not None and session.stop.cause.kind == "budget":
                budget = _raised(budget, number)
            await asyncio.sleep(self._world.rest_s)
            if not endings and number > len(self._world.endings) + 1:
                await asyncio.sleep(max(0.0, self._world.quiet_from_s - _at()))
        self._break(rules.at_the_end_of_the_night(self._disk.rows, wanted))
        self._break(self._money_of_the_rows())

    async def _live(self, number: int, ending: Ending | None, budget: Budget) -> Session:
        """One session, to its end or its death."""
        session = self._session = Session(
            number=number, world=self._world, ending=ending, budget=budget, on_death=self._on_death
        )
        self._tell("begins", ending or "undisturbed", budget)
        first = len(self._sent)
        cache = NightCache(self._disk, session, self._on_closing)
        ledger = Ledger.after(budget, await cache.spent(RUN_ID))
        limits = self._world.settings.limits()
        completer, limiter = layered(
            _Endpoint(self, session),
            cache=cache,
            policies=Policies.of(self._world.settings),
            limits=limits,
            ledger=ledger,
            stop=session.stop,
            clock=self._clock,
            answered_before=any(sent.answered for sent in self._sent),
        )
        results = NightResults(self._disk, session, self._on_row)
        runner = self._runner(_Watched(self, completer), results, session.stop, limiter.ending)
        session.limiter = limiter
        session.pace = (
            None
            if limits.requests_per_minute is None
            else Bucket.full(limits.requests_per_minute, _at())
        )
        body = asyncio.create_task(self._body(runner))
        session.begin(body)
        self._expect_ends(session)
        await asyncio.wait([body])
        await session.closed()
        self._tell("ends", session.stop.cause, "alive" if session.alive else "dead")
        self._look_back(session, body, self._sent[first:], limiter, ledger)
        self._disk.bury(session)
        return session

    async def _body(self, runner: Runner) -> None:
        progress = await runner.run(self._unfinished())
        if progress.open_topics:
            self._break([f"{progress.open_topics} topics are open after the session"])

    def _look_back(
        self,
        session: Session,
        body: asyncio.Task[None],
        sent: Sequence[Sent],
        limiter: Routes,
        ledger: Ledger,
    ) -> None:
        # Tasks are cancelled in no order that is the same in every process, so this is told
        # afterwards.
        for owner in sorted(request.owner for request in sent if request.state == "cut off"):
            self._tell("was cut off", owner)
        self._check_the_books()
        leaked = asyncio.all_tasks() - {asyncio.current_task()}
        if leaked:
            self._break([f"{len(leaked)} tasks are left after the session"])
        raised = asyncio.CancelledError() if body.cancelled() else body.exception()
        if session.alive:
            if raised is not None and not session.signalled_twice:
                self._break([f"the session raised {raised!r}"])
            self._break(
                rules.at_the_end_of_a_session(
                    session,
                    sent=sent,
                    open_rows=set(self._disk.open_rows),
                    limiter=limiter.state(),
                    ledger=ledger,
                    leases=sum(holder is session for holder in self._disk.leases.values()),
                )
            )
            if ledger.cost < self._provider.cost * (1 - rules.NEAR) - 1e-9:
                self._break(
                    [f"the ledger counts ${ledger.cost:g} and ${self._provider.cost:g} was billed"]
                )
            if session.stopped_at is not None and not session.signalled_twice:
                slack_s = 40 * (self._world.look_s + self._world.commit_s)
                if _at() > session.last_due_at + slack_s + rules.NEAR:
                    self._break(
                        [f"the session ended {_at() - session.stopped_at:.3f} s after its stop"]
                    )

    async def _undisturbed(self, oracle: _Oracle) -> list[TopicResult]:
        """The rows of a night without weather: the workflow straight over the answers, no layer
        between.
        """
        rows = _Rows()
        runner = self._runner(oracle, rows, Stop(), lambda left: None)
        await runner.run(self._items)
        return rows.rows

    def _runner(
        self, completer: Completer, results: Results, stop: Stop, ending: Callable[[int], None]
    ) -> Runner:
        settings = self._world.settings
        context = RunContext(
            run_id=RUN_ID,
            endpoint="mock",
            workflow="night",
            defaults=StepOptions(model=settings.model, max_tokens=MAX_TOKENS),
            max_calls_per_topic=settings.max_calls,
            origin_s=_at(),
        )
        return Runner(
            workflow=workflow_of(self._world),
            context=context,
            completer=completer,
            results=results,
            stop=stop,
            clock=self._clock,
            runs=settings.limits().open_runs,
            ending=ending,
        )

    def _unfinished(self) -> list[Topic]:
        """Topics without a row, and those whose row says that they failed."""
        done = {index for index, rows in self._disk.rows.items() if rows[-1].status != "failed"}
        return [item for item in self._items if item.index not in done]

    async def _seed_the_cache(self, answered: Mapping[str, tuple[Request, Completion]]) -> None:
        """What an earlier night has left in the cache."""
        at = self._clock.now() - timedelta(seconds=self._world.seeded_age_s)
        for number, (key, (request, answer)) in enumerate(answered.items()):
            if number >= self._world.seeded * self._world.topics:
                return
            completion = replace(answer, cost=0.001, owner=f"{EARLIER}/t/{number}")
            call = Call(run_id=EARLIER, topic_id="t", span_id=f"{number}")
            entry = OpenCall(
                key=key, call=call, opened_at=at, cost_at_most=1.0, tokens_at_most=1000
            )
            row = await self._disk.cache.open_call(request, entry)
            closed = Resolution(
                outcome="stored", closed_at=at, cost=0.001, tokens=1, completion=completion
            )
            await self._disk.cache.resolve(row, closed)
            self._disk.answered.add(key)

    # What the ports tell, and the rules about it.

    async def ask(self, request: Request, call: Call, session: Session) -> Completion:
        """A request leaves, and comes back or not."""
        session.event()
        settings, key, now = self._world.settings, cache_key(request), _at()
        row = self._row_of(call, key)
        sent = Sent(
            session=session.number,
            owner=call.owner,
            topic_id=call.topic_id,
            key=key,
            request=request,
            row=row if row is not None else -1,
            most=self._pricing.at_most(request, self._clock.now()),
            at=now,
        )
        session.requests += 1
        session.last_sent_at = now
        self._tell("sends", sent.owner, key[:6])
        if row is None:
            self._break([f"{sent.owner} was sent without a row of its own in the journal"])
        stored = self._disk.peek(request)
        reads = self._policy.mode != "off"
        answers = stored is not None and self._policy.answers(
            age_s=(self._clock.now() - stored.created_at).total_seconds(),
            owned_by_run=stored.run_id == RUN_ID,
        )
        self._break(
            rules.at_leaving(
                sent, session, now=now, limits=settings.limits(), attempts=settings.attempts, answers=answers,
                shares=reads, leased=self._disk.leases.get(key) is session,
            )
        )  # fmt: skip
        self._break(rules.at_its_turn(session, now=now))
        sent.outage = self._provider.outage_at(now)
        self._break(rules.at_leaving_in_an_outage(sent, session, now=now))
        self._break(
            rules.at_reserving(
                sent, session, cost=self._provider.cost, tokens=self._provider.tokens
            )
        )
        if self._provider.requests > REQUESTS_AT_MOST:
            self._break(["the night never ends"])
        self._by_row[sent.row] = sent
        self._sent.append(sent)
        session.at_work[sent.row] = sent
        try:
            return await self._provider.answer(sent, call, session)
        finally:
            del session.at_work[sent.row]
            session.own_failures[sent.owner] += sent.own_failure
            if sent.outage is not None and sent.state == "told" and session.hears_of(sent.outage):
                self._expect_an_end_of_the_patience(sent.outage, session)
            if sent.state == "told":
                self._tell("gets", sent.owner, sent.cost)
                asyncio.get_running_loop().call_later(A_MOMENT_S, self._look_between, session)
            self._check_the_books()
            session.event()

    def _row_of(self, call: Call, key: str) -> int | None:
        """The newest open row of the journal for this call, if no request has used it."""
        for number, entry in reversed(self._disk.open_rows.items()):
            if entry.call.owner == call.owner and entry.key == key:
                return None if number in self._by_row else number
        return None

    def _on_death(self, session: Session) -> None:
        """The process has died: what it had on its way is in the journal."""
        sent = [request for request in self._sent if request.session == session.number]
        self._disk.bury(session)
        self._break(rules.at_a_crash(sent, set(self._disk.open_rows)))

    def _on_closing(self, number: int, resolution: Resolution) -> None:
        sent = self._by_row.get(number)
        self._tell("closes", number, resolution.outcome, resolution.cost)
        self._break(rules.at_closing(sent, resolution))
        if sent is not None:
            sent.closed = True

    def _on_row(self, result: TopicResult, spans: Sequence[Span]) -> None:
        self._tell("writes", result.topic_id, result.status, result.cost)
        session = self._session
        if session is not None:
            session.rows[result.index] += 1
            if session.rows[result.index] > 1:
                self._break([f"{result.topic_id} has two rows of one session"])
        self._break(rules.at_row(result, spans))
        if self._world.weathers_all:
            self._break(rules.at_a_row_in_weather(result, self._wanted[result.index]))
        self._check_the_books()

    def on_use(self, request: Request, call: Call, completion: Completion, shown: str) -> None:
        """An answer reaches the workflow."""
        if self._session is None or not self._session.alive:
            return
        stored = self._disk.peek(request)
        self._break(
            rules.at_use(completion, shown, stored, stores=self._policy.stores, owner=call.owner)
        )

    def _expect_an_end_of_the_patience(self, outage: Outage, session: Session) -> None:
        """The process has heard of an outage for the first time: look whether it waits no longer
        than it may.
        """
        patience_s = self._world.settings.patience
        until_s = _at() + patience_s + rules.PAUSE_S
        if patience_s and until_s < outage.end_s:
            asyncio.get_running_loop().call_at(until_s, self._look_after_the_patience, session)

    def _look_after_the_patience(self, session: Session) -> None:
        if self._goes_on(session):
            self._break(rules.after_the_patience(self._world.settings.patience))

    def _expect_ends(self, session: Session) -> None:
        """Look at each outage to come, one probe after its end, whether this session goes on by
        then.
        """
        loop = asyncio.get_running_loop()
        if self._world.weathers_all:
            for outage in self._world.outages:
                if outage.end_s > loop.time():
                    loop.call_at(outage.end_s, self._expect_to_go_on, session, outage.end_s)

    def _expect_to_go_on(self, session: Session, end_s: float) -> None:
        if self._goes_on(session):
            unheard_s = rules.seconds_to_notice_a_silence(session) if session.unheard else 0.0
            within_s = rules.PROBES_EVERY_S + rules.PAUSE_S + unheard_s
            asyncio.get_running_loop().call_later(
                within_s, self._look_after_an_outage, session, end_s
            )

    def _look_after_an_outage(self, session: Session, end_s: float) -> None:
        if self._goes_on(session):
            self._break(rules.after_an_outage(session, since=end_s, now=_at()))

    def _goes_on(self, session: Session) -> bool:
        body = session.body
        return session.alive and not session.stop.is_set and body is not None and not body.done()

    def _look_between(self, session: Session) -> None:
        if session.alive and session is self._session:
            self._break(rules.between_events(session))

    def _check_the_books(self) -> None:
        spent = self._disk.spent(RUN_ID)
        self._break(rules.at_books(spent, cost=self._provider.cost, tokens=self._provider.tokens))

    def _money_of_the_rows(self) -> Iterable[str]:
        """After the last session: what the rows say of money, beside the journal."""
        spans = [span for spans in self._disk.spans.values() for span in spans]
        told = {f"{RUN_ID}/{span.topic_id}/{span.id}" for span in spans}
        whole = self.story.sessions == 1 and all(
            sent.state == "told" and sent.owner in told for sent in self._sent
        )
        yield from rules.at_the_rows_money(spans, self._disk.spent(RUN_ID), whole=whole)
        for span in spans:
            stored = self._disk.peek(span.request)
            if stored is not None:
                yield from rules.at_a_paid_span(span, stored.completion)

    def _break(self, broken: Iterable[str]) -> None:
        found = list(broken)
        if found:
            self.story.broken.extend(found)
            for message in found:
                self._tell("BROKEN", message)
            if self._session is not None:
                self._session.die()

    def _tell(self, *event: object) -> None:
        session = self._session.number if self._session is not None else "-"
        self.story.events.append((round(_at(), 6), session, *event))


class _Endpoint:
    """The innermost Completer: the way to the provider, as one session has it."""

    def __init__(self, night: SimulatedRun, session: Session) -> None:
        self._night = night
        self._session = session

    async def complete(self, request: Request, call: Call) -> Completion:
        return await self._night.ask(request, call, self._session)


class _Watched:
    """The outermost Completer: sees what the workflow gets, and what it is shown on the way."""

    def __init__(self, night: SimulatedRun, inner: Completer) -> None:
        self._night = night
        self._inner = inner

    async def complete(self, request: Request, call: Call) -> Completion:
        shown: list[str] = []

        def watch(delta: Delta) -> None:
            if delta.kind == "restart":
                shown.clear()
            else:
                shown.append(delta.text)

        completion = await self._inner.complete(request, replace(call, on_delta=watch))
        self._night.on_use(request, call, completion, "".join(shown))
        return completion


class _Oracle:
    """A Completer that gives the true answers, and remembers them."""

    def __init__(self, world: World) -> None:
        self.answered: dict[str, tuple[Request, Completion]] = {}
        self._world = world

    async def complete(self, request: Request, call: Call) -> Completion:
        answer = true_answer(self._world, request)
        hopeless = defect(request, answer)
        if hopeless is not None:
            raise hopeless
        self.answered[cache_key(request)] = (request, answer)
        return answer


class _Rows:
    """Results in a list."""

    def __init__(self) -> None:
        self.rows: list[TopicResult] = []

    async def write(self, result: TopicResult, spans: Sequence[Span]) -> None:
        self.rows.append(result)


def _raised(budget: Budget, number: int) -> Budget:
    """What a user allows who finds the budget reached: twice as much, and in the end whatever it
    takes.
    """
    if number > SPARE_SESSIONS // 2:
        return Budget()
    return Budget(
        cost=None if budget.cost is None else budget.cost * 2,
        tokens=None if budget.tokens is None else budget.tokens * 2,
    )


def _at() -> float:
    return asyncio.get_running_loop().time()
