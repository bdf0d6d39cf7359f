"""Reading a cache file as material for a simulation: the answers of one of the runs that paid for them.

A cache keeps, for each request that left, its topic, its place in the topic's tree, when it was sent and when its
answer was stored; and with the answer its tokens and its time. It does not keep when a call was *wanted*, what a run
found in the cache already, which topics were finished, nor the limits of the run. What stands in for these is told in
the notes of the recording.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TypeAlias, get_args

from harness.adapters.cache.recorded_times import CachedRun, RecordedTimes, SentRequest
from harness.domain.completion import FailedAttempt, Usage
from harness.domain.failures import PermanentError
from harness.domain.recording import step_of
from harness.engine.noted import NOT_SENT
from harness.errors import FailureKind, ResultsError
from harness.simulation.recorded import RATE_LIMITED, RecordedCall, RecordedTopic
from harness.simulation.recording import Recording, notes_on_material, refusal_s_of, refuse_untimed, sampled
from harness.simulation.refusals import Flights, explained, shown_limit
from harness.simulation.shape import Timed, begun_together, turns_of

_SHOWN_RUNS = 8

_FOR_GOOD = PermanentError.__name__

_FASTEST_S = 0.1
"""A mock that answers faster than this had no --latency: what its answers took is this machine's own work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Topic:
    """A topic as the cache tells it. `last` is the call that ended last, `left_out` counts those that nobody knows."""

    topic: RecordedTopic
    last: RecordedCall
    left_out: int


def read_cache(path: Path, run_id: str | None, *, seed: int) -> Recording:
    """A run as a cache file tells it: the run of this id, or the only one that has answers there.

    Raises CacheError for a file that is no cache, and ResultsError where the run is not there, is one of several and
    not named, or cannot tell how long its calls take.
    """
    with closing(RecordedTimes.open(path)) as times:
        run = _chosen(path, times.runs(), run_id)
        kept = sampled(times.topic_ids(run.run_id), random.Random(seed))  # noqa: S311 - a sample, no secret
        flights, refused_s = Flights(), array("d")
        spans = list(_spans_of(times, run.run_id, kept, flights, refused_s).values())
        answers = [_answers(times, topic) for topic in spans]
    known = {call.step: call for calls in answers if calls is not None for call in calls.values()}
    told = [
        _topic(topic, calls, known) if calls is not None else None for topic, calls in zip(spans, answers, strict=True)
    ]
    whole = [topic for topic in told if topic is not None]
    last_steps = Counter(topic.last.step for topic in whole if topic.last.error is None)
    if not last_steps:
        raise ResultsError(
            f"{path}: of the run {run.run_id} no topic has its answers there any more (they were not kept, pruned, or "
            "damaged); give another run, or the run's directory"
        )
    last_step = last_steps.most_common(1)[0][0]
    finished = [topic for topic in whole if topic.last.step == last_step or topic.last.error is not None]
    topics = tuple(topic.topic for topic in finished)
    endpoint = topics[0].calls[0].request.endpoint
    on_the_mock = endpoint == "mock"
    timeless = on_the_mock and fmean(sample.duration_s for one in topics for sample in one.samples()) < _FASTEST_S
    refuse_untimed(path, path, topics, timeless=timeless)
    refusals = [refusal for topic in topics for refusal in topic.refusals()]
    why = explained(refusals, in_flight=None, shown=shown_limit(flights, refused_s))
    return Recording(
        path=path,
        run_id=run.run_id,
        settings=None,
        endpoint=endpoint,
        topics=topics,
        finished=len(finished),
        topics_in_all=run.topics,
        refusal_s=refusal_s_of(topics),
        provider_limit=why.limit,
        notes=(
            *_unknown(last_step),
            *_left_out(run, told, whole, finished, last_step),
            *why.notes(),
            *notes_on_material(len(topics), len(finished), mock=on_the_mock),
        ),
    )


def _chosen(path: Path, runs: Sequence[CachedRun], run_id: str | None) -> CachedRun:
    if not runs:
        raise ResultsError(f"{path}: holds no answer that was paid for, so there is nothing to simulate from")
    if run_id is None and len(runs) == 1:
        return runs[0]
    for run in runs:
        if run.run_id == run_id:
            return run
    known = [f"{run.run_id} ({run.answers:,} answers to {run.topics:,} topics)" for run in runs[:_SHOWN_RUNS]]
    more = f", and {len(runs) - _SHOWN_RUNS:,} earlier ones" if len(runs) > _SHOWN_RUNS else ""
    what = "holds the answers of several runs" if run_id is None else f"holds no answers of a run {run_id!r}"
    raise ResultsError(f"{path}: {what}; name one with --run, the latest first: {', '.join(known)}{more}")


_Spans: TypeAlias = Mapping[str, Sequence[SentRequest]]


def _spans_of(
    times: RecordedTimes, run_id: str, topic_ids: Sequence[str], flights: Flights, refused_s: array[float]
) -> Mapping[str, _Spans]:
    """The requests of these topics, by topic and call, as they were sent. `flights` and `refused_s` are told of the
    answers and of the refusals of all topics.
    """
    found: dict[str, dict[str, list[SentRequest]]] = {topic_id: {} for topic_id in topic_ids}
    for request in times.sent(run_id):
        if request.answered:
            flights.add(request.sent_s, request.ended_s)
        elif request.error.startswith(f"{RATE_LIMITED}: "):
            refused_s.append(request.ended_s)
        if request.topic_id in found:
            found[request.topic_id].setdefault(request.span_id, []).append(request)
    return found


def _answers(times: RecordedTimes, spans: _Spans) -> Mapping[str, RecordedCall] | None:
    """The calls of a topic that were answered; None where an answer is gone, for then nobody knows what was asked."""
    found = {}
    for span, sent in spans.items():
        brought = next((request for request in reversed(sent) if request.answered), None)
        if brought is None:
            continue
        answer = times.answer(brought.key)
        if answer is None:
            return None
        request, completion = answer
        served = completion.served
        found[span] = RecordedCall(
            step=step_of(span),
            key=brought.key,
            request=request,
            usage=completion.usage,
            duration_s=served.latency_s,
            ttft_s=served.ttft_s,
            failures=_failures(sent, completion.usage),
            error=None,
            sent=True,
            after=(),
            gap_s=0.0,
        )
    return found


def _topic(spans: _Spans, answers: Mapping[str, RecordedCall], known: Mapping[str, RecordedCall]) -> _Topic | None:
    """A topic from its calls. One without an answer is taken to have asked what another of its step did (`known`)."""
    timed, calls, left_out = [], [], 0
    for span, sent in spans.items():
        call, like = answers.get(span), known.get(step_of(span))
        if call is None and like is not None:
            failures = _failures(sent, like.usage)
            call = replace(like, usage=Usage(), duration_s=None, ttft_s=None, failures=failures, error=_FOR_GOOD)
        if call is None:
            left_out += 1
        else:
            calls.append(call)
            path, ended_s = tuple(span.split("/")[:-1]), max(request.ended_s for request in sent)
            timed.append(Timed(path=path, start_s=sent[0].sent_s, end_s=ended_s))
    if not calls:
        return None
    turns = turns_of(begun_together(timed))
    last = max(range(len(calls)), key=lambda number: (timed[number].end_s, number))
    return _Topic(
        topic=RecordedTopic.of(
            [replace(call, after=turn.after) for call, turn in zip(calls, turns, strict=True)], rest_s=0.0
        ),
        last=calls[last],
        left_out=left_out,
    )


def _failures(sent: Sequence[SentRequest], usage: Usage) -> tuple[FailedAttempt, ...]:
    """The attempts of a call that failed; an answer to the same step used `usage`."""
    return tuple(_failure(number, one, usage) for number, one in enumerate(filter(_failed, sent), start=1))


def _failed(request: SentRequest) -> bool:
    """Whether it left and brought nothing; the journal also has requests that were noted and never left."""
    return not request.answered and not request.error.startswith(NOT_SENT)


def _failure(number: int, failed: SentRequest, answered: Usage) -> FailedAttempt:
    """A failed request. Its input is taken to be that of the answered one, the rest of its tokens output."""
    kind, _, message = failed.error.partition(": ")
    usage: Usage | None = Usage()
    if failed.tokens:
        read = min(failed.tokens, answered.input_tokens)
        usage = Usage(input_tokens=read, output_tokens=failed.tokens - read)
    elif failed.cost is None:
        usage = None
    return FailedAttempt(
        number=number,
        kind=_KINDS.get(kind, "malformed"),
        message=message,
        elapsed_s=max(0.0, failed.ended_s - failed.sent_s),
        usage=usage,
        cost=failed.cost,
    )


_KINDS: Mapping[str, FailureKind] = {kind: kind for kind in get_args(FailureKind)}


def _unknown(last_step: str) -> Iterator[str]:
    yield (
        "from a cache, which knows when a call was sent and not when it was wanted: what was sent after an answer is "
        "taken to have waited for it, steps named alike but for a number (part.1, part.2) to have begun together, and "
        "the time between calls to have been waiting"
    )
    yield (
        "a cache does not know the limits of the run (those of the settings here rule), what the run found in it, how "
        "long a provider asked to wait, nor which topics were finished: those count that ended with an answer to "
        f"{last_step}, as most did, or with a failure"
    )


def _left_out(
    run: CachedRun, told: Sequence[_Topic | None], whole: Sequence[_Topic], finished: Sequence[_Topic], last_step: str
) -> Iterator[str]:
    if len(told) < run.topics:
        yield f"{len(told):,} of {run.topics:,} topics are looked at, drawn at random"
    if gone := len(told) - len(whole):
        yield f"{gone:,} topics are left out: answers of theirs are not in the cache any more, or damaged"
    if others := len(whole) - len(finished):
        yield f"{others:,} topics are left out: their last answer is to another step than {last_step}"
    if left_out := sum(topic.left_out for topic in finished):
        yield f"{left_out:,} calls are left out: no call of their step was ever answered"
