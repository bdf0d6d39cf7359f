"""The description of a run, `run.json`: its one form, its one reader and its one writer.

A field may have come after a run was begun, so each has a value for where it is missing. What is
written is what was read with changes: the order of the fields stays, and one that this version does
not know stays too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.records.codec import JsonObject
from harness.records.jsonl_file import pretty, write_whole

MANIFEST_VERSION = 1
RUN_FILE = "run.json"

_NEEDED = {
    "run_id": str,
    "sessions": int,
    "dataset": dict,
    "identity": dict,
    "settings": dict,
    "status": str,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFile:
    """The file of topics that a run works on. `end` is one more than the last index, None where an
    earlier version began it.

    `path` is `-` for what was piped in, and `kept` the name of the run's own copy of it.
    `skipped_lines` are the first of the `skipped` bad lines, `grown_after` the numbers of lines that
    the file had when it grew.
    """

    topics: int
    path: str | None = None
    kept: str | None = None
    sha256: str | None = None
    end: int | None = None
    skipped: int = 0
    skipped_lines: tuple[str, ...] = ()
    grown_after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedEndpoint:
    """An endpoint as a run asked it: who answers, and the steps that are known to ask it."""

    endpoint: str
    steps: tuple[str, ...] = ()
    asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The fields of `run.json` that are read, and all of it as JSON.

    `identity` is all that decides the answers, `settings` are those of the last session.
    `session_log` has an entry for each session that ended by itself, `sessions_begun` one for each
    that began. `wall_s` is of all sessions, None until one has ended; `journal` and
    `limits_learned` are empty until then.
    """

    json: Mapping[str, Any] = field(repr=False)
    run_id: str
    status: str
    sessions: int
    dataset: TopicFile
    identity: Mapping[str, Any]
    settings: Mapping[str, Any]
    created_at: str | None
    workflow_sha256: str | None
    harness_version: str | None
    endpoints: Mapping[str, AskedEndpoint]
    sessions_begun: tuple[Any, ...]
    session_log: tuple[Mapping[str, Any], ...]
    journal: Mapping[str, Any]
    limits_learned: Mapping[str, Any]
    wall_s: float | None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Manifest:
        """Return the manifest that this JSON tells; what a run must have is there."""
        return cls(
            json=told,
            run_id=told["run_id"],
            status=told["status"],
            sessions=told["sessions"],
            dataset=_topic_file(told["dataset"]),
            identity=told["identity"],
            settings=told["settings"],
            created_at=told.get("created_at"),
            workflow_sha256=told.get("workflow_sha256"),
            harness_version=told.get("versions", {}).get("harness"),
            endpoints=_endpoints(told),
            sessions_begun=tuple(told.get("sessions_begun") or ()),
            session_log=tuple(told.get("session_log") or ()),
            journal=told.get("journal", {}),
            limits_learned=told.get("limits_learned") or {},
            wall_s=told.get("totals", {}).get("wall_s"),
        )

    def changed(self, changes: Mapping[str, Any]) -> Manifest:
        """Return the manifest with other values for these fields of the JSON."""
        return Manifest.of({**self.json, **changes})

    def write(self, directory: Path) -> None:
        """Replace `run.json` in one move. Raises OSError."""
        write_whole(directory / RUN_FILE, pretty(self.json))


def session_begun(manifest: Manifest, begun: JsonObject, *, kept: str | None) -> Manifest:
    """Return the manifest once a session has begun; `kept` names the copy of what was piped in."""
    dataset = dict(manifest.json["dataset"])
    if kept is not None:
        dataset["kept"] = kept
    begins = [*manifest.sessions_begun, begun]
    return manifest.changed({"dataset": dataset, "sessions_begun": begins})


def read_manifest(path: Path) -> Manifest:
    """Read `run.json`. Raises ResultsError if the directory is no run or the file is damaged."""
    try:
        told = json.loads((path / RUN_FILE).read_bytes())
    except FileNotFoundError:
        raise ResultsError(
            f"{path}: not a run: there is no {RUN_FILE}; expected a directory under results/"
        ) from None
    except NotADirectoryError:
        raise ResultsError(
            f"{path}: not a run: it is a file; expected a directory under results/"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{path / RUN_FILE}: cannot be read: {error}") from error
    _check(told, path / RUN_FILE)
    return Manifest.of(told)


def _check(told: Any, file: Path) -> None:
    """Raise ResultsError where this is no description of a run that can be read."""
    if not isinstance(told, dict) or type(told.get("version")) is not int:
        raise ResultsError(f"{file}: not the description of a run")
    if told["version"] != MANIFEST_VERSION:
        raise ResultsError(
            f"{file}: of version {told['version']}, and this harness knows version"
            f" {MANIFEST_VERSION}"
        )
    for name, kind in _NEEDED.items():
        if type(told.get(name)) is not kind:
            raise ResultsError(f"{file}: damaged: {name!r} is missing or is no {kind.__name__}")
    if type(told["dataset"].get("topics")) is not int:
        raise ResultsError(f"{file}: damaged: the number of topics is missing")


def _topic_file(told: Mapping[str, Any]) -> TopicFile:
    return TopicFile(
        topics=told["topics"],
        path=told.get("path"),
        kept=told.get("kept"),
        sha256=told.get("sha256"),
        end=told.get("end"),
        skipped=told.get("skipped", 0),
        skipped_lines=tuple(told.get("skipped_lines", ())),
        grown_after=tuple(told.get("grown_after", ())),
    )


def _endpoints(told: Mapping[str, Any]) -> dict[str, AskedEndpoint]:
    """Return the endpoints by name, the run's own first; where an earlier version named none, its
    own without a name.
    """
    found = {}
    for name, one in (told.get("endpoints") or {}).items():
        found[name] = AskedEndpoint(
            endpoint=one["endpoint"],
            steps=tuple(one.get("steps", ())),
            asked=one.get("asked", True),
        )
    return found or {"": AskedEndpoint(endpoint=str(told["identity"].get("endpoint")))}
