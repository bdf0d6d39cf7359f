"""The gate that an answer passes before it counts: HTTP 200 is not success.

What does not pass is retried or recorded, and never cached as an answer. The gate asks only whether
the answer is whole. Whether it is the one that was asked for is decided by a step's check
(`domain/answer_check.py`), JSON mode included: such an answer is asked for again with a word about
what is wrong.
"""

from __future__ import annotations

from typing import Literal

from harness.domain.completion import Completion, Request, ToolCall
from harness.domain.failures import (
    TORN_STREAM_ADVICE,
    CompletionError,
    PermanentError,
    TransientError,
)
from harness.domain.finish import finish_of
from harness.domain.text_tokens import likely_tokens
from harness.text.amounts import counted

_NEAR_THE_CAP = 0.9  # servers count a token more or less
_LONGEST_WORDS = 300


def defect(request: Request, completion: Completion) -> CompletionError | None:
    """Return the error that tells why a whole response is not an answer, or None if it is one.

    The error carries the completion as its partial, and counts as billed: the provider generated
    it. Calls of tools are an answer where the request offered one of them. A call of another tool
    is not: beside a text it is left to whoever reads the answer, and without a text the answer is
    blank. An answer that ended for a reason that nobody knows here is one: throwing it away would
    cost every answer of a server that has a word of its own. Whoever tells of its topic says that
    it may not be whole (`domain/finish.py`).
    """
    finish = finish_of(completion.finish_reason)
    if completion.refusal.strip() and finish != "filtered":
        finish = "refused"
    match finish:
        case "refused":
            return _permanent(_refused_message(completion), "refusal", completion)
        case "filtered":
            return _permanent(_filtered_message(completion), "content_filter", completion)
        case "length":
            return _permanent(_length_message(request, completion), "length", completion)
        case "looping":
            return _permanent(_looping_message(completion), "malformed", completion)
        case "untold":
            return _transient(_untold_message(completion), "incomplete", completion)
        case "interrupted":
            text = f"the provider broke off its answer (finish reason {completion.finish_reason!r})"
            return _transient(text, "interrupted", completion)
    if not completion.content.strip() and not offered_calls(request, completion):
        return _transient(_blank_message(request, completion), "blank", completion)
    return None


def offered_calls(request: Request, completion: Completion) -> tuple[ToolCall, ...]:
    """The calls of the answer whose tools the request offered."""
    offered = {tool.name for tool in request.tools}
    return tuple(call for call in completion.tool_calls if call.name in offered)


def _permanent(
    text: str, kind: Literal["refusal", "content_filter", "length", "malformed"], answer: Completion
) -> PermanentError:
    return PermanentError(text, kind=kind, partial=answer, billed="yes")


def _transient(
    text: str, kind: Literal["incomplete", "interrupted", "blank"], answer: Completion
) -> TransientError:
    return TransientError(text, kind=kind, partial=answer, billed="yes")


def _refused_message(completion: Completion) -> str:
    words = " ".join((completion.refusal.strip() or completion.content).split())
    if not words:
        return "the model refused, without a word"
    return f"the model refused: {_shortened(words)}"


def _filtered_message(completion: Completion) -> str:
    words = " ".join(completion.refusal.split())
    of_what = f" ({_shortened(words)})" if words else ""
    return (
        f"the provider's content filter withheld the answer{of_what}; the same request would meet"
        " it again"
    )


def _looping_message(completion: Completion) -> str:
    return (
        "the server stopped a model that repeated itself (finish reason"
        f" {completion.finish_reason!r}); change the prompt, or take another model"
    )


def _untold_message(completion: Completion) -> str:
    text = "the answer ended without a finish reason: it may not be whole"
    if completion.served.ttft_s is None:
        return text
    return f"{text}; {TORN_STREAM_ADVICE}"


def _blank_message(request: Request, completion: Completion) -> str:
    if completion.tool_calls:
        called = ", ".join(dict.fromkeys(repr(call.name) for call in completion.tool_calls))
        offered = ", ".join(repr(tool.name) for tool in request.tools) or "no tool"
        return (
            f"the answer is blank: all it does is call {called}, and the request offered {offered}"
        )
    if completion.reasoning.strip():
        return (
            f"the answer is blank: all there is is reasoning{_of_tokens(completion)}; "
            "if it stays so, turn thinking off for this step"
        )
    return "the answer is blank"


def _length_message(request: Request, completion: Completion) -> str:
    if request.max_tokens is None:
        cap = "the provider's default cap"
    else:
        cap = f"max_tokens={request.max_tokens}"
    usage = completion.usage
    if (
        request.max_tokens is not None
        and 0 < usage.output_tokens < _NEAR_THE_CAP * request.max_tokens
    ):
        return (
            f"the server cut the answer after {usage.output_tokens} tokens, before {cap}: with its"
            f" prompt of {usage.input_tokens} tokens it seems to fill the context; shorten the"
            " prompt, or give the server a longer context"
        )
    if not completion.content.strip() and (usage.reasoning_tokens or completion.reasoning.strip()):
        return (
            f"{cap} was used up by the reasoning{_of_tokens(completion)} before the answer began;"
            " raise max_tokens for this step, lower its effort, or turn its thinking off"
        )
    if usage.output_tokens:
        after = f" after {usage.output_tokens} tokens"
    else:
        after = ""
    return f"{cap} cut the answer{after}; raise max_tokens for this step"


def _of_tokens(completion: Completion) -> str:
    """Describe how much of the output the reasoning took, as far as that is known."""
    usage = completion.usage
    if not usage.total_tokens and completion.reasoning.strip():
        return f" (about {counted(likely_tokens(completion.reasoning), 'token')}, as counted here)"
    if usage.reasoning_tokens:
        return f" ({usage.reasoning_tokens} of {usage.output_tokens} tokens)"
    if usage.reasoning_estimated:
        return (
            f" (about {usage.reasoning_estimated} of {usage.output_tokens} tokens, as counted here)"
        )
    return ""


def _shortened(words: str) -> str:
    if len(words) <= _LONGEST_WORDS:
        return words
    return f"{words[:_LONGEST_WORDS]}…"
