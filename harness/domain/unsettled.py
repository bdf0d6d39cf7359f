"""The most that a request of unknown usage can have cost.

It broke off, or its answer came without numbers. The worst case of a request is its whole cap, and
for most that break off it is far too much: a stream of a cap of 32,768 tokens that is cut after
three seconds has made its provider write some hundreds. What was written is bounded by two things
that are known here: the text that arrived, and the time that passed at the fastest rate seen in
this run.

Why that is a bound, and where it ends:

- A provider writes a token after the other, so in a given time no more than its fastest rate
  allows. The fastest seen is not the fastest there is, so half as much again is reckoned with;
  until `ENOUGH_ANSWERS` answers were measured, it is at least `UNSEEN_TOKENS_PER_S`.
- Time counts from the moment the request was sent, so what went by before the first token is
  counted as if tokens had been written in it.
- A provider notices that nobody listens when it next writes, or the gateway before it does: until
  then it goes on. `LINGER_S` is for that.
- A request for a whole answer, not streamed, writes nothing until it has finished. Servers are
  known that finish it for nobody: for these the worst case stays. It stays as well for what a crash
  left open, whose end nobody saw.
- Nothing passes the worst case, whatever the rate.

Not covered is a network that swallows both ways without a word: a server behind it may write its
answer to the end. It ends in a time-out here, and the time until that is counted like any other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.domain.completion import Completion, Request, Usage
from harness.domain.text_tokens import likely_tokens
from harness.domain.token_estimate import input_tokens_at_most, output_tokens_at_most

UNSEEN_TOKENS_PER_S = 1000.0
"""Faster than large providers write; a host of special hardware is faster still, and known after
its first answer.
"""
ENOUGH_ANSWERS = 20
MARGIN = 1.5
LINGER_S = 2.0
UPWARD = 2.0
"""A text has at most so many times the tokens that it likely has, in any language and in code."""
SHORTEST_WRITING_S = 0.5
"""A piece of an answer that came in less than this was waiting somewhere on its way: its rate is
not the writer's.
"""


@dataclass(slots=True)
class FastestWriting:
    """The fastest at which an answer of this run was written, in tokens a second."""

    answers: int = 0
    seen_tokens_per_s: float = 0.0

    def learn(self, answer: Completion) -> None:
        """Measure a whole answer.

        The time is from its first token to its last where it was streamed, else from its sending.
        """
        served = answer.served
        writing_s = served.latency_s - (served.ttft_s or 0.0)
        if writing_s < SHORTEST_WRITING_S:
            writing_s = served.latency_s
        tokens = answer.usage.output_tokens or tokens_seen_at_most(answer)
        if writing_s <= 0 or not tokens:
            return
        self.answers += 1
        self.seen_tokens_per_s = max(self.seen_tokens_per_s, tokens / writing_s)

    @property
    def tokens_per_s(self) -> float:
        """Return the rate that no answer is written faster than, in tokens a second."""
        fastest = MARGIN * self.seen_tokens_per_s
        if self.answers < ENOUGH_ANSWERS:
            return max(fastest, UNSEEN_TOKENS_PER_S)
        return fastest


def tokens_seen_at_most(answer: Completion) -> int:
    """The tokens of all that arrived of an answer, judged upward."""
    texts = (
        answer.content,
        answer.reasoning,
        *(call.name + call.arguments for call in answer.tool_calls),
    )
    return math.ceil(UPWARD * sum(likely_tokens(text) for text in texts))


def usage_at_most(
    request: Request,
    seen: Completion | None,
    *,
    elapsed_s: float,
    ended: bool,
    streamed: bool,
    fastest: FastestWriting,
) -> Usage:
    """The most that one sending of this request can have used.

    `seen` is what arrived, `elapsed_s` the time since it was sent, without waits before. `ended`:
    the answer is whole, so nothing was written after it. The module's text says why this is a
    bound.
    """
    cap = output_tokens_at_most(request)
    given = input_tokens_at_most(request)
    if not (ended or streamed):
        return Usage(input_tokens=given, output_tokens=cap)
    writing_s = elapsed_s if ended else elapsed_s + LINGER_S
    by_time = math.ceil(writing_s * fastest.tokens_per_s)
    by_text = 0 if seen is None else tokens_seen_at_most(seen)
    return Usage(input_tokens=given, output_tokens=min(cap, max(by_time, by_text)))
