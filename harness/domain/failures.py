"""Failures that carry what came back.

They are a call without a usable completion, a miss, and a topic whose money is spent. The whole
tree is drawn in `harness/errors.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from harness.domain.completion import Completion, Served
from harness.domain.recorded_call import WhyUnknown
from harness.errors import FailureKind, HarnessError

TORN_STREAM_ADVICE = (
    "if this happens when several calls are in flight, the server may cut one stream for the next: "
    "try --no-stream or --in-flight 1"
)
"""For a stream that ends in the middle: llama-cpp-python, say, answers one call at a time and drops
it for the next.
"""


class CompletionError(HarnessError):
    """A call that brought no usable completion.

    `partial` is what had arrived, for the trace: it is never an answer. `begun` says whether any
    token of the answer, or its usage, had come: a server that only queued the call has not begun.
    `billed` says whether the provider charges for the attempt: "no" where nothing was generated,
    "yes" where `partial.usage` says how much, "unknown" where the stream broke. `status` is the
    HTTP status, where there was one. `retry_after_s` is how long the server asks to wait, in
    seconds and uncapped: before the same request, or until a quota is renewed. `served` is what the
    whole call went through, waits and failed attempts; None where no call was made for it.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind,
        status: int | None = None,
        partial: Completion | None = None,
        billed: Literal["no", "yes", "unknown"] = "no",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.status = status
        self.partial = partial
        self.billed: Literal["no", "yes", "unknown"] = billed
        self.retry_after_s = retry_after_s
        self.served: Served | None = partial.served if partial is not None else None

    @property
    def begun(self) -> bool:
        """Return whether any of the answer had come."""
        return self.partial is not None

    def reworded(self, message: str, partial: Completion | None) -> None:
        """Have it say this, and have this of the answer, as where a key was masked in both."""
        self.args = (message,)
        self.partial = partial

    def priced(self, price: Callable[[Completion], float | None]) -> None:
        """Price the part of the answer that came, in USD, where it is billed."""
        if self.partial is not None and self.billed == "yes":
            self.partial = replace(self.partial, cost=price(self.partial))

    def for_another(self, served: Served) -> CompletionError:
        """The same error for another caller, who went through something else for it."""
        other = type(self).__new__(type(self), *self.args)
        other.__dict__.update(self.__dict__)
        other.served = served
        other.__cause__ = self
        return other


class TransientError(CompletionError):
    """The same request may succeed later.

    `concurrency_limit` is the number that a 429's text names as the account's limit of calls in
    flight.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind,
        status: int | None = None,
        partial: Completion | None = None,
        billed: Literal["no", "yes", "unknown"] = "no",
        retry_after_s: float | None = None,
        concurrency_limit: int | None = None,
    ) -> None:
        super().__init__(
            message,
            kind=kind,
            status=status,
            partial=partial,
            billed=billed,
            retry_after_s=retry_after_s,
        )
        self.concurrency_limit = concurrency_limit


class PermanentError(CompletionError):
    """The same request will fail in the same way: repeating it would only cost."""


class FatalError(CompletionError):
    """It concerns every call until someone acts (key, balance, quota, model), so the run stops."""


class CacheMiss(HarnessError):  # noqa: N818 - the field's own word
    """In replay mode the cache holds no answer to a request.

    The message is the explanation's text: what was asked, what was recorded, in what the two
    differ.
    """

    def __init__(self, message: str, *, explanation: WhyUnknown | None = None) -> None:
        super().__init__(message)
        self.explanation = explanation


class TopicBudgetExceeded(HarnessError):  # noqa: N818 - reads as what happened
    """The next call could pass what its topic may spend.

    Neither it nor any later call of the topic is sent. `served` tells of the attempts that were
    made before.
    """

    served: Served | None = None
