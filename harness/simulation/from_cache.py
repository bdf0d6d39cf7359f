"""Reading a cache file as material for a simulation: the answers of one of the runs that paid for them.

A cache keeps, for each request that left, its topic, its place in the topic's tree, when it was sent and when its
answer was stored; and with the answer its tokens and its time. It does not keep when a call was *wanted*, what a run
found in the cache already, which topics were finished, nor the limits of the run. What stands in for these is told in
the notes of the recording.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import get_args

from harness.adapters.recorded_times import CachedRun, RecordedTimes, SentRequest
from harness.domain.completion import FailedAttempt, Usage
from harness.errors import FailureKind, ResultsError
from harness.simulation.recorded import RATE_LIMITED, RecordedCall, RecordedTopic
from harness.simulation.recording import Recording, notes_on_material, refusal_s_of, refuse_untimed, sampled
from harness.simulation.shape import Timed, begun_together, turns_of

_SHOWN_RUNS = 8
_AGAIN = re.compile(r"#\d+$")

_FASTEST_S = 0.1
"""A mock that answers faster than this had no --latency: what its answers took is this machine's own work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Topic:
    """A topic as the cache tells it. `last_step` is the step of its last answer, `unanswered` counts calls without."""

    topic: RecordedTopic
    last_step: str
    unanswered: int


def read_cache(path: Path, run_id: str | None, *, seed: int) -> Recording:
    """A run as a cache file tells it: the run of this id, or the only one that has answers there.

    Raises CacheError for a file that is no cache, and ResultsError where the run is not there, is one of several and
    not named, or cannot tell how long its calls take.
    """
    with closing(RecordedTimes.open(path)) as times:
        run = _chosen(path, times.runs(), run_id)
        kept = sampled(times.topic_ids(run.run_id), random.Random(seed))  # noqa: S311 - a sample, no secret
        told = [_topic(times, requests) for requests in _requests_of(times, run.run_id, kept).values()]
    whole = [topic for topic in told if topic is not None]
    if not whole:
        raise ResultsError(
            f"{path}: of the run {run.run_id} no topic has all its answers there any more (they were pruned, or "
            "damaged); give another run, or the run's directory"
        )
    last_step = Counter(topic.last_step for topic in whole).most_common(1)[0][0]
    finished = [topic for topic in whole if topic.last_step == last_step]
    topics = tuple(topic.topic for topic in finished)
    endpoint = topics[0].calls[0].request.endpoint
    on_the_mock = endpoint == "mock"
    timeless = on_the_mock and fmean(sample.duration_s for one in topics for sample in one.samples()) < _FASTEST_S
    refuse_untimed(path, path, topics, timeless=timeless)
    return Recording(
        path=path,
        run_id=run.run_id,
        settings=None,
        endpoint=endpoint,
        topics=topics,
        finished=run.topics,
        topics_in_all=run.topics,
        refusal_s=refusal_s_of(topics),
        named_limit=None,
        notes=(
            *_unknown(last_step),
            *_left_out(told, whole, finished, last_step),
            *notes_on_material(len(topics), run.topics, mock=on_the_mock),
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


def _requests_of(times: RecordedTimes, run_id: str, topic_ids: Sequence[str]) -> Mapping[str, list[SentRequest]]:
    """The requests of these topics, by topic, as they were sent."""
    found: dict[str, list[SentRequest]] = {topic_id: [] for topic_id in topic_ids}
    for request in times.sent(run_id):
        if request.topic_id in found:
            found[request.topic_id].append(request)
    return found


def _topic(times: RecordedTimes, requests: Sequence[SentRequest]) -> _Topic | None:
    """A topic from its requests; None where an answer is gone, for then nobody knows what it was."""
    spans: dict[str, list[SentRequest]] = {}
    for request in requests:
        spans.setdefault(request.span_id, []).append(request)
    answered = {span: sent for span, sent in spans.items() if any(request.answered for request in sent)}
    timed, calls = [], []
    for span, sent in answered.items():
        call = _call(times, span, sent)
        if call is None:
            return None
        ended_s = max(request.ended_s for request in sent if request.answered)
        timed.append(Timed(path=tuple(span.split("/")[:-1]), start_s=sent[0].sent_s, end_s=ended_s))
        calls.append(call)
    turns = turns_of(begun_together(timed))
    last = max(range(len(calls)), key=lambda number: timed[number].end_s)
    return _Topic(
        topic=RecordedTopic.of(
            [replace(call, after=turn.after) for call, turn in zip(calls, turns, strict=True)], rest_s=0.0
        ),
        last_step=calls[last].step,
        unanswered=len(spans) - len(answered),
    )


def _call(times: RecordedTimes, span: str, sent: Sequence[SentRequest]) -> RecordedCall | None:
    """A call from its requests: the last that was answered, and the failures before it."""
    brought = next(request for request in reversed(sent) if request.answered)
    answer = times.answer(brought.key)
    if answer is None:
        return None
    request, completion = answer
    served = completion.served
    known = [time for time in (served.ttft_reasoning_s, served.ttft_answer_s) if time is not None]
    failures = [
        _failure(number, failed, completion.usage)
        for number, failed in enumerate((one for one in sent if _failed(one)), start=1)
    ]
    return RecordedCall(
        step=_AGAIN.sub("", span.rpartition("/")[2]),
        key=brought.key,
        request=request,
        usage=completion.usage,
        duration_s=served.latency_s,
        ttft_s=min(known, default=None),
        hitches=tuple(failure for failure in failures if failure.kind != RATE_LIMITED),
        refusals=tuple(failure.elapsed_s for failure in failures if failure.kind == RATE_LIMITED),
        error=None,
        sent=True,
        after=(),
        gap_s=0.0,
    )


def _failed(request: SentRequest) -> bool:
    """Whether it left and brought nothing; the journal also has requests that were noted and never left."""
    return not request.answered and not request.error.startswith("not sent: ")


def _failure(number: int, failed: SentRequest, answered: Usage) -> FailedAttempt:
    """A failed request. Its input is that of the same request when it was answered, the rest of its tokens output."""
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
        "a cache does not know the limits of the run (those of the settings here rule), what the run found in it, nor "
        f"which topics were finished: those whose last answer is to {last_step}, as of most, count as finished"
    )


def _left_out(
    told: Sequence[_Topic | None], whole: Sequence[_Topic], finished: Sequence[_Topic], last_step: str
) -> Iterator[str]:
    if gone := len(told) - len(whole):
        yield f"{gone:,} topics are left out: answers of theirs are not in the cache any more, or damaged"
    if others := len(whole) - len(finished):
        yield f"{others:,} topics are left out: their last answer is to another step than {last_step}"
    if unanswered := sum(topic.unanswered for topic in finished):
        yield f"{unanswered:,} calls that never got an answer are left out"
