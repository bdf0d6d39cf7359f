"""What one call of few tokens shows of a server: how it answers, and what it tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from harness.adapters.endpoint import wire
from harness.adapters.endpoint.account import Answer, words_of
from harness.adapters.endpoint.fields import first_choice, text_of
from harness.adapters.endpoint.probing import Probe
from harness.adapters.endpoint.usages import usage_of as usage_in
from harness.adapters.endpoint.who import Who
from harness.doctoring.finding import Finding, ok, problem, warning
from harness.domain.answerers import Answers, answered, doubt_lines, doubts
from harness.domain.completion import Answerer, Usage

CAP = 16
"""Tokens of the call: enough to see reasoning and the cap itself at work."""
_REASONING_FIELDS = ("reasoning_content", "reasoning")


def is_answered(probe: Probe) -> bool:
    """Whether the call was answered, with whatever."""
    return probe.status == 200 and not _error(probe) and any(_choice(chunk) is not None for chunk in probe.chunks)


class Asked(NamedTuple):
    """What the call asked for, and where. `aliases` are names of models there, with what answers to them."""

    endpoint: str
    model: str
    aliases: Mapping[str, str]


def findings_of(probe: Probe, asked: Asked, *, asked_to_stream: bool, cached: Answers) -> Iterator[Finding]:
    """What the call shows, or that it failed. `cached` is who gave the answers that the cache has."""
    if not is_answered(probe):
        yield _failed(probe)
        return
    yield ok("call", f"answered in {probe.took_s:.1f} s")
    yield _streaming(probe, asked_to_stream)
    yield _usage(probe)
    yield _reasoning(probe)
    yield _finish(probe)
    yield _cap(probe)
    yield _model(probe, asked, cached)


def _failed(probe: Probe) -> Finding:
    error = _error(probe)
    body = {"error": error} if error else (probe.chunks[0] if probe.chunks else probe.text)
    words = words_of(Answer(status=probe.status, body=body, at=None))
    said = f"the call was answered with {probe.status}{': ' + words if words else ''}"
    if probe.status == 200 and not error:
        said = f"what came back is no completion{': ' + words if words else ''}"
    return problem("call", said, _advice(probe.status))


def _advice(status: int) -> str:
    if status in (401, 403):
        return "check the key"
    if status in (404, 405):
        return "check the base URL and --model"
    return "see what the message names"


def _streaming(probe: Probe, asked: bool) -> Finding:
    if not asked:
        return ok("stream", "not asked for (--no-stream), and the answer came whole")
    if not probe.streamed:
        return ok("stream", "asked for, but the answer came whole: no token is seen before the last")
    pieces = sum(1 for chunk in probe.chunks if _choice(chunk) is not None)
    end = "ended with [DONE]" if probe.done else "ended without [DONE]"
    return ok("stream", f"yes, in {pieces} pieces, and {end}")


def _usage(probe: Probe) -> Finding:
    told = usage_of(probe)
    if told is None:
        return warning(
            "usage",
            "not told: tokens and cost stay unknown, and a budget counts each call at its cap",
            "try --no-stream" if probe.streamed else "cap a run with --run-calls",
        )
    where = "with the stream" if probe.streamed else "with the answer"
    return ok("usage", f"told {where}: {told.input_tokens} tokens in, {told.output_tokens} out")


def _reasoning(probe: Probe) -> Finding:
    for name in _REASONING_FIELDS:
        if _text(probe, name):
            return ok("reasoning", f"in the field {name}")
    if "<think" in _text(probe, "content"):
        return warning(
            "reasoning",
            "in the text of the answer, between <think> and </think>",
            "have the server tell it apart (a reasoning parser), or turn thinking off there",
        )
    return ok("reasoning", "none was seen in this call")


def _finish(probe: Probe) -> Finding:
    reason = next((text_of(choice, "finish_reason") for choice in _choices(probe) if choice.get("finish_reason")), "")
    if reason:
        return ok("finish", f"the reason is told: {reason}")
    said = "no reason is told: whether an answer is whole cannot be seen"
    return warning("finish", said, "try --no-stream" if probe.streamed else "look at the server's version")


def _cap(probe: Probe) -> Finding:
    told = usage_of(probe)
    if told is not None and told.output_tokens > CAP:
        said = f"max_tokens is ignored: {told.output_tokens} tokens came for a cap of {CAP}"
        return warning("cap", said, "a budget counts on the cap; look for the server's own limit of tokens")
    if any(choice.get("finish_reason") == "length" for choice in _choices(probe)):
        return ok("cap", f"max_tokens is honoured: cut at {CAP} tokens")
    return ok("cap", f"the answer ended before its cap of {CAP} tokens")


def _model(probe: Probe, asked: Asked, cached: Answers) -> Finding:
    who = Who()
    for chunk in probe.chunks:
        who.take(chunk)
    told = (*who.earlier, Answerer(who.model, who.fingerprint))
    now: Answers = Counter(answered(asked.endpoint, asked.model, told, asked.aliases))
    if any(one.other for one in now):
        return warning("answers", doubt_lines(now)[0], "ask for it by that name, or see what the server serves")
    changed = [] if doubts(cached) else doubt_lines(cached + now)
    if changed:
        return warning("answers", f"with the cache, {changed[0]}", "--cache-mode refresh asks anew")
    build = f", fingerprint {who.fingerprint}" if who.fingerprint else ""
    if who.model == asked.model:
        return ok("answers", f"as {who.model}{build}")
    if not who.model:
        return ok("answers", f"without the name of a model{build}")
    return ok("answers", f"as {who.model!r}, asked for as {asked.model!r}{build}")


def usage_of(probe: Probe) -> Usage | None:
    """The last usage that was told."""
    told = [found for chunk in probe.chunks if (found := usage_in(chunk.get("usage"))) is not None]
    return told[-1] if told else None


def _error(probe: Probe) -> Any:
    return next((chunk["error"] for chunk in probe.chunks if chunk.get("error")), None)


def _choices(probe: Probe) -> Iterator[wire.JsonObject]:
    return (choice for chunk in probe.chunks if (choice := _choice(chunk)) is not None)


def _choice(chunk: wire.JsonObject) -> wire.JsonObject | None:
    try:
        return first_choice(chunk)
    except wire.MalformedError:
        return None


def _text(probe: Probe, name: str) -> str:
    """What came in this field of the message, all pieces together."""
    pieces = []
    for choice in _choices(probe):
        message = choice.get("delta") or choice.get("message")
        if isinstance(message, Mapping) and isinstance(message.get(name), str):
            pieces.append(message[name])
    return "".join(pieces)
