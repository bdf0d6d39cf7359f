"""Remedies for each kind of failure, in one table for all displays and the page.

A remedy is told beside the server's or the author's own words, so it repeats none of them. `harness
resume` tries every failed topic again; where only that is needed, the remedy says so.
"""

from __future__ import annotations

from collections.abc import Mapping

REMEDIES: Mapping[str, str] = {
    "connection": (
        "check the address, the network and that the server runs: `harness doctor --base-url …`"
        " looks; with a longer --patience a run waits for it"
    ),
    "timeout": (
        "a server that works on few requests at a time needs a lower --in-flight N; one that thinks"
        " long before its first word, a longer --first-token-timeout"
    ),
    "rate_limited": "lower --in-flight, or set --rpm and --tpm to what the account allows",
    "server": (
        "the server's own trouble, which mostly passes: resume later; if it stays, look into the"
        " server's log"
    ),
    "gateway": (
        "a proxy answered for a server that it does not reach: check --base-url and that the server"
        " behind it runs, and resume"
    ),
    "incomplete": (
        "streams broke off: --no-stream asks for whole answers, and --in-flight 1 helps where"
        " streams cut each other"
    ),
    "malformed": (
        "what came is no chat completion: check --base-url with `harness doctor`, or try"
        " --no-stream"
    ),
    "blank": (
        "the model said nothing: resume asks again; if it stays so, raise max_tokens for the step"
        " or change the prompt"
    ),
    "interrupted": "the provider broke off for want of capacity: resume later",
    "unparseable": (
        "say in the prompt which JSON is wanted, or take another model; resume asks again"
    ),
    "length": "the cap on tokens cut the answer: raise max_tokens for the step, and resume",
    "content_filter": "it will be refused again: change the topic or the prompt",
    "refusal": "the model is likely to decline again: change the topic or the prompt",
    "too_long": "shorten the topic or the prompt, or take a model with a longer context",
    "bad_request": (
        "it will be refused again: see what the message names (harness doctor checks the settings)"
    ),
    "forbidden": (
        "see what the server's words forbid: this model, this address or this prompt; the key was"
        " accepted"
    ),
    "redirect": "the base URL is not the right one: set what the message names",
    "auth": "put the right key into the variable that `harness doctor` names, and resume",
    "balance": "top up the account, and resume",
    "quota": "wait until the quota is renewed, or have it raised, and resume",
    "unknown_model": (
        "start a new run with a --model that the server has; `harness doctor` looks for it"
    ),
    "CompletionError": "resume asks again",
    "TransientError": "resume asks again",
    "PermanentError": "it will fail again: change what the message names",
    "FatalError": "mend what the message names, and resume",
    "CacheMiss": "record it: the same run with --cache-mode read_write asks for what is missing",
    "ParseError": (
        "the model's text could not be read: let the workflow ask again with the message, or mend"
        " the prompt"
    ),
    "Rejected": (
        "the model gives no answer that the step takes: mend its prompt, or take another model;"
        " resume asks again"
    ),
    "TopicFailed": (
        "the workflow gave the topic up: resume tries it again; see its calls with `harness show`"
    ),
    "TopicBudgetExceeded": "raise --topic-budget, and resume",
    "TooManyCalls": "raise --max-calls, or let the workflow ask for fewer parts",
    "TooDeep": "raise --max-depth, or let the workflow go less deep",
    "Degraded": (
        "part of it is missing: `harness resume DIR --status degraded` does the topic again"
    ),
    "HarnessError": "mend what the message names, and resume",
    "InputError": "mend what the message names, and resume",
    "DatasetError": (
        "no topic, so resume skips it: mend the line, and start a new run to have it answered"
    ),
    "SettingsError": "mend the setting that the message names",
    "PromptsError": "mend the prompts file, or the workflow that asks for the prompt",
    "WorkflowError": "mend the workflow, and resume: what was paid comes from the cache",
    "SuiteError": "mend the suite at the line that the message names",
    "ResultsError": "choose another directory with --out, or put its files back",
    "CacheError": (
        "choose another file with --cache; `harness cache verify` says what is wrong with this one"
    ),
    "StorageError": "make room on the disk, or put back what was deleted, and resume",
    "RunStopped": "resume goes on",
    "BudgetExceeded": "raise the budget, and resume",
}
"""By the kind of a failed call, and by the type of every other exception of ours."""

IN_THE_CODE = "mend the workflow's code, and resume: what was paid comes from the cache"
"""For every exception that is none of ours: it came out of the workflow's code."""


def remedy_of(*, type: str, kind: str | None) -> str:  # noqa: A002 - as in `Failure`
    """Return the remedy for a failure, in a few words for a person."""
    return REMEDIES.get(kind or type) or REMEDIES.get(type, IN_THE_CODE)
