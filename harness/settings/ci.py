"""Variables through which a CI runner speaks to a step."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def step_summary_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The file that GitHub Actions shows as the step's summary, or None elsewhere."""
    named = (os.environ if environ is None else environ).get("GITHUB_STEP_SUMMARY")
    return Path(named) if named else None
