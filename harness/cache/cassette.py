"""Answers as lines of JSON: a recording that is kept beside the code and reviewed in a diff.

A line holds one answer and the call that it was recorded for: texts readable, fields in a fixed
order, and nothing that changes from one recording to the next (no run, no times, no ids, nothing of
the provider's own prefix cache). Of its making it tells the model and the fingerprint that
answered, the day, and the version of harness. Lines are sorted by topic and call, so a prompt that
changed is a line that changed in its place. Each carries a digest, so an answer that was edited by
hand is told from one that a model gave.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, NoReturn

from harness.cache.entry import Entry, instant, stamp, stored_request
from harness.domain.completion import Completion
from harness.domain.key import cache_key
from harness.domain.recorded_call import RecordedCall
from harness.records.codec import JsonObject, completion_from_json, completion_to_json
from harness.records.json_text import storable, to_text
from harness.records.request_codec import request_from_canonical, request_from_json

VERSION = 2
RUN_ID = "cassette"
"""The run that a cassette's answers are said to be paid by, wherever they are taken in."""

_ALWAYS = ("model", "content", "finish_reason")
_TEXTS = ("model", "fingerprint", "earlier", "reasoning", "content", "tool_calls", "finish_reason")
_KEPT = (*_TEXTS, "logprobs", "reasoning_logprobs")
_COUNTED = ("input_tokens", "output_tokens", "reasoning_tokens")


_MERGE_MARKS = (b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>")
_LFS_POINTER = b"version https://git-lfs.github.com/"


class NoCassette(ValueError):  # noqa: N818 - says what the file is
    """The line tells that the whole file is something else, so nothing is to be learnt from the
    lines after it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One line, as texts: `request` and `completion` are JSON, `recorded` a day, `harness` the
    version that wrote.
    """

    topic_id: str
    span_id: str
    key: str
    request: str
    completion: str
    recorded: str
    harness: str

    @property
    def place(self) -> tuple[str, str, str]:
        """By what lines are sorted."""
        return self.topic_id, self.span_id, self.key

    @property
    def digest(self) -> str:
        """64 hex digits over everything but the request, which the key guards."""
        texts = (
            self.topic_id,
            self.span_id,
            self.key,
            self.completion,
            self.recorded,
            self.harness,
        )
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()

    def same_answer(self, other: Recording) -> bool:
        """Return whether a later recording says nothing new, so that the earlier one may stand."""
        return self.key == other.key and self.completion == other.completion


def line_of(recording: Recording) -> str:
    """Its line, without the end."""
    return (
        f'{{"cassette":{VERSION},"topic":{to_text(recording.topic_id)},"call":{to_text(recording.span_id)},'
        f'"key":"{recording.key}","request":{recording.request},"completion":{recording.completion},'
        f'"recorded":"{recording.recorded}","harness":{to_text(recording.harness)},"digest":"{recording.digest}"}}'
    )


def recording_of_line(line: bytes) -> Recording:
    """Raises ValueError, with the reason, for a line that must not be believed; NoCassette for
    another kind of file.
    """
    if line.startswith(_LFS_POINTER):
        raise NoCassette(
            "a pointer of Git LFS, not the file itself; fetch that with `git lfs pull`"
        )
    if line.startswith(_MERGE_MARKS):
        raise ValueError(
            "a conflict that a merge left; keep one side of it and remove the marks, or record"
            " again"
        )
    try:
        fields = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f"not JSON: {error.msg} (column {error.colno}); a line that was cut off, or edited"
        ) from error
    except RecursionError as error:
        raise ValueError("not a cassette: nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError("not a cassette: a line must be a JSON object")  # noqa: TRY004 - bad data, not a bad argument
    if fields.get("cassette") != VERSION:
        raise NoCassette(_other(fields))
    try:
        return _checked(fields)
    except RecursionError as error:  # what can be parsed may still be too deep for its key
        raise ValueError("not a cassette: nested too deeply") from error


def recording_of_entry(entry: Entry, *, harness: str) -> Recording:
    """Return what a cassette keeps of a cache's entry."""
    return Recording(
        topic_id=entry.topic_id,
        span_id=entry.span_id,
        key=entry.key,
        request=entry.request,
        completion=_completion_text(json.loads(entry.value)),
        recorded=entry.created_at[:10],
        harness=harness,
    )


def recording_of_row(row: Mapping[str, Any], *, day: date, harness: str) -> Recording:
    """Return what a cassette keeps of an answered call, from its row in `traces.jsonl`. Raises
    ValueError for another row.
    """
    request = request_from_json(row["request"])
    if cache_key(request) != row["key"]:
        raise ValueError(f"the row of call {row['id']!r} has a key that is not its request's")
    return Recording(
        topic_id=storable(row["topic_id"]),
        span_id=storable(row["id"]),
        key=row["key"],
        request=stored_request(request),
        completion=_completion_text(row),
        recorded=day.isoformat(),
        harness=harness,
    )


def recording_of_call(call: RecordedCall, *, harness: str) -> Recording:
    """Return what a cassette keeps of an answer that is at hand."""
    return Recording(
        topic_id=storable(call.topic_id),
        span_id=storable(call.span_id),
        key=call.key,
        request=stored_request(call.request),
        completion=_completion_text(completion_to_json(call.completion)),
        recorded=call.created_at.date().isoformat(),
        harness=harness,
    )


def entry_of_recording(recording: Recording) -> Entry:
    """The entry that a cache keeps of it, as of the beginning of its day. Its cost is not known,
    nor its times.
    """
    fields = json.loads(recording.completion)
    owner = f"{RUN_ID}/{recording.topic_id}/{recording.span_id}"
    request = request_from_canonical(recording.request)
    return Entry(
        key=recording.key,
        request=recording.request,
        value=to_text({**_complete(fields), "owner": owner}),
        created_at=stamp(_beginning(recording.recorded)),
        run_id=RUN_ID,
        endpoint=storable(request.endpoint),
        model=storable(request.model),
        topic_id=recording.topic_id,
        span_id=recording.span_id,
    )


def call_of_recording(recording: Recording) -> RecordedCall:
    """The same as values."""
    return RecordedCall(
        topic_id=recording.topic_id,
        span_id=recording.span_id,
        key=recording.key,
        request=request_from_canonical(recording.request),
        completion=_completion(json.loads(recording.completion)),
        run_id=RUN_ID,
        created_at=_beginning(recording.recorded),
    )


def _other(fields: Mapping[str, Any]) -> str:
    """Say what the line of a file is that is no cassette of this version."""
    if "cassette" not in fields:
        return (
            "not a cassette: it has no field 'cassette'; name the file that `harness record` wrote"
        )
    version, writer = fields["cassette"], fields.get("harness")
    if isinstance(writer, str):
        by = f", written by harness {writer:.40},"
    else:
        by = ""
    newer = isinstance(version, int) and version > VERSION
    if newer:
        advice = "use that version of harness or a later one"
    else:
        advice = "remove the file and record it again"
    return f"a cassette of version {version!r:.40}{by} and this is for version {VERSION}; {advice}"


def _checked(fields: dict[str, Any]) -> Recording:
    texts = ("topic", "call", "key", "recorded", "harness", "digest")
    if wrong := [name for name in texts if not isinstance(fields.get(name), str)]:
        raise ValueError(f"field {wrong[0]!r} must be a text")
    try:
        request = request_from_json(fields.get("request"))
    except ValueError as error:
        raise ValueError(f"request: {error}") from None
    if cache_key(request) != fields["key"]:
        raise ValueError("the key is not that of the request: one of them was changed")
    try:
        _completion(fields.get("completion"))
    except ValueError as error:
        raise ValueError(f"completion: {error}") from None
    recording = Recording(
        topic_id=storable(fields["topic"]),
        span_id=storable(fields["call"]),
        key=fields["key"],
        request=stored_request(request),
        completion=to_text(fields["completion"]),
        recorded=fields["recorded"],
        harness=storable(fields["harness"]),
    )
    if recording.digest != fields["digest"]:
        raise ValueError("the digest does not match: the line was edited after it was recorded")
    _beginning(recording.recorded)
    return recording


def _completion_text(fields: Mapping[str, Any]) -> str:
    """The completion of a cache's value or of a trace's row, as a cassette has it: what says
    nothing is left out.
    """
    kept: JsonObject = {name: fields[name] for name in _KEPT if fields.get(name) or name in _ALWAYS}
    kept["usage"] = {name: fields["usage"][name] for name in _COUNTED}
    return to_text(kept)


def _completion(fields: Any) -> Completion:
    return completion_from_json(_complete(fields) if isinstance(fields, dict) else fields)


def _complete(fields: Mapping[str, Any]) -> JsonObject:
    """With what a cassette does not keep, as if it had been nothing."""
    usage = fields.get("usage")
    return {
        **fields,
        "usage": {**usage, "cached_tokens": 0} if isinstance(usage, dict) else usage,
        "served": {"attempts": 1, "latency_s": 0.0},
    }


def _beginning(day: str) -> datetime:
    try:
        moment = datetime.combine(date.fromisoformat(day), time(), UTC)
    except ValueError as error:
        raise ValueError(
            f"field 'recorded' must be a day like 2026-11-20, not {day!r:.40}"
        ) from error
    if day != moment.date().isoformat() or instant(stamp(moment)) != moment:
        raise ValueError(f"field 'recorded' must be a day like 2026-11-20, not {day!r:.40}")
    return moment


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"not JSON: {constant} is no number")
