"""Our values as JSON, and back: the one stored form.

Fields are written in a fixed order, and those that say nothing (None, empty) are left out, so a
text stays short and two texts of equal values are equal. Reading checks every type: what comes from
a file may have been edited.

A wait that came later than the format (`outage_s`) is written where there was one, so rows without
it stay as they were.

A stored completion keeps of `served` what describes the call that was paid for (attempts, times to
first token, latency). Where this answer came from, and what it waited for, belongs to each use of
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.domain.completion import (
    Answerer,
    Completion,
    FailedAttempt,
    Json,
    Served,
    ToolCall,
    Usage,
)
from harness.domain.logprobs import Alternative, TokenLogprob
from harness.domain.run import Span
from harness.domain.waits import HELD, WAITS, Waits
from harness.records.json_fields import LIST, NULL, NUMBER, TEXT, check_fields
from harness.records.typed import TypedReader

JsonObject = dict[str, Json]

# The types of an object's fields.
_ANSWERER = {"model": TEXT, "fingerprint": TEXT | NULL}
TOKEN_COUNTS = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
UNTOLD_COUNTS = ("untold", "reasoning_untold", "reasoning_estimated")
"""The parts of a usage that are written only where a server did not count: rows without them say
that it did.
"""
_TOKEN_LOGPROB = {
    "token": TEXT,
    "logprob": NUMBER,
    "bytes": LIST | NULL,
    "top_logprobs": LIST | NULL,
}
_ALTERNATIVE = {"token": TEXT, "logprob": NUMBER}


def kept(completion: Completion) -> Completion:
    """The completion as a cache keeps it and `completion_from_json` gives it back."""
    served = completion.served
    return replace(
        completion,
        served=Served(
            attempts=served.attempts,
            ttft_reasoning_s=served.ttft_reasoning_s,
            ttft_answer_s=served.ttft_answer_s,
            latency_s=served.latency_s,
        ),
    )


def completion_to_json(completion: Completion) -> JsonObject:
    """Everything of a completion that outlives the call; of `served` only what `kept` keeps."""
    served = completion.served
    fields: JsonObject = {
        "model": completion.model,
        "fingerprint": completion.fingerprint,
        **earlier_to_json(completion.earlier),
        "reasoning": completion.reasoning or None,
        "content": completion.content,
        "tool_calls": [tool_call_to_json(call) for call in completion.tool_calls] or None,
        "finish_reason": completion.finish_reason,
        "usage": usage_to_json(completion.usage),
        "cost": completion.cost,
        "trace_id": completion.trace_id,
        "owner": completion.owner or None,
        **logprobs_to_json(completion),
        "served": _set_fields(
            {
                "attempts": served.attempts,
                "ttft_reasoning_s": served.ttft_reasoning_s,
                "ttft_answer_s": served.ttft_answer_s,
                "latency_s": served.latency_s,
            }
        ),
    }
    return _set_fields(fields)


def completion_of_text(text: bytes) -> Completion:
    """Return the completion that was stored as this JSON. Raises ValueError, naming the field,
    where it is none.
    """
    return _COMPLETIONS.of_line(text)


def completion_from_json(fields: Any) -> Completion:
    """Return the same of JSON that was decoded. Raises ValueError as `completion_of_text` does."""
    return _COMPLETIONS.of_value(fields)


def earlier_to_json(earlier: Sequence[Answerer]) -> JsonObject:
    """Return the others that an answer named before. Mostly there are none: then there is no such
    field.
    """
    named: list[Json] = [
        {"model": one.model, "fingerprint": one.fingerprint or None} for one in earlier
    ]
    return {"earlier": named} if named else {}


def answerers_from_json(fields: Mapping[str, Any]) -> tuple[Answerer, ...]:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    return tuple(map(answerer_from_json, fields.get("earlier") or ()))


def answerer_from_json(fields: Any) -> Answerer:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    check_fields(fields, "an earlier answerer", _ANSWERER)
    return Answerer(fields["model"], fields.get("fingerprint") or "")


def usage_to_json(usage: Usage) -> JsonObject:
    counts: JsonObject = {name: getattr(usage, name) for name in TOKEN_COUNTS}
    return counts | {name: number for name in UNTOLD_COUNTS if (number := getattr(usage, name))}


def logprobs_to_json(told: Completion | Span) -> JsonObject:
    """The likelihoods of the tokens, in the words of OpenAI's protocol; nothing where there are
    none.
    """
    named = {"logprobs": told.logprobs, "reasoning_logprobs": told.reasoning_logprobs}
    return {
        name: [_token_to_json(token) for token in tokens]
        for name, tokens in named.items()
        if tokens
    }


def _token_to_json(token: TokenLogprob) -> JsonObject:
    top: list[Json] = [{"token": other.token, "logprob": other.logprob} for other in token.top]
    fields: JsonObject = {
        "token": token.token,
        "logprob": token.logprob,
        "bytes": None if token.raw is None else list(token.raw),
        "top_logprobs": top or None,
    }
    return _set_fields(fields)


def token_from_json(fields: Any) -> TokenLogprob:
    """Raises ValueError, naming the field, where one is missing or is not of its type."""
    check_fields(fields, "token", _TOKEN_LOGPROB)
    others = fields.get("top_logprobs") or ()
    for other in others:
        check_fields(other, "alternative", _ALTERNATIVE)
    try:
        raw = bytes(fields["bytes"]) if fields.get("bytes") else None
    except TypeError as error:
        raise ValueError(f"field 'bytes' of token must be a list of numbers: {error}") from error
    return TokenLogprob(
        token=fields["token"],
        logprob=fields["logprob"],
        top=tuple(Alternative(other["token"], other["logprob"]) for other in others),
        raw=raw,
    )


def tool_call_to_json(call: ToolCall) -> JsonObject:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def served_to_json(served: Served) -> JsonObject:
    """The whole story of how a completion came about, for a row of a trace."""
    fields: JsonObject = {
        "source": served.source,
        "attempts": served.attempts,
        **_held_to_json(served),
        "ttft_reasoning_s": served.ttft_reasoning_s,
        "ttft_answer_s": served.ttft_answer_s,
        "latency_s": served.latency_s,
        "stored_s": served.stored_s,
        "failures": [failed_attempt_to_json(failure) for failure in served.failures],
    }
    return fields


def failed_attempt_to_json(failure: FailedAttempt) -> JsonObject:
    fields: JsonObject = {
        "number": failure.number,
        "kind": failure.kind,
        "status": failure.status,
        "message": failure.message,
        "elapsed_s": failure.elapsed_s,
        "backoff_s": failure.backoff_s,
        **_held_to_json(failure),
        "stored_s": failure.stored_s,
        "usage": None if failure.usage is None else usage_to_json(failure.usage),
        "cost": failure.cost,
        "content": failure.content,
        "reasoning": failure.reasoning,
    }
    return fields


def _held_to_json(waits: Waits) -> JsonObject:
    """The waits before a request leaves; what a row has only where there was one is left out where
    it was none.
    """
    fields: JsonObject = {}
    for wait in HELD:
        seconds: float = getattr(waits, wait.field)
        if seconds or not wait.is_sparse:
            fields[wait.field] = seconds
    return fields


def _set_fields(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


_COMPLETIONS = TypedReader(
    Completion,
    special={Answerer: answerer_from_json, TokenLogprob: token_from_json},
    unread={
        Completion: ("row", "at_most", "refusal", "span_id", "value"),
        Served: ("source", "failures", *(wait.field for wait in WAITS)),
    },
)
