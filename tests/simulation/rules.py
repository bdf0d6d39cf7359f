"""What must hold at every moment of every night. Each rule looks at values and says what is wrong,
or None.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from harness.domain.completion import Completion, Served
from harness.domain.ledger import Ledger, Spent
from harness.domain.policy import Limits
from harness.domain.run import Span, TopicResult
from harness.domain.tally import totals_of
from harness.engine.limiter import LimiterState
from harness.ports import Resolution, Stored
from simulation.session import Sent, Session

NEAR = 1e-6


def near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=NEAR, abs_tol=1e-9)


def at_leaving(
    sent: Sent,
    session: Session,
    *,
    now: float,
    limits: Limits,
    attempts: int,
    answers: bool,
    shares: bool,
    leased: bool,
) -> Iterator[str]:
    """When a request leaves. `answers`: the cache has an answer that may be used; `shares`: equal
    requests share.

    `leased`: this process holds the lease on the key.
    """
    at_work = session.at_work.values()
    if session.stop.is_set:
        yield f"{sent.owner} was sent after the stop"
    if session.hopeless_at is not None and now > session.hopeless_at:
        cause = "the disk had failed" if session.broken_disk else "the account was refused"
        yield f"{sent.owner} was sent {now - session.hopeless_at:.3f} s after {cause}"
    if len(at_work) >= limits.in_flight:
        yield f"{sent.owner} is call {len(at_work) + 1} in flight of at most {limits.in_flight}"
    of_topic = sum(other.topic_id == sent.topic_id for other in at_work)
    if of_topic >= limits.per_run:
        yield (
            f"{sent.owner} is call {of_topic + 1} in flight of its topic, of at most"
            f" {limits.per_run}"
        )
    if session.own_failures[sent.owner] >= attempts:
        yield f"{sent.owner} is sent again after {attempts} failures of its own"
    if answers:
        yield f"{sent.owner} was sent though the cache knows the answer"
    if shares and any(other.key == sent.key for other in at_work):
        yield f"{sent.owner} was sent while an equal request was in flight"
    if shares and not leased:
        yield f"{sent.owner} was sent without the lease on its key"


PROBES_EVERY_S = 60.0
PAUSE_S = 30.0
"""The longest rest after refusals in a row for which the server named no time."""
UNTIL_CERTAIN = 3
"""Requests that may leave because older answers come in, until enough have failed to make the
outage certain.
"""


def at_leaving_in_an_outage(sent: Sent, session: Session, *, now: float) -> Iterator[str]:
    """When a request leaves while the provider is away, and the process has heard of it: it is a
    probe.

    One for each that was in flight at the first failure is allowed, too: what fails is sent again,
    once.
    """
    told = session.told.get(sent.outage) if sent.outage is not None else None
    if told is None or not session.world.settings.patience:
        return
    told.sent_since += 1
    most = probes_at_most(now - told.at) + told.in_flight + UNTIL_CERTAIN
    if told.sent_since > most:
        yield (
            f"{sent.owner} is request {told.sent_since} of at most {most} in {now - told.at:.1f} s"
            " of an outage"
        )


def probes_at_most(seconds: float) -> int:
    """Probes that may leave in so many seconds: after half a second at the soonest, then 1, 2, … 30
    s apart.
    """
    probes, apart_s = 0, 0.5
    while seconds >= apart_s:
        seconds -= apart_s
        probes += 1
        apart_s = min(PROBES_EVERY_S / 2, apart_s * 2)
    return probes


def seconds_to_notice_a_silence(session: Session) -> float:
    """How long it may take until a request that is never answered is given up."""
    policy = session.world.settings.outages()
    quiet_s = policy.quiet_for_s(session.slowest_begin_s, session.begun)
    first_token_s = session.world.settings.first_token_timeout
    return min(first_token_s, math.inf if quiet_s is None else quiet_s) + 15.0


def after_an_outage(session: Session, *, since: float, now: float) -> Iterator[str]:
    """When the time has come by which a run must have gone on after an outage."""
    busy = any(not sent.unheard for sent in session.at_work.values())
    if session.last_sent_at < since and not busy:
        yield f"nothing was sent in the {now - since:.1f} s since the outage ended"


def after_the_patience(patience_s: float) -> Iterator[str]:
    """When a run goes on although an outage has lasted for longer than its patience."""
    yield f"the run goes on, and its patience of {patience_s:g} s with the provider is over"


def at_a_row_in_weather(result: TopicResult, wanted: TopicResult) -> Iterator[str]:
    """When a row is written in a night in which only outages go wrong: nothing fails that does not
    fail by itself.
    """
    if result.status == "failed" != wanted.status:
        yield f"{result.topic_id} has failed for weather: {result.error}"


def at_its_turn(session: Session, *, now: float) -> Iterator[str]:
    """When a request leaves: no more of them in a minute than are allowed, after a burst of a
    second's worth.
    """
    if session.pace is not None:
        pace = session.pace = session.pace.filled(now)
        if pace.level < 1 - 1e-3:
            yield (
                f"a request left {pace.wait_s(now):.3f} s before its turn at {pace.per_minute:g} a"
                " minute"
            )
        session.pace = pace.taken(1)


def between_events(session: Session) -> Iterator[str]:
    """A place is held around one request and its note, never while something else is waited for."""
    held = session.limiter.in_flight if session.limiter is not None else 0
    if held > len(session.at_work) + session.busy:
        yield f"{held} places are held for {len(session.at_work)} requests and {session.busy} notes"


def at_reserving(sent: Sent, session: Session, *, cost: float, tokens: int) -> Iterator[str]:
    """The budget holds even if all that is in flight costs the most it can; `cost` and `tokens` are
    billed so far.
    """
    cost += (sent.most.cost or 0.0) + sum(
        other.most.cost or 0.0 for other in session.at_work.values()
    )
    tokens += sent.most.tokens + sum(other.most.tokens for other in session.at_work.values())
    if not session.budget.allows(cost=cost * (1 - NEAR), tokens=tokens):
        yield (
            f"{sent.owner} was sent though ${cost:g} or {tokens} tokens may be spent then of"
            f" {session.budget}"
        )


def at_closing(sent: Sent | None, resolution: Resolution) -> Iterator[str]:
    """When a row of the journal is closed: it says what the provider says."""
    if sent is None:
        if resolution.outcome == "stored" or resolution.cost != 0.0:
            yield f"a row was closed as {resolution.outcome} for a request that was never sent"
        return
    if sent.state != "told" or sent.closed:
        yield f"the row of {sent.owner} was closed while the request was {sent.state}"
    if resolution.outcome == "stored" and not sent.answered:
        yield f"what {sent.owner} brought was stored and is no answer"
    owner = resolution.completion.owner if resolution.completion is not None else ""
    if resolution.outcome == "stored" and owner != sent.owner:
        yield f"what {sent.owner} has paid is kept as {owner or 'nobody'}'s"
    priced = sent.most.cost is not None
    told = None if not sent.known or (sent.tokens and not priced) else sent.cost
    if (told is None) != (resolution.cost is None) or not near(told or 0.0, resolution.cost or 0.0):
        yield f"the row of {sent.owner} says ${resolution.cost}, and ${told} was told"


def at_books(spent: Spent, *, cost: float, tokens: int) -> Iterator[str]:
    """The journal's known and possible money bounds what was billed."""
    if spent.cost > cost * (1 + NEAR) + 1e-9:
        yield f"the journal knows ${spent.cost:g} of ${cost:g} billed"
    if cost > (spent.cost + spent.cost_at_risk) * (1 + NEAR) + 1e-9:
        yield (
            f"${cost:g} was billed, and the journal accounts for ${spent.cost:g} +"
            f" ${spent.cost_at_risk:g} at most"
        )
    if tokens > spent.tokens + spent.tokens_at_risk:
        yield (
            f"{tokens} tokens were billed, and the journal accounts for {spent.tokens} +"
            f" {spent.tokens_at_risk}"
        )


def at_use(
    completion: Completion, shown: str, stored: Stored | None, *, stores: bool, owner: str
) -> Iterator[str]:
    """When an answer reaches the workflow: it is kept by then, and is what was shown."""
    if stores and (stored is None or stored.completion.content != completion.content):
        yield f"{owner} uses an answer that is not stored"
    if shown != completion.content:
        yield f"{owner} was shown {shown!r} of {completion.content!r}"


def at_row(result: TopicResult, spans: Sequence[Span]) -> Iterator[str]:
    """When a topic's row is written: its spans add up to it, and the waits of each to its
    duration.
    """
    totals = totals_of(spans)
    if (result.calls, result.hits, result.usage) != (totals.calls, totals.hits, totals.usage):
        yield f"the calls of {result.topic_id} do not add up to its row"
    cost = None if totals.unpriced else totals.cost
    if (cost is None) != (result.cost is None) or not near(cost or 0.0, result.cost or 0.0):
        yield f"the costs of {result.topic_id} do not add up to its row"
    if not near(totals.saved, result.saved) or not near(totals.sequential_s, result.sequential_s):
        yield f"the times and savings of {result.topic_id} do not add up to its row"
    if result.error is not None and result.error.type in {"RunStopped", "BudgetExceeded"}:
        yield f"{result.topic_id} has a row, and it was the run that ended"
    if len({span.id for span in spans}) != len(spans):
        yield f"two spans of {result.topic_id} have one name"
    for span in spans:
        told_s = accounted_s(span.served)
        if not math.isclose(told_s, span.end_s - span.start_s, rel_tol=NEAR, abs_tol=1e-6):
            yield (
                f"{span.topic_id}/{span.id} took {span.end_s - span.start_s:.6f} s and tells"
                f" {told_s:.6f} s"
            )
        if len(span.served.failures) > span.served.attempts:
            yield f"{span.topic_id}/{span.id} tells more failures than attempts"


def accounted_s(served: Served) -> float:
    """All the seconds that a call says it took."""
    attempts_s = sum(failure.elapsed_s for failure in served.failures)
    return served.waited_s + served.backoff_s + attempts_s + served.latency_s


def at_the_end_of_a_session(
    session: Session,
    *,
    sent: Sequence[Sent],
    open_rows: set[int],
    leases: int,
    limiter: LimiterState,
    ledger: Ledger,
) -> Iterator[str]:
    """After a session that ended alive: nothing is held, and each answer that arrived is in the
    books.
    """
    if (limiter.in_flight, limiter.waiting) != (0, 0):
        yield (
            f"{limiter.in_flight} places are held and {limiter.waiting} calls wait after the"
            " session"
        )
    if (ledger.reservations, ledger.reserved_cost, ledger.reserved_tokens) != (0, 0.0, 0):
        yield f"{ledger.reservations} reservations are left after the session"
    if sum(session.rows.values()) < session.rows_begun and not session.broken_disk:
        yield f"{session.rows_begun} rows were begun and {sum(session.rows.values())} are written"
    if leases and not session.broken_disk:
        yield f"{leases} leases are held after the session"
    for request in sent:
        if request.state == "told" and request.row in open_rows and not session.broken_disk:
            yield f"{request.owner} was answered, and its row is open"
        if (
            request.state == "cut off"
            and session.world.cancels_nothing
            and not session.signalled_twice
        ):
            yield f"{request.owner} was cut off, and nobody cancelled it"
        if request.state == "at work":
            yield f"{request.owner} is at work after the session"


def at_a_crash(sent: Sequence[Sent], open_rows: set[int]) -> Iterator[str]:
    """What is in flight when the process dies is listed as open."""
    for request in sent:
        if not request.closed and request.row not in open_rows:
            yield (
                f"{request.owner} was in flight at the crash, and no row of the journal is open"
                " for it"
            )


def at_the_rows_money(spans: Sequence[Span], spent: Spent, *, whole: bool) -> Iterator[str]:
    """The rows know no more than the journal; all of it if `whole`: one session, and each request
    in a span.
    """
    known = sum(span.cost for span in spans if span.cost is not None)
    if known > spent.cost * (1 + NEAR) + 1e-9:
        yield f"the rows know ${known:g}, the journal ${spent.cost:g}"
    if whole and all(span.cost is not None for span in spans) and not near(known, spent.cost):
        yield f"the rows know ${known:g} of the journal's ${spent.cost:g}, and no call is missing"


def at_a_paid_span(span: Span, stored: Completion) -> Iterator[str]:
    """A span whose answer was kept tells its cost, in whichever session it was paid."""
    owner = f"{span.run_id}/{span.topic_id}/{span.id}"
    paid = stored.cost if stored.owner == owner and span.error is None else None
    if paid is not None and (span.cost is None or span.cost < paid * (1 - NEAR)):
        yield f"{owner} tells ${span.cost}, and its answer has cost ${paid:g}"


def at_the_end_of_the_night(
    rows: Mapping[int, Sequence[TopicResult]], wanted: Mapping[int, TopicResult]
) -> Iterator[str]:
    """Every topic has its row, and it is that of an undisturbed night."""
    for index, want in wanted.items():
        had = rows.get(index, ())
        if not had:
            yield f"{want.topic_id} has no row"
        elif outcome_of(had[-1]) != outcome_of(want):
            yield (
                f"{want.topic_id} ended as {outcome_of(had[-1])}, undisturbed as"
                f" {outcome_of(want)}: {had[-1].error}"
            )
    if set(rows) - set(wanted):
        yield f"rows without a topic: {sorted(set(rows) - set(wanted))}"


def outcome_of(result: TopicResult) -> tuple[object, ...]:
    """What two nights of the same world have in common."""
    degraded = (
        result.error.message if result.status == "degraded" and result.error is not None else None
    )
    return result.topic_id, result.index, result.status, result.output, degraded
