"""Outages as `run.json` keeps them, in the entry of the session that met them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from harness.domain.outage_words import PastOutage
from harness.records.codec import JsonObject
from harness.records.manifest import Manifest
from harness.records.typed import TypedReader, moment


def outage_to_json(outage: PastOutage) -> JsonObject:
    """Return what `run.json` says of an outage."""
    fields: JsonObject = {
        "since": outage.since.isoformat(timespec="milliseconds"),
        "until": None if outage.until is None else outage.until.isoformat(timespec="milliseconds"),
        "seconds": round(outage.seconds, 3),
        "probes": outage.probes,
        "kind": outage.kind,
        "message": outage.message,
    }
    if outage.endpoint is not None:
        fields["endpoint"] = outage.endpoint
    return fields


def outages_of(entry: Mapping[str, Any]) -> tuple[PastOutage, ...]:
    """Return the outages in an entry of `session_log`; those of earlier versions have none."""
    return tuple(_OUTAGES.of_value(told) for told in entry.get("outages", ()))


def run_outages(manifest: Manifest) -> list[PastOutage]:
    """Return the outages of all sessions of a run, from what `run.json` says of it."""
    found: list[PastOutage] = []
    for entry in manifest.session_log:
        found += outages_of(entry)
    return found


_OUTAGES = TypedReader(PastOutage, special={datetime: moment})
