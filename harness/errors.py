"""The error tree, arranged by who can act.

::

    HarnessError
    ├── InputError            the user: fix the data, the settings or the workflow (exit code 2)
    │   ├── DatasetError      a line of a topic file
    │   ├── SettingsError     a flag, a variable, a settings file
    │   ├── PromptsError      a prompts file
    │   ├── WorkflowError     a workflow that cannot be loaded
    │   ├── SuiteError        a suite of checks, its golden file, or checks that can never be made
    │   ├── ResultsError      a results directory that does not fit this run, or is in use
    │   └── CacheError        a cache file that is damaged, foreign or of a newer version
    ├── CompletionError       one call to a model
    │   ├── TransientError    nobody: the same call may succeed later
    │   ├── PermanentError    whoever wrote the request: it will fail again
    │   └── FatalError        the owner of the account: every other call will fail too, the run stops
    ├── CacheMiss             whoever recorded the cache: replay knows no answer to this request
    ├── ParseError            the model: its text holds no such value
    ├── TopicFailed           a workflow's own verdict: this topic has no result
    ├── TooManyCalls          the author of the workflow: one topic wants more calls than a topic may make
    ├── TooDeep               the author of the workflow: steps within steps within steps
    ├── TopicBudgetExceeded   the owner of the money: this topic may not spend any more, the others go on
    ├── StorageError          the owner of the disk: what arrived cannot be kept, the run stops
    └── RunStopped            nobody: the run is ending and sends nothing more
        └── BudgetExceeded    the owner of the money: raise the budget and resume

Foreign exceptions are translated in the adapter that meets them, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    # Names for annotations only: at run time nothing is imported upwards.
    from harness.domain.completion import Completion, Served
    from harness.domain.misses import Explanation

FailureKind = Literal[
    "connection",  # refused, reset, name not resolved, broken off before the answer was whole
    "timeout",  # connect, idle or total deadline
    "rate_limited",  # 429
    "server",  # 5xx, error events in a stream
    "incomplete",  # a stream that ended without `[DONE]` and without a finish reason
    "malformed",  # not JSON, not a completion, HTML
    "blank",  # finished, and says nothing
    "interrupted",  # finish reason `insufficient_system_resource` or `aborted`
    "unparseable",  # JSON was asked for and did not come
    "length",  # the cap on output tokens cut the answer
    "content_filter",
    "bad_request",  # 400, 404, 413, 422 …
    "redirect",  # never followed: it could carry the key to another host
    "auth",  # 401, 403
    "balance",  # 402, insufficient_quota
]


class HarnessError(Exception):
    """Everything this package raises on purpose."""


class InputError(HarnessError):
    """A mistake in what the user gave. The message says what, where, and what to do; the exit code is 2."""


class DatasetError(InputError):
    """One or more bad lines in a topic file; each is named `file:line: reason`."""


class SettingsError(InputError):
    """A setting that is unknown, of the wrong type, out of range, or at odds with another."""


class PromptsError(InputError):
    """A prompts file that cannot be read, lacks a prompt, or names a placeholder that nobody fills."""


class WorkflowError(InputError):
    """A workflow that cannot be found, imported or called."""


class SuiteError(InputError):
    """A suite, or a file that belongs to it, that cannot be used; each line begins with `file:line`."""


class ResultsError(InputError):
    """A results directory that belongs to another run, is in use, or is damaged."""


class CacheError(InputError):
    """A cache file that is not ours, is damaged, or was written by a newer version."""


class CompletionError(HarnessError):
    """A call that brought no usable completion.

    `partial` is what had arrived, for the trace: it is never an answer. `billed` says whether the provider charges
    for the attempt: "no" where nothing was generated, "yes" where `partial.usage` says how much, "unknown" where the
    stream broke. `status` is the HTTP status, where there was one. `served` tells what the call went through (waits,
    earlier attempts); each layer adds its part to it as it does to a completion's. `row` is the row of the journal that
    is open for it, 0: none is.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind,
        status: int | None = None,
        partial: Completion | None = None,
        billed: Literal["no", "yes", "unknown"] = "no",
    ) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.status = status
        self.partial = partial
        self.billed: Literal["no", "yes", "unknown"] = billed
        self.row = 0
        self.served: Served | None = partial.served if partial is not None else None


class TransientError(CompletionError):
    """The same request may succeed later.

    `retry_after_s` is what the server asked for, in seconds, unchecked. `concurrency_limit` is the number that a
    429's text names as the account's limit of calls in flight.
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
        super().__init__(message, kind=kind, status=status, partial=partial, billed=billed)
        self.retry_after_s = retry_after_s
        self.concurrency_limit = concurrency_limit


class PermanentError(CompletionError):
    """The same request will fail in the same way: repeating it would only cost."""


class FatalError(CompletionError):
    """The account cannot be used (key, balance, quota): every other call will fail too, so the run stops."""


class CacheMiss(HarnessError):  # noqa: N818 - the field's own word
    """In replay mode the cache holds no answer to a request.

    The message is the explanation's text: what was asked, what was recorded, in what the two differ.
    """

    def __init__(self, message: str, *, explanation: Explanation | None = None) -> None:
        super().__init__(message)
        self.explanation = explanation


class ParseError(HarnessError):
    """A model's text does not hold the value that was asked for; the message can be sent back to the model."""


class TopicFailed(HarnessError):  # noqa: N818 - reads as what happened
    """A workflow gives up on its topic; the message is the row's error."""


class TooManyCalls(HarnessError):  # noqa: N818 - reads as what happened
    """A workflow run asked for more calls than `max_calls_per_topic` allows."""


class TooDeep(HarnessError):  # noqa: N818 - reads as what happened
    """A workflow nested its steps deeper than `max_depth` allows."""


class TopicBudgetExceeded(HarnessError):  # noqa: N818 - reads as what happened
    """The next call could pass what its topic may spend, so neither it nor any later call of the topic is sent.

    `served` tells of the attempts that were made before.
    """

    served: Served | None = None


class StorageError(HarnessError):
    """The cache or the results could not be written (disk full, read-only, deleted): the run stops."""


class RunStopped(HarnessError):  # noqa: N818 - an event, not a mistake
    """The run is ending: no new call is sent. A workflow lets it pass; its topic is left for `resume`."""


class BudgetExceeded(RunStopped):
    """The next call could pass the budget. What was in flight is finished and stored; a higher budget resumes."""
