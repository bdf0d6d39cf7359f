"""The gate: HTTP 200 is not success. What does not pass is retried or recorded, and never cached as an answer.

It looks at whether there is a whole answer. Whether the answer is the one that was asked for is the business of a
step's check (`domain/check.py`), JSON mode included: such an answer is asked for again with a word about what is wrong.
"""

from __future__ import annotations

from harness.domain.completion import Completion, Request, ToolCall
from harness.domain.failures import TORN_STREAM_ADVICE, CompletionError, PermanentError, TransientError

ACCEPTED_FINISH_REASONS = frozenset({"stop", "tool_calls"})
INTERRUPTED_FINISH_REASONS = frozenset({"insufficient_system_resource", "aborted"})


def defect(request: Request, completion: Completion) -> CompletionError | None:
    """Why a whole response is not an answer, or None if it is one.

    The error carries the completion as its partial, and counts as billed: the provider generated it. Calls of tools are
    an answer where the request offered one of them. A call of another tool is not: beside a text it is left to whoever
    reads the answer, and without a text the answer is blank.
    """
    reason = completion.finish_reason
    if not reason:
        text = "the answer ended without a finish reason: it may not be whole"
        return TransientError(
            text if completion.served.ttft_s is None else f"{text}; {TORN_STREAM_ADVICE}",
            kind="incomplete",
            partial=completion,
            billed="yes",
        )
    if reason in INTERRUPTED_FINISH_REASONS:
        return TransientError(
            f"the provider broke off its answer (finish reason {reason!r})",
            kind="interrupted",
            partial=completion,
            billed="yes",
        )
    if reason == "length":
        return PermanentError(_length_message(request, completion), kind="length", partial=completion, billed="yes")
    if reason == "content_filter":
        return PermanentError(
            "the provider's content filter withheld the answer; the same request would meet it again",
            kind="content_filter",
            partial=completion,
            billed="yes",
        )
    if reason not in ACCEPTED_FINISH_REASONS:
        return PermanentError(
            f"the answer ended for a reason that is not known here ({reason!r}; known: stop, tool_calls)",
            kind="malformed",
            partial=completion,
            billed="yes",
        )
    if not completion.content.strip() and not offered_calls(request, completion):
        return TransientError(_blank_message(request, completion), kind="blank", partial=completion, billed="yes")
    return None


def offered_calls(request: Request, completion: Completion) -> tuple[ToolCall, ...]:
    """The calls of the answer whose tools the request offered."""
    offered = {tool.name for tool in request.tools}
    return tuple(call for call in completion.tool_calls if call.name in offered)


def _blank_message(request: Request, completion: Completion) -> str:
    if not completion.tool_calls:
        return "the answer is blank"
    called = ", ".join(dict.fromkeys(repr(call.name) for call in completion.tool_calls))
    offered = ", ".join(repr(tool.name) for tool in request.tools) or "no tool"
    return f"the answer is blank: all it does is call {called}, and the request offered {offered}"


def _length_message(request: Request, completion: Completion) -> str:
    cap = f"max_tokens={request.max_tokens}" if request.max_tokens is not None else "the provider's default cap"
    usage = completion.usage
    if not completion.content.strip() and usage.reasoning_tokens:
        return (
            f"{cap} was used up by the reasoning ({usage.reasoning_tokens} of {usage.output_tokens} tokens) before the "
            "answer began; raise max_tokens for this step, lower its effort, or turn its thinking off"
        )
    return f"{cap} cut the answer after {usage.output_tokens} tokens; raise max_tokens for this step"
