"""The spans that the calls of one topic leave behind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import anyio

from harness.domain.ledger import Ledger
from harness.domain.run import Span
from harness.engine.stopping import Stop

log = logging.getLogger("harness.call")


@dataclass(slots=True)
class Trace:
    """The spans of one topic, in the order in which its calls ended, and what bounds them.

    `stopped`: the run ended before the topic did, so the topic has no row. `under_way` counts
    calls. `ledger` pays for all of them, where the topic has a budget of its own. `owners` are the
    calls that paid for the answers, by span.
    """

    on_span: Callable[[Span], None]
    stop: Stop = field(default_factory=Stop)
    ledger: Ledger | None = None
    spans: list[Span] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    under_way: int = 0
    stopped: bool = False
    names: dict[str, int] = field(default_factory=dict)
    _quiet: anyio.Event | None = field(default=None, init=False)

    def add(self, span: Span, *, owner: str = "") -> None:
        """A call has ended; `owner` paid for its answer."""
        log.debug(
            "%s from %s after %.2f s: %d attempts, %d tokens in, %d out",
            *(
                "failed" if span.error else "answered",
                span.served.source,
                span.end_s - span.start_s,
            ),
            *(span.served.attempts, span.usage.input_tokens, span.usage.output_tokens),
            extra={"span_id": span.id},
        )
        self.spans.append(span)
        self.owners[span.id] = owner
        self.on_span(span)

    def reject(self, span_id: str, reason: str) -> None:
        """Note in the span of a call why its answer is not taken."""
        log.info("the answer was rejected: %s", reason, extra={"span_id": span_id})
        for number, span in enumerate(self.spans):
            if span.id == span_id:
                self.spans[number] = replace(span, rejected=reason)

    def unique(self, path: str) -> str:
        """The path, numbered from its second use on."""
        name = path
        while name in self.names:
            self.names[path] += 1
            name = f"{path}#{self.names[path]}"
        self.names[name] = 1
        return name

    def ended(self) -> None:
        """Note that a call that was under way is not any more."""
        self.under_way -= 1
        if self.under_way == 0 and self._quiet is not None:
            self._quiet.set()
            self._quiet = None

    async def quiet(self) -> None:
        """Return when no call of this topic is under way.

        Whoever is about to cancel something waits for that: a call that is cancelled is paid for,
        and brings nothing.
        """
        while self.under_way:
            if self._quiet is None:
                self._quiet = anyio.Event()
            await self._quiet.wait()

    async def drained(self) -> None:
        """Note that the run ended before the topic did, and wait: a workflow hears of the end when
        it is quiet.
        """
        self.stopped = True
        await self.quiet()
