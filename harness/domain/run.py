"""A topic on its way through a workflow, and the record that it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, NamedTuple, TypeAlias, TypeVar

from harness.domain.completion import Answerer, Json, Request, Served, ToolCall, Usage
from harness.domain.logprobs import TokenLogprob

T = TypeVar("T")

Status = Literal["ok", "degraded", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One line of a dataset. `index` counts from 0 in the order of the dataset; `metadata` is all
    other fields.

    `sample` tells the draws of a topic apart that is run several times: every request of another
    draw is another.
    """

    id: str
    text: str
    index: int = 0
    sample: int = 0
    metadata: Mapping[str, Json] = field(default_factory=dict)


def drawn_id(topic_id: str, sample: int) -> str:
    """Name a draw of a topic: the first like the topic, the second `topic#2`."""
    return topic_id if sample == 0 else f"{topic_id}#{sample + 1}"


def topic_of_drawn(drawn: str, sample: int) -> str:
    """The id of the topic of which this is a draw."""
    return drawn if sample == 0 else drawn.removesuffix(f"#{sample + 1}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ok(Generic[T]):
    """A part of a fan-out that succeeded."""

    value: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A part of a fan-out that failed, as a value that the workflow must look at."""

    error: Failure


Outcome: TypeAlias = Ok[T] | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The reason why a call or a topic failed. `type` is the name of the exception, `kind` its
    class where it has one.

    Of an exception out of a workflow's code, `where` is `file:line` of the author's line that it
    came from, and `code` that line.
    """

    type: str
    message: str
    kind: str | None = None
    step: str | None = None
    status: int | None = None
    where: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The output of a workflow when it has more to say than a text.

    `value` is any JSON value. `sections` are its parts, each a mapping (for `research`: question,
    answer or error). `degraded` says what is missing, or is None.
    """

    value: Json
    sections: tuple[Mapping[str, Json], ...] = ()
    degraded: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One call: asked, answered or failed. `start_s` and `end_s` count from the start of the run's
    session.

    `start_s` is the moment the call was wanted, before any wait. `cost` is what this run is known
    to have paid for it, in USD, failed attempts included (None: no price known; an attempt whose
    payment nobody knows counts nothing here, and stands in the journal with its worst case);
    `saved` what its answer had cost another run or another span. `model`, `fingerprint` and
    `earlier` are those of `Completion`. `rejected` is why the step did not take the answer; None:
    it did. `endpoint` is the name of who was asked where it was not the run's own.
    """

    run_id: str
    topic_id: str
    id: str
    parent: str | None
    step: str
    start_s: float
    end_s: float
    key: str
    request: Request
    content: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str | None
    usage: Usage
    cost: float | None
    saved: float
    served: Served
    model: str | None
    fingerprint: str | None
    trace_id: str | None
    error: Failure | None
    rejected: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    reasoning_logprobs: tuple[TokenLogprob, ...] = ()
    endpoint: str | None = None
    earlier: tuple[Answerer, ...] = ()

    @property
    def answerers(self) -> tuple[Answerer, ...]:
        """All that the answer names itself to come from."""
        return (*self.earlier, Answerer(self.model or "", self.fingerprint or ""))

    @property
    def own_s(self) -> float:
        """Seconds its requests took, waits left out: what the call would take in a sequence. A hit
        takes none.
        """
        served = self.served
        if served.source != "endpoint":
            return 0.0
        return sum(failure.elapsed_s for failure in served.failures) + served.latency_s


class Answered(NamedTuple):
    """A model that was asked for at an endpoint, and the one that answered. `other`: it is another
    model than was asked for.
    """

    endpoint: str
    asked: str
    by: Answerer
    other: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicResult:
    """One row of `results.jsonl`.

    `elapsed_s` is the time from the topic's start to its end, `sequential_s` the sum of its calls'
    own times. `cost` is what this run is known to have paid, None where a price is not known;
    `saved` what hits had cost before. `answers` is who answered, and how often.
    """

    run_id: str
    topic_id: str
    index: int
    workflow: str
    status: Status
    topic: str
    output: Json
    sections: tuple[Mapping[str, Json], ...]
    error: Failure | None
    usage: Usage
    cost: float | None
    saved: float
    calls: int
    hits: int
    started_at: datetime
    elapsed_s: float
    sequential_s: float
    metadata: Mapping[str, Json]
    answers: Mapping[Answered, int] = field(default_factory=dict)
