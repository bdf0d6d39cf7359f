"""Outages as `run.json` keeps them, in the entry of the session that met them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from harness.domain.outage_words import PastOutage
from harness.records.codec import JsonObject


def outage_to_json(outage: PastOutage) -> JsonObject:
    """Return what `run.json` says of an outage."""
    return {
        "since": outage.since.isoformat(timespec="milliseconds"),
        "until": None if outage.until is None else outage.until.isoformat(timespec="milliseconds"),
        "seconds": round(outage.seconds, 3),
        "probes": outage.probes,
        "kind": outage.kind,
        "message": outage.message,
        **({} if outage.endpoint is None else {"endpoint": outage.endpoint}),
    }


def outages_of(entry: Mapping[str, Any]) -> tuple[PastOutage, ...]:
    """Return the outages in an entry of `session_log`; those of earlier versions have none."""
    return tuple(
        PastOutage(
            since=datetime.fromisoformat(told["since"]),
            until=None if told["until"] is None else datetime.fromisoformat(told["until"]),
            seconds=told["seconds"],
            probes=told["probes"],
            kind=told["kind"],
            message=told["message"],
            endpoint=told.get("endpoint"),
        )
        for told in entry.get("outages", ())
    )


def run_outages(manifest: Mapping[str, Any]) -> list[PastOutage]:
    """Return the outages of all sessions of a run, from what `run.json` says of it."""
    return [outage for entry in manifest.get("session_log", ()) for outage in outages_of(entry)]
