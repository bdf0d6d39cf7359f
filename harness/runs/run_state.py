"""The state of a run, from its files: while it runs, after it ended, and after it was killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.cache.admin import CacheAdmin
from harness.errors import CacheError, ResultsError, StorageError
from harness.ports import OpenCall, WallClock
from harness.records.begun import Begun, last_begun
from harness.records.manifest import RUN_FILE, Manifest
from harness.records.results_dir import RESULTS_FILE, TRACES_FILE, is_running
from harness.records.run import Run
from harness.records.run_standing import FailedAlike, RowTotals
from harness.runs.live_file import Live, read_live


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """`sums` are those over the rows, `journal` is the journal's word on the money.

    `begun` is the beginning of the last session, None where an earlier version of harness began it.
    `live` is what a run that goes on last told of itself, None before it did. `killed`: the last
    session ended without closing its books, and was last alive at `last_alive`; then `left_open`
    are the requests that nobody waits for any more. `notes` say what could not be read.
    """

    path: Path
    manifest: Manifest
    running: bool
    sums: RowTotals
    unfinished: int
    failures: tuple[FailedAlike, ...]
    journal: Mapping[str, Any]
    begun: Begun | None = None
    live: Live | None = None
    last_alive: datetime | None = None
    left_open: tuple[OpenCall, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def killed(self) -> bool:
        return not self.running and self.manifest.status == "running"

    @property
    def skipped(self) -> int:
        """The bad lines of the file of topics that were skipped."""
        return self.manifest.dataset.skipped


async def look_at(path: Path, clock: WallClock) -> RunState:
    """Look at the run in a directory. Raises ResultsError where there is none, or its rows are
    damaged.
    """
    # First: a run that ends meanwhile has closed its books before it lets go of the directory.
    running = is_running(path)
    run = Run.open(path)
    manifest, standing = run.manifest, run.standing
    live, notes = _told(path)
    killed = not running and manifest.status == "running"
    journal: Mapping[str, Any] = manifest.journal
    left_open: tuple[OpenCall, ...] = ()
    if killed:
        journal, left_open, note = await _journal(manifest, clock)
        notes += note
    return RunState(
        path=path,
        manifest=manifest,
        running=running,
        sums=standing.totals.rounded(),
        unfinished=run.unfinished,
        failures=standing.failures(),
        journal=journal,
        begun=last_begun(run.manifest),
        live=live if running and live is not None and live.session == manifest.sessions else None,
        last_alive=_last_alive(path, manifest, live) if killed else None,
        left_open=left_open,
        notes=notes,
    )


def newest_run(root: Path) -> Path:
    """The run under a directory that was begun or continued last. Raises ResultsError if there is
    none.
    """
    found = [path.parent for path in root.glob(f"*/{RUN_FILE}")]
    if not found:
        raise ResultsError(f"there is no run under {root}/ here; name its directory")
    return max(found, key=lambda path: (path / RUN_FILE).stat().st_mtime_ns)


def _told(path: Path) -> tuple[Live | None, tuple[str, ...]]:
    try:
        return read_live(path), ()
    except ResultsError as error:
        return None, (str(error),)


async def _journal(
    manifest: Manifest, clock: WallClock
) -> tuple[Mapping[str, Any], tuple[OpenCall, ...], tuple[str, ...]]:
    """Read the journal in the cache for a run that could not write its word down itself."""
    run_id = manifest.run_id
    try:
        async with CacheAdmin.open(Path(manifest.settings["cache"]), clock=clock) as cache:
            return asdict(await cache.spent(run_id)), tuple(await cache.left_open(run_id)), ()
    except (CacheError, StorageError, KeyError, TypeError) as error:
        said = f"what was spent since the last session is not known: {error}"
        return manifest.journal, (), (said,)


def _last_alive(path: Path, manifest: Manifest, live: Live | None) -> datetime:
    """The last sign of life of a session that was killed: what it told, or wrote."""
    files = (path / name for name in (RUN_FILE, RESULTS_FILE, TRACES_FILE))
    signs = [datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in files if file.exists()]
    if live is not None and live.session == manifest.sessions:
        signs.append(live.at)
    return max(signs)
