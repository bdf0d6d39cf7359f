"""A call's story as a span: made from the value that came back, or from the error in its place."""

from __future__ import annotations

from dataclasses import dataclass

from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Served, Usage
from harness.domain.failures import CacheMiss, CompletionError, TopicBudgetExceeded
from harness.domain.key import cache_key
from harness.domain.run import Failure, Span

_NOTHING = Completion(model="", content="", finish_reason="", usage=Usage())
"""The completion of a call that got no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call as it is known when it ends, in whichever way.

    Times count from the start of the run's session.
    """

    call: Call
    request: Request
    step: str
    parent: str | None
    start_s: float
    end_s: float

    def answered(self, completion: Completion) -> Span:
        """Return the span of a call that brought an answer, its own or one that was paid for
        before.
        """
        wasted = _cost_of_failures(completion.served)
        paid_here = completion.served.source == "endpoint" or completion.owner == self.call.owner
        cost: float | None = wasted
        saved = completion.cost or 0.0
        if paid_here:
            saved = 0.0
            # The failed attempts do not make up for a price that is not known.
            cost = None if completion.cost is None else completion.cost + wasted
        return self._span(
            completion,
            model=completion.model,
            usage=completion.as_told.usage,
            cost=cost,
            saved=saved,
            served=completion.served,
        )

    def failed(self, error: CompletionError | CacheMiss | TopicBudgetExceeded) -> Span:
        """Return the span of a call that failed for good, with what had arrived."""
        partial = error.partial if isinstance(error, CompletionError) else None
        served = None if isinstance(error, CacheMiss) else error.served
        if served is None:
            served = Served(source="replay", attempts=0, latency_s=self.end_s - self.start_s)
        usages = [failure.usage for failure in served.failures if failure.usage is not None]
        return self._span(
            partial or _NOTHING,
            model=None if partial is None else partial.model,
            usage=sum(usages, Usage()),
            cost=_cost_of_failures(served),
            saved=0.0,
            served=served,
            error=failure_of(error, step=self.step),
        )

    def _span(
        self,
        told: Completion,
        *,
        model: str | None,
        usage: Usage,
        cost: float | None,
        saved: float,
        served: Served,
        error: Failure | None = None,
    ) -> Span:
        return Span(
            run_id=self.call.run_id,
            topic_id=self.call.topic_id,
            id=self.call.span_id,
            parent=self.parent,
            step=self.step,
            start_s=self.start_s,
            end_s=self.end_s,
            key=cache_key(self.request),
            request=self.request,
            content=told.content,
            reasoning=told.reasoning,
            tool_calls=told.tool_calls,
            finish_reason=told.finish_reason or None,
            usage=usage,
            cost=cost,
            saved=saved,
            served=served,
            model=model,
            fingerprint=told.fingerprint,
            earlier=told.earlier,
            trace_id=told.trace_id,
            error=error,
            logprobs=told.logprobs,
            reasoning_logprobs=told.reasoning_logprobs,
            endpoint=self.call.endpoint or None,
        )


def failure_of(error: BaseException, *, step: str | None = None) -> Failure:
    """An exception as a value for records."""
    return Failure(
        type=type(error).__name__,
        message=_words_of(error),
        kind=getattr(error, "kind", None),
        step=step,
        status=getattr(error, "status", None),
    )


def _words_of(error: BaseException) -> str:
    """Return the text of an exception; a user's own exception may fail even to give one."""
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - whatever it raises, the first exception is the one to tell of
        return f"(its own message cannot be made: {type(broken).__name__})"


def _cost_of_failures(served: Served) -> float:
    """USD that failed attempts are known to have cost.

    What nobody knows stands in the journal, with its worst case.
    """
    return sum(failure.cost for failure in served.failures if failure.cost is not None)
