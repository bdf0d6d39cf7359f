"""A run's description with the fields that a test is about."""

from __future__ import annotations

from typing import Any

from harness.records.manifest import Manifest


def a_manifest(**fields: Any) -> Manifest:
    return Manifest.of(
        {
            "version": 1,
            "run_id": "run",
            "status": "running",
            "sessions": 1,
            "dataset": {"topics": 1},
            "identity": {},
            "settings": {},
            **fields,
        }
    )
