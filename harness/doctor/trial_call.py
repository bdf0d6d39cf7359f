"""One call of few tokens to a server, and what it shows: how it answers, and what it tells."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from harness.doctor.finding import Finding, ok, problem, warning
from harness.domain.completion import Answerer
from harness.domain.finish import finish_of
from harness.domain.who_answered import AnswererCounts, answered, doubt_lines, doubts
from harness.endpoint.chat_answer import Answer
from harness.endpoint.probing import Probe
from harness.endpoint.server_facts import Answer as Said
from harness.endpoint.server_facts import words_of
from harness.text.amounts import counted

CAP = 16
"""Tokens of the call: enough to see reasoning and the cap itself at work."""


def is_answered(probe: Probe) -> bool:
    """Return whether the call was answered, with whatever."""
    return probe.status == 200 and probe.answer is not None


class Asked(NamedTuple):
    """The trial call: what it asked for, and where.

    `aliases` are names of models there, with what answers to them. `cap` is the field in which the
    request named its cap.
    """

    endpoint: str
    model: str
    aliases: Mapping[str, str]
    cap: str


def findings_of(
    probe: Probe, asked: Asked, *, asked_to_stream: bool, cached: AnswererCounts
) -> Iterator[Finding]:
    """Yield what the call shows, or that it failed.

    `cached` is who gave the answers that the cache has.
    """
    answer = probe.answer
    if answer is None or probe.status != 200:
        yield _failed(probe)
        return
    yield ok("call", f"answered in {probe.took_s:.1f} s")
    yield _streaming(probe, answer, asked_to_stream)
    yield _usage(probe, answer)
    yield _reasoning(answer)
    yield _finish(probe, answer)
    yield _cap(answer, asked.cap)
    yield _model(answer, asked, cached)


def _failed(probe: Probe) -> Finding:
    body: Any = probe.report or _json_or_text(probe.text)
    said = f"the call was answered with {probe.status}"
    if probe.status == 200 and probe.report is None:
        said = "what came back is no completion"
    words = words_of(Said(status=probe.status, body=body, at=None))
    if words:
        said += f": {words}"
    return problem("call", said, _advice(probe.status))


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _advice(status: int) -> str:
    if status in (401, 403):
        return "check the key"
    if status in (404, 405):
        return "check the base URL and --model"
    return "see what the message names"


def _streaming(probe: Probe, answer: Answer, asked: bool) -> Finding:
    if not asked:
        return ok("stream", "not asked for (--no-stream), and the answer came whole")
    if not probe.streamed:
        return ok(
            "stream", "asked for, but the answer came whole: no token is seen before the last"
        )
    end = "ended with [DONE]" if probe.done else "ended without [DONE]"
    return ok("stream", f"yes, in {counted(answer.arrived.count, 'piece')}, and {end}")


def _usage(probe: Probe, answer: Answer) -> Finding:
    if not answer.usage_told:
        return warning(
            "usage",
            "not told: tokens and cost stay unknown, and a budget counts each call at its cap",
            "try --no-stream" if probe.streamed else "cap a run with --run-calls",
        )
    told = answer.completion(trace_id=None).usage
    where = "with the stream" if probe.streamed else "with the answer"
    return ok("usage", f"told {where}: {told.input_tokens} tokens in, {told.output_tokens} out")


def _reasoning(answer: Answer) -> Finding:
    place = answer.reasoning_in
    if not place:
        return ok("reasoning", "none was seen in this call")
    if answer.reasoning_is_told:
        return ok("reasoning", f"in the field {place}")
    return warning(
        "reasoning",
        f"in the text of the answer, told apart here by its mark {place}",
        "have the server tell it apart (a reasoning parser), or turn thinking off there",
    )


def _finish(probe: Probe, answer: Answer) -> Finding:
    if answer.finish_told:
        return ok("finish", f"the reason is told: {answer.reason}")
    said = "no reason is told: whether an answer is whole cannot be seen"
    return warning(
        "finish", said, "try --no-stream" if probe.streamed else "look at the server's version"
    )


def _cap(answer: Answer, name: str) -> Finding:
    written = answer.completion(trace_id=None).usage.output_tokens
    if written > CAP:
        said = f"{name} is ignored: {written} tokens came for a cap of {CAP}"
        return warning(
            "cap", said, "a budget counts on the cap; look for the server's own limit of tokens"
        )
    if finish_of(answer.reason) == "length":
        return ok("cap", f"{name} is honoured: cut at {CAP} tokens")
    return ok("cap", f"the answer ended before its cap of {CAP} tokens")


def _model(answer: Answer, asked: Asked, cached: AnswererCounts) -> Finding:
    came = answer.completion(trace_id=None)
    told = (*came.earlier, Answerer(came.model, came.fingerprint or ""))
    now: AnswererCounts = Counter(answered(asked.endpoint, asked.model, told, asked.aliases))
    if any(one.other for one in now):
        return warning(
            "answers", doubt_lines(now)[0], "ask for it by that name, or see what the server serves"
        )
    changed = [] if doubts(cached) else doubt_lines(cached + now)
    if changed:
        return warning("answers", f"with the cache, {changed[0]}", "--cache-mode refresh asks anew")
    build = f", fingerprint {came.fingerprint}" if came.fingerprint else ""
    if came.model == asked.model:
        return ok("answers", f"as {came.model}{build}")
    if not came.model:
        return ok("answers", f"without the name of a model{build}")
    return ok("answers", f"as {came.model!r}, asked for as {asked.model!r}{build}")
