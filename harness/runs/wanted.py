"""The run that a user asks for: the new content of `run.json`, and the check that the run that is
there is the one that is wanted. The form of the file is in `records/manifest.py`.
"""

from __future__ import annotations

import importlib.metadata
import logging
import platform
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from harness._version import __version__
from harness.datasets.dataset import Dataset
from harness.datasets.line_digests import read_digests
from harness.domain.growth import change_words, first_difference, lines_added
from harness.domain.profiles import MOCK
from harness.errors import ResultsError
from harness.records.begun import Begun
from harness.records.manifest import MANIFEST_VERSION, Manifest, TopicFile
from harness.records.results_dir import LINES_FILE
from harness.settings import Loaded, Settings
from harness.text.amounts import counted, money
from harness.text.safe import one_line
from harness.workflows.loading import LoadedWorkflow

log = logging.getLogger("harness.run")

STDIN = "-"
_SHOWN = 60
_OR = "or begin another run with a new --out DIR: what the cache has costs nothing there"

_BEFORE = {"samples": 1}
"""The values for a run that began before its manifest had these fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The run that a user asks for: makes the manifest of a new one, or that of one that goes on.

    `source` is what the user named, `continued` whether there must be a run already, `path` its
    directory. `endpoints` are those that it asks, by name, its own first.
    """

    path: Path
    settings: Settings
    workflow: LoadedWorkflow
    dataset: Dataset
    source: str
    run_id: str
    now: datetime
    continued: bool
    endpoints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def manifest(self, known: Manifest | None) -> dict[str, Any]:
        """Return the new content of `run.json`, given the old. Raises ResultsError that names what
        differs.

        A file of topics that grew at its end is still the run's: the dataset is then read in an
        order in which the new topics come last.
        """
        if known is None:
            if self.continued:
                raise ResultsError("there is no run to resume in this directory")
            return {
                "version": MANIFEST_VERSION,
                "run_id": self.run_id,
                "created_at": self.now.isoformat(timespec="milliseconds"),
                "status": "running",
                **self._current(None, ()),
                "identity": self._identity(),
            }
        grown_after = self._same_run(known)
        self.dataset.order_after(grown_after)
        if known.workflow_sha256 != self.workflow.code_sha256:
            log.warning(
                "the workflow's code was changed since the run's last session; finished topics keep"
                " their rows",
                extra={"run_id": known.run_id},
            )
        identity = {**known.identity, "dataset": self.dataset.sha256}
        return {
            **known.json,
            "status": "running",
            **self._current(known.dataset, grown_after),
            "identity": identity,
        }

    def _same_run(self, known: Manifest) -> list[int]:
        """The numbers of lines that the file of topics had when it grew. Raises ResultsError for
        another run.
        """
        began = known.identity
        ours = f"this directory holds the run {known.run_id}"
        differing = _differences(began, self._identity())
        if differing:
            raise ResultsError(
                f"{ours}, which differs in {', '.join(differing)}; go back to what it began with,"
                f" {_OR}"
            )
        grown_after = list(known.dataset.grown_after)
        if began["dataset"] == self.dataset.sha256:
            return grown_after
        then, now = read_digests(self.path / LINES_FILE), array("Q", self.dataset.digests())
        added = None if then is None else lines_added(then, now)
        if then is None or added is None:
            what = "which was changed" if then is None else self._change(then, now)
            raise ResultsError(
                f"{ours}, which began with other topics than are now in {self.source}: {what}; only"
                f" lines at its end may be new; put back what was there, {_OR}"
            )
        if added:
            self._tell_growth(known, added - now[len(then) :].count(0))
            grown_after.append(len(then))
        return grown_after

    def _change(self, then: Sequence[int], now: Sequence[int]) -> str:
        words, first = change_words(then, now), first_difference(then, now)
        line = one_line(self.dataset.line(first), _SHOWN) if first <= len(now) else ""
        return f"{words}; line {first:,} is now {line}" if line else words

    def _tell_growth(self, known: Manifest, added: int) -> None:
        """Say that there are more topics than there were, or why there are not."""
        now, before, limit = self.dataset.count, known.dataset.topics, self.settings.limit
        what = f"the file of topics has {counted(added, 'new line')} at its end"
        more = f"{counted(now - before, 'topic')} more to run"
        if now <= before:
            more = "none of them is a topic of this run"
            if limit is not None:
                more += f": --limit {limit:,} takes the first {counted(limit, 'topic')}, as before"
        elif self.settings.shuffle is not None:
            more += ", after the old ones, whose order stays"
        log.warning("%s: %s", what, more, extra={"run_id": known.run_id})

    def _current(self, known: TopicFile | None, grown_after: Sequence[int]) -> dict[str, Any]:
        dataset = self.dataset
        return {
            "versions": {
                "harness": __version__,
                "python": platform.python_version(),
                "openai": importlib.metadata.version("openai"),
            },
            "dataset": {
                **self._where(known),
                "sha256": dataset.sha256,
                "topics": dataset.count,
                "end": dataset.end,
                "skipped": dataset.report.bad,
                "skipped_lines": list(dataset.report.errors),
                "grown_after": list(grown_after),
            },
            "workflow_sha256": self.workflow.code_sha256,
            "settings": recorded(self.settings),
            "endpoints": {name: dict(told) for name, told in self.endpoints.items()},
        }

    def _where(self, known: TopicFile | None) -> dict[str, Any]:
        """The place where topics can be read again: a file, or the copy that the run keeps of what
        was piped in.

        A copy that has become too old is not named: another has to be made.
        """
        if known is not None and known.kept is not None:
            is_same = known.sha256 == self.dataset.sha256
            return {"path": STDIN, "kept": known.kept if is_same else None}
        if not can_be_read_again(self.source):
            return {"path": STDIN, "kept": None}
        return {"path": str(Path(self.source).resolve()), "kept": None}

    def _identity(self) -> dict[str, Any]:
        """Everything that decides the answers: a run is continued only with all of it unchanged."""
        settings, defaults, elsewhere = self.settings, self.settings.defaults(), self._elsewhere()
        return {
            "dataset": self.dataset.sha256,
            "prompts": self.workflow.prompts.sha256,
            "workflow": workflow_name(settings.workflow),
            "workflow_settings": dict(self.workflow.settings),
            "endpoint": Loaded(settings=settings, origins={}).endpoint(key_needed=False).identity,
            "model": defaults.model,
            "thinking": defaults.thinking,
            "effort": defaults.effort,
            "extra_body": dict(settings.service.extra_body) or None,
            "steps": {
                name: table.model_dump(exclude_none=True) for name, table in settings.steps.items()
            },
            "topic_field": settings.topic_field,
            "id_field": settings.id_field,
            "filter": list(settings.filter),
            "shuffle": settings.shuffle,
            "samples": settings.samples,
            **({"endpoints": elsewhere} if elsewhere else {}),
        }

    def _elsewhere(self) -> dict[str, object]:
        """The endpoints that are asked besides the run's own, by their names."""
        return {name: told["endpoint"] for name, told in list(self.endpoints.items())[1:]}


def can_be_read_again(source: str) -> bool:
    """Not so standard input, and a pipe: whatever is piped in is read once."""
    return source != STDIN and Path(source).is_file()


def is_simulated(manifest: Manifest) -> bool:
    """Return whether a run asked nobody but the mock. Its own endpoint does not count where all
    steps ask another.
    """
    return all(one.endpoint == MOCK.name for one in manifest.endpoints.values() if one.asked)


def elsewhere_words(manifest: Manifest) -> list[str]:
    """The endpoints that a run asks besides its own: `decompose at local
    (http://127.0.0.1:8080/v1)`.
    """
    words = []
    for name, one in list(manifest.endpoints.items())[1:]:
        said = f"{', '.join(one.steps) or 'some calls'} at {name}"
        if name != one.endpoint:
            said += f" ({one.endpoint})"
        words.append(said)
    return words


def begun_words(begun: Begun) -> str:
    """Say when a session began, who does it, and within what limits.

    `2026-12-01 03:12:40 UTC, process 4711; at most 64 calls in flight, 8 of a topic, 128 topics
    open, budget $5.00`.
    """
    limits = begun.limits
    words = [
        f"at most {counted(limits.in_flight, 'call')} in flight",
        f"{limits.per_run:,} of a topic",
        f"{counted(limits.runs, 'topic')} open",
    ]
    for value, unit in ((limits.rpm, "requests"), (limits.tpm, "tokens")):
        if value is not None:
            words.append(f"{value:,} {unit} per minute")
    if limits.run_calls is not None:
        words.append(f"{counted(limits.run_calls, 'request')} in all")
    if limits.budget is not None:
        words.append(f"budget {money(limits.budget)}")
    if limits.budget_tokens is not None:
        words.append(f"budget {counted(limits.budget_tokens, 'token')}")
    return f"{begun.started_at:%Y-%m-%d %H:%M:%S} UTC, process {begun.pid}; {', '.join(words)}"


def workflow_name(workflow: str) -> str:
    """Return the name of a workflow in records: a file without its directory, which another day may
    be another.
    """
    where, colon, function = workflow.rpartition(":")
    return f"{Path(where).name}:{function}" if colon and where.endswith(".py") else workflow


def recorded(settings: Settings) -> dict[str, Any]:
    """Settings as `run.json` keeps them: JSON values, no credentials of a base URL.

    Paths are absolute: a run that is resumed from another directory must find the cache that holds
    what it paid for.
    """
    values: dict[str, Any] = settings.model_dump(mode="json", by_alias=True)
    if settings.base_url is not None:
        values["base_url"] = (
            Loaded(settings=settings, origins={}).endpoint(key_needed=False).base_url
        )
    for name in ("cache", "prompts", "out", "log_file"):
        if values[name] is not None:
            values[name] = str(Path(values[name]).absolute())
    where, colon, function = settings.workflow.rpartition(":")
    if colon and where.endswith(".py"):
        values["workflow"] = f"{Path(where).absolute()}:{function}"
    return values


def source_of(path: Path, manifest: Manifest) -> str:
    """Return the file with the topics of the run in `path`. Raises ResultsError if it is not there
    any more.
    """
    source = Path(str(manifest.dataset.path))
    if manifest.dataset.kept:
        source = path.absolute() / manifest.dataset.kept
    if not source.is_file():
        raise ResultsError(
            f"{path}: its topics are not at {source} any more; put the file back, or go on with "
            f"`harness run FILE --out {path}` from where it is now"
        )
    return str(source)


def _differences(began: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Name what decides the answers and is not as it was, but for the topics."""
    found = []
    for name in dict.fromkeys((*wanted, "endpoints")):
        then, now = began.get(name, _BEFORE.get(name)), wanted.get(name)
        if name != "dataset" and then != now:
            found.append(_difference(name, then, now))
    return found


def _difference(name: str, then: object, now: object) -> str:
    """A field of what a run is identified by, with its values where a person can read them."""
    if name == "prompts":
        if then and now:
            return "prompts (they were edited since)"
        return "prompts (then own)" if then else "prompts (then none)"
    return f"{name} (then {_short(then)}, now {_short(now)})"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 24 else text[:20] + "…"
