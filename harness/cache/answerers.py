"""The models that gave the answers in a cache: models and fingerprints, by their own word, and from
when to when.

It stands in each value, and so is known of old entries too. All of them are read for it: 2 to 4 s
for 100,000 answers of 4 KB.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.cache.entry import instant
from harness.domain.completion import Answerer
from harness.domain.model_names import NO_ALIASES
from harness.domain.who_answered import AnswererCounts, answered
from harness.records.codec import answerers_from_json

# As bytes, and only of what is JSON: a damaged value spoils its own row only.
_ANSWERERS = """
SELECT endpoint, model, CAST(told AS BLOB), count(*), min(created_at), max(created_at)
FROM (
    SELECT endpoint, model, created_at,
           CASE WHEN json_valid(value) THEN json_extract(value, '$.model', '$.fingerprint', '$.earlier') END AS told
    FROM responses
)
WHERE told IS NOT NULL GROUP BY endpoint, model, told
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswererStats:
    """Answers from one model and fingerprint to what was asked for at an endpoint. An answer may
    name several.

    `model` "" and `fingerprint` None: they do not say. `first` and `last` are when they were
    stored.
    """

    endpoint: str
    asked: str
    model: str
    fingerprint: str | None
    answers: int
    first: datetime
    last: datetime


def answerers(connection: sqlite3.Connection) -> tuple[AnswererStats, ...]:
    """By endpoint and by what was asked for, in the order in which they first answered; damaged
    values are left out.
    """
    found: dict[tuple[str, str, Answerer], AnswererStats] = {}
    for endpoint, asked, told, number, first, last in connection.execute(_ANSWERERS):
        for by in _named(told):
            known = found.get((endpoint, asked, by))
            found[endpoint, asked, by] = AnswererStats(
                endpoint=endpoint,
                asked=asked,
                model=by.model,
                fingerprint=by.fingerprint or None,
                answers=number + (known.answers if known else 0),
                first=min(instant(first), known.first) if known else instant(first),
                last=max(instant(last), known.last) if known else instant(last),
            )
    return tuple(
        sorted(found.values(), key=lambda one: (one.endpoint, one.asked, one.first, one.model))
    )


def counted_answers(
    stats: Iterable[AnswererStats], aliases: Mapping[str, str] = NO_ALIASES
) -> AnswererCounts:
    """The same without their times."""
    found: AnswererCounts = Counter()
    for one in stats:
        by = Answerer(one.model, one.fingerprint or "")
        for key in answered(one.endpoint, one.asked, (by,), aliases):
            found[key] += one.answers
    return found


def _named(told: bytes) -> tuple[Answerer, ...]:
    """All that an answer names, the last of them last; nobody where the value is damaged."""
    try:
        model, fingerprint, earlier = json.loads(told)
        last = {"model": model, "fingerprint": fingerprint}
        return answerers_from_json({"earlier": [*(earlier or ()), last]})
    except (ValueError, TypeError):
        return ()
