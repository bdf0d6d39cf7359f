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
    │   └── Rejected          the model: none of its answers, those to re-asks included, was what the step asked for
    ├── TopicFailed           a workflow's own verdict: this topic has no result
    ├── TooManyCalls          the author of the workflow: one topic wants more calls than a topic may make
    ├── TooDeep               the author of the workflow: steps within steps within steps
    ├── TopicBudgetExceeded   the owner of the money: this topic may not spend any more, the others go on
    ├── StorageError          the owner of the disk: what arrived cannot be kept, the run stops
    └── RunStopped            nobody: the run is ending and sends nothing more
        └── BudgetExceeded    the owner of the money: raise the budget and resume

Those that carry what came back of a call stand in `domain/failures.py`, all others here. Foreign
exceptions are translated in the adapter that meets them, and nowhere else.
"""

from __future__ import annotations

from typing import Literal

FailureKind = Literal[
    "connection",  # refused, reset, name not resolved, broken off before the answer was whole
    "timeout",  # connect, first token, silence between tokens, or total deadline
    "rate_limited",  # 429
    "server",  # 5xx, error events in a stream
    "gateway",  # a page of HTML where an answer was due: a proxy speaks for a server that it does not reach
    "incomplete",  # a stream that ended without `[DONE]` and without a finish reason
    "malformed",  # not JSON, not a completion
    "blank",  # finished, and says nothing
    "interrupted",  # finish reason `insufficient_system_resource` or `aborted`
    "unparseable",  # in rows of earlier versions: JSON was asked for and did not come; now the answer is rejected
    "length",  # the cap on output tokens cut the answer
    "content_filter",  # the prompt was flagged, or the answer was withheld
    "refusal",  # the model declined
    "too_long",  # the prompt does not fit the model's context
    "bad_request",  # 400, 404, 422 …
    "forbidden",  # a 403 that names neither the key nor the prompt
    "redirect",  # never followed: it could carry the key to another host
    "auth",  # 401, or any status whose words say that the key is wrong or missing
    "balance",  # 402, insufficient_quota
    "quota",  # a day's or a month's quota is used up
    "unknown_model",  # the server has no model of this name
]


Reach = Literal["request", "topic", "everyone for now", "everyone until someone acts"]
"""The reach of an error, which `domain/reach.py` decides."""


class HarnessError(Exception):
    """Everything this package raises on purpose."""


class InputError(HarnessError):
    """A mistake in what the user gave. The message says what, where, and what to do; the exit code
    is 2.
    """


class DatasetError(InputError):
    """One or more bad lines in a topic file; each is named `file:line: reason`."""


class SettingsError(InputError):
    """A setting that is unknown, of the wrong type, out of range, or at odds with another."""


class PromptsError(InputError):
    """A prompts file that cannot be read, lacks a prompt, or names a placeholder that nobody
    fills.
    """


class WorkflowError(InputError):
    """A workflow that cannot be found, imported or called."""


class SuiteError(InputError):
    """A suite, or a file that belongs to it, that cannot be used; each line begins with
    `file:line`.
    """


class ResultsError(InputError):
    """A results directory that belongs to another run, is in use, or is damaged."""


class CacheError(InputError):
    """A cache file that is not ours, is damaged, or was written by a newer version."""


class ParseError(HarnessError):
    """A model's text does not hold the value that was asked for; the message can be sent back to
    the model.

    `text` is what `parse_json` and `parse_string_list` were given. Where such an error ends a
    topic, or a part of one, the answer with this text is rejected.
    """

    text: str | None = None


class Rejected(ParseError):  # noqa: N818 - what became of the answers
    """A step got no answer that its check accepted, and may not ask again.

    `problems` are the reasons, one for each answer, in the order of asking.
    """

    kind = "rejected"

    def __init__(self, step: str, problems: tuple[str, ...]) -> None:
        answers = "the answer was" if len(problems) == 1 else f"all {len(problems)} answers were"
        super().__init__(
            f"{answers} rejected by the check of step {step!r}; the last one because {problems[-1]}"
        )
        self.step = step
        self.problems = problems


class TopicFailed(HarnessError):  # noqa: N818 - reads as what happened
    """A workflow gives up on its topic; the message is the row's error."""


class TooManyCalls(HarnessError):  # noqa: N818 - reads as what happened
    """A workflow run asked for more calls than `max_calls_per_topic` allows."""


class TooDeep(HarnessError):  # noqa: N818 - reads as what happened
    """A workflow nested its steps deeper than `max_depth` allows."""


class StorageError(HarnessError):
    """The cache or the results could not be written (disk full, read-only, deleted): the run
    stops.
    """


class RunStopped(HarnessError):  # noqa: N818 - an event, not a mistake
    """The run is ending: no new call is sent. A workflow lets it pass; its topic is left for
    `resume`.
    """


class BudgetExceeded(RunStopped):
    """The next call could pass the budget. What was in flight is finished and stored; a higher
    budget resumes.
    """
