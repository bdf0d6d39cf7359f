"""Open files as a budget: every call in flight is a connection, and a connection is an open
file.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass

SPARE_FILES = 64
"""Files that a run has open besides its connections: cache, results, dataset, libraries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBudget:
    """The number of calls that may be in flight, as far as open files go. `note` is one line for
    the user, where that matters.
    """

    in_flight: int
    note: str | None = None


def budgeted_files(in_flight: int) -> FileBudget:
    """Make room for so many calls: the process's own limit is raised where it may be, else fewer
    calls must do.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = in_flight + SPARE_FILES
    allowed = raised(soft, hard, wanted)
    if allowed != soft and not _set(allowed, hard):
        allowed = soft
    return budget(in_flight, allowed)


def raised(soft: int, hard: int, wanted: int) -> int:
    """The limit to ask for: what is wanted, as far as the hard limit goes, and never less than
    now.
    """
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    if hard == resource.RLIM_INFINITY:
        return wanted
    return max(soft, min(wanted, hard))


def budget(in_flight: int, allowed: int) -> FileBudget:
    """Return what is possible with so many open files."""
    if allowed == resource.RLIM_INFINITY or allowed >= in_flight + SPARE_FILES:
        return FileBudget(in_flight=in_flight)
    possible = max(1, allowed - SPARE_FILES)
    if possible >= in_flight:
        return FileBudget(in_flight=in_flight)
    return FileBudget(
        in_flight=possible,
        note=(
            f"only {allowed:,} files may be open, so at most {possible:,} calls will be in flight"
            f" instead of {in_flight:,}; raise the limit with ulimit -n {in_flight + SPARE_FILES}"
        ),
    )


def _set(soft: int, hard: int) -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (ValueError, OSError):  # macOS has a limit below the hard one, and does not tell it
        return False
    return True
