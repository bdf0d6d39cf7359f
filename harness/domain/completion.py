"""A request to a model, and the completion that comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from harness.domain.image import Image
from harness.domain.json_schema import fault_in
from harness.domain.logprobs import TokenLogprob
from harness.domain.text_tokens import likely_tokens
from harness.domain.waits import Waits
from harness.errors import FailureKind

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

Role = Literal["system", "user", "assistant", "tool"]
Effort = Literal["none", "low", "high", "max"]
Source = Literal["endpoint", "cache", "shared", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A function the model wants called.

    `arguments` is the JSON text exactly as the model wrote it.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation. `reasoning` must be sent back where the request carries tools.

    `images` stand after the text of a user's turn.
    """

    role: Role
    content: str = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function the model may ask for; `parameters` is its JSON schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchema:
    """The JSON that an answer must be, by a schema.

    `strict`: the server shall hold the model to it. Raises ValueError for a name that servers
    refuse (letters, digits, - and _, at most 64), or a schema that is no JSON object, or is wrong
    in itself (`domain/json_schema.py`).
    """

    name: str
    schema: Mapping[str, Json]
    strict: bool = True

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.name):
            raise ValueError(
                "the name of a JSON schema must be 1 to 64 letters, digits, - or _:"
                f" {self.name[:80]!r}"
            )
        schema: object = self.schema  # code that is not checked gives what it likes
        if not isinstance(schema, Mapping) or not schema:
            raise ValueError(f"the JSON schema {self.name!r} must be an object that is not empty")
        try:
            json.dumps(self.schema, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"the JSON schema {self.name!r} must be what JSON can say: {error}"
            ) from None
        fault = fault_in(schema)
        if fault is not None:
            raise ValueError(f"the JSON schema {self.name!r} is none: {fault}")


ResponseFormat: TypeAlias = Literal["text", "json_object"] | JsonSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything that decides the answer, and nothing else: its hash is the cache key.

    `endpoint` is the identity of who answers (a profile's name, or a normalized base URL), not a
    way to reach it. `max_tokens` counts reasoning and answer together. None means: not sent, the
    provider's default rules. `logprobs` asks for the likelihood of each token, and of so many
    others beside it. `extra_body` are fields that a user adds; `form` is how the user had requests
    written otherwise than this endpoint's are. `sample` tells repeated draws of the same request
    apart; it is never sent.
    """

    endpoint: str
    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    thinking: bool | None = None
    effort: Effort | None = None
    temperature: float | None = None
    top_p: float | None = None
    response_format: ResponseFormat | None = None
    tools: tuple[Tool, ...] = ()
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int | None = None
    service_tier: str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    extra_body: Mapping[str, Json] = field(default_factory=dict)
    form: Mapping[str, Json] = field(default_factory=dict)
    sample: int = 0
    # A memo, not a part of the value: the canonical text and the key are needed by several layers
    # of one call.
    memo: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider counted them.

    `reasoning_tokens` is part of output, `cached_tokens` part of input. Not every server counts.
    `untold` is the number of answers whose tokens nobody told: they are in none of the sums.
    `reasoning_untold` is the number of answers that came with reasoning, of which the server did
    not say how many tokens it took: they are in `output_tokens` and not in `reasoning_tokens`.
    `reasoning_estimated` is about how many tokens these were, by our own count.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    untold: int = 0
    reasoning_untold: int = 0
    reasoning_estimated: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            untold=self.untold + other.untold,
            reasoning_untold=self.reasoning_untold + other.reasoning_untold,
            reasoning_estimated=self.reasoning_estimated + other.reasoning_estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """The most that one request can have cost, or will.

    `cost` in USD, None where no price is known.
    """

    cost: float | None
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt(Waits):
    """One request that was sent and brought nothing usable, with its own waits.

    `usage` and `cost` (in USD) are zero where nothing was generated, what the provider told where
    it told it, and None where it may have charged and nobody knows what. `elapsed_s` leaves out the
    waits; `backoff_s` is the sleep that followed.
    """

    number: int
    kind: FailureKind
    message: str
    status: int | None = None
    elapsed_s: float = 0.0
    backoff_s: float = 0.0
    usage: Usage | None = None
    cost: float | None = 0.0
    content: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served(Waits):
    """The history of a completion; each layer adds its part.

    All times are seconds of the monotonic clock. The waits are those of all its attempts; backoff
    is not among them. `latency_s` is the attempt that succeeded, from sending to its last byte (for
    a hit the look-up, for a shared answer the wait for it); both times to first token are measured
    from the same sending. `failures` are the attempts before. All of these add up to the time from
    asking to having.
    """

    source: Source = "endpoint"
    attempts: int = 1
    failures: tuple[FailedAttempt, ...] = ()
    ttft_reasoning_s: float | None = None
    ttft_answer_s: float | None = None
    latency_s: float = 0.0

    @property
    def ttft_s(self) -> float | None:
        """Seconds to the first token, of reasoning or answer; None where nothing was streamed."""
        times = [time for time in (self.ttft_reasoning_s, self.ttft_answer_s) if time is not None]
        return min(times, default=None)

    @property
    def backoff_s(self) -> float:
        """Seconds slept between attempts."""
        return sum(failure.backoff_s for failure in self.failures)

    def waited(self, **waits: float) -> Served:
        """The same after these waits, too, named as the fields of `Waits`."""
        longer = {name: getattr(self, name) + seconds for name, seconds in waits.items() if seconds}
        return replace(self, **longer) if longer else self


class Answerer(NamedTuple):
    """The model that gave an answer and the fingerprint of its build, as the answer names them.

    "" where it names none.
    """

    model: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's whole answer.

    `model` and `fingerprint` are what the response says, not what was asked: a version-less name
    changes under us. Where one response names several, they are the last, and `earlier` are those
    before. `cost` is in USD at the price of the instant it was made, None where no price is known.
    `owner` names the span that paid for it (`run/topic/span`): a hit whose owner is the asking span
    was paid by the same run earlier. `span_id` is the call that was answered, `id` in the traces. `value` is what the
    step's gate found in the answer. Both are of this call, and kept nowhere. So is `refusal`: the
    words with which the model declined, or what a filter of the provider found; an answer has none.
    `logprobs` are the likelihoods of the answer's tokens, `reasoning_logprobs` those of its
    reasoning: empty unless the request asked for them.
    """

    model: str
    content: str
    finish_reason: str
    usage: Usage
    fingerprint: str | None = None
    earlier: tuple[Answerer, ...] = ()
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    trace_id: str | None = None
    cost: float | None = None
    owner: str = ""
    served: Served = Served()
    refusal: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    reasoning_logprobs: tuple[TokenLogprob, ...] = ()
    span_id: str = field(default="", compare=False)
    value: Any = field(default=None, compare=False, repr=False)

    @property
    def answerers(self) -> tuple[Answerer, ...]:
        """All that the answer names itself to come from."""
        return (*self.earlier, Answerer(self.model, self.fingerprint or ""))

    @property
    def as_told(self) -> Completion:
        """The same, with what its server did not count marked as such.

        No answer takes no tokens at all, and no reasoning takes none: where there are no numbers,
        nobody told them. What the reasoning took of the output is then judged by its share of the
        text.
        """
        usage = self.usage
        if usage.total_tokens == 0:
            if usage.untold:
                return self
            return replace(self, usage=Usage(untold=1))
        nothing_of_it = (
            usage.output_tokens and not usage.reasoning_tokens and not usage.reasoning_untold
        )
        if nothing_of_it and self.reasoning.strip():
            estimated = self._share_of_reasoning(usage.output_tokens)
            return replace(
                self, usage=replace(usage, reasoning_untold=1, reasoning_estimated=estimated)
            )
        return self

    def _share_of_reasoning(self, output_tokens: int) -> int:
        answer = self.content + "".join(call.name + call.arguments for call in self.tool_calls)
        reasoning, rest = (likely_tokens(text) for text in (self.reasoning, answer))
        return max(1, round(output_tokens * reasoning / max(1, reasoning + rest)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of a streamed answer.

    `restart`: forget what was shown of it. Then `text` says why, "" where its attempt failed.
    """

    kind: Literal["reasoning", "answer", "restart"]
    text: str = ""


OnDelta: TypeAlias = Callable[[Delta], None]
