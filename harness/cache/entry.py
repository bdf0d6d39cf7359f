"""A cache entry as the texts that are stored, and the digest that tells whether they are still what
was stored.

The request of a row is guarded by its key, which is the request's own hash; everything else by the
digest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.domain.completion import Completion, Request
from harness.domain.key import canonical_request
from harness.ports import Stored
from harness.records.codec import completion_of_text, completion_to_json
from harness.records.json_text import storable, to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of `responses`, as texts. `created_at` is ISO 8601 in UTC; `endpoint` and `model` are
    what was asked.

    `topic_id` and `span_id` name the call that it was stored for, or are empty.
    """

    key: str
    request: str
    value: str
    created_at: str
    run_id: str
    endpoint: str
    model: str
    topic_id: str = ""
    span_id: str = ""

    @property
    def digest(self) -> str:
        texts = (self.key, self.created_at, self.run_id, self.value)
        return digest(*(text.encode() for text in texts))

    @property
    def bytes(self) -> int:
        return len(self.request.encode()) + len(self.value.encode())


def entry_of(
    key: str,
    request: Request,
    completion: Completion,
    *,
    run_id: str,
    created_at: datetime,
    topic_id: str = "",
    span_id: str = "",
) -> Entry:
    """Raises ValueError for a number that JSON does not know."""
    return Entry(
        key=key,
        request=stored_request(request),
        value=to_text(completion_to_json(completion)),
        created_at=stamp(created_at),
        run_id=run_id,
        endpoint=storable(request.endpoint),
        model=storable(request.model),
        topic_id=storable(topic_id),
        span_id=storable(span_id),
    )


def stored_request(request: Request) -> str:
    """The canonical form, in a spelling that UTF-8 can hold."""
    return storable(canonical_request(request))


def stored(
    *, key: bytes, digest_was: bytes, created_at: bytes, run_id: bytes, value: bytes
) -> Stored:
    """Read a row, once its digest shows that nothing of it has changed. Raises ValueError
    where something has.
    """
    if digest(key, created_at, run_id, value).encode() != digest_was:
        raise ValueError("its digest does not match")
    return Stored(
        completion=completion_of_text(value),
        run_id=run_id.decode(),
        created_at=instant(created_at.decode()),
    )


def digest(key: bytes, created_at: bytes, run_id: bytes, value: bytes) -> str:
    """64 hex digits over the key, the stamp, the run and the value, each on a line of its own."""
    return hashlib.sha256(b"\n".join((key, created_at, run_id, value))).hexdigest()


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC to the microsecond: texts that sort as the instants do."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def instant(text: str) -> datetime:
    """The instant of a `stamp`. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time stamp {text!r} names no time zone")
    return moment
