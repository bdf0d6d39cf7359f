"""The night of `benchmarks/night.py`, at its full size: 10,000 topics through ten outages of 30 s
to 2 h.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

BENCHMARK = Path(__file__).parent.parent.parent / "benchmarks" / "night.py"


def test_a_night_of_ten_outages_fails_no_topic() -> None:
    benchmark = runpy.run_path(str(BENCHMARK))
    night: Any = benchmark["played"](topics=10_000, in_flight=64)
    told = "\n".join(night.lines())
    assert night.ok == 10_000, told
    assert len(night.outages) == 10
    # Probes, and what was in flight at its start, are all that is sent into one, and it goes on
    # within a minute.
    assert [outage.kind for outage in night.outages if not outage.holds] == [], told
    # Five and a half hours of outages; the work itself takes an hour, and each end is noticed
    # within minutes.
    assert night.lasted_s < 7.5 * 3600.0
