"""A cassette from the traces of a run: what was answered, under the calls that asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from harness._version import __version__
from harness.cache.cassette import Recording, recording_of_row
from harness.cache.cassette_file import read_cassette, write_cassette
from harness.records.run import Run
from harness.records.stored import span_row
from harness.regress.recorded.merging import Merged, merge


def known_recordings(cassette: Path) -> tuple[Recording, ...]:
    """Read a cassette; one that is yet to come is empty. Raises CacheError for one that is not
    sound.
    """
    return read_cassette(cassette) if cassette.exists() else ()


def recorded_from(
    run: Path, cassette: Path, known: Sequence[Recording], *, day: date, prune: bool
) -> Merged:
    """Write into `cassette` what the run in this directory was answered; `known` is what was in it
    before.

    Calls that failed have no answer, and no line. Raises ResultsError for a damaged run,
    StorageError where the cassette cannot be written.
    """
    answered = (span_row(call) for call in Run.open(run).spans() if call.error is None)
    merged = merge(
        known,
        (recording_of_row(row, day=day, harness=__version__) for row in answered),
        prune=prune,
    )
    write_cassette(cassette, merged.recordings)
    return merged
