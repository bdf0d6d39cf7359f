"""A cache file in the hands of a person: look, check, move, tidy up."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

from harness._version import __version__
from harness.cache import operations, pruning, reports
from harness.cache.answerers import AnswererStats, answerers
from harness.cache.cassette import entry_of_recording, line_of, recording_of_entry
from harness.cache.cassette_file import opened, recordings, refuse, unzipped
from harness.cache.entry import stamp
from harness.cache.operations import store
from harness.cache.pruning import Pruned
from harness.cache.reports import BadRow, CacheStats, Sound, Verified
from harness.cache.sqlite_thread import Database
from harness.domain.ledger import Spent
from harness.domain.recorded_call import RecordedCall
from harness.errors import CacheError, InputError, StorageError
from harness.ports import OpenCall, WallClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Counts of the entries that were written, and of the damaged ones that were not."""

    entries: int
    bad: tuple[BadRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Counts of the entries that are new, took the place of another answer, or were there
    already.
    """

    added: int = 0
    replaced: int = 0
    unchanged: int = 0


class CacheAdmin:
    """The commands on one cache file. They may be given while runs use it."""

    def __init__(self, database: Database, clock: WallClock) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, clock: WallClock, create: bool = False
    ) -> AsyncIterator[CacheAdmin]:
        """Raises CacheError for a file that is no cache of ours, or, without `create`, is not
        there.
        """
        async with Database.open(path, create=create) as database:
            yield cls(database, clock)

    async def spent(self, run_id: str) -> Spent:
        """The journal's word on the money of a run."""
        return await self._database.run(partial(operations.spent, run_id))

    async def left_open(self, run_id: str) -> Sequence[OpenCall]:
        """Requests of a run that are under way, or that a process left open when it died."""
        return await self._database.run(partial(operations.left_open, run_id))

    async def stats(self) -> CacheStats:
        """Entries and bytes, by endpoint and model, and the totals of the journal."""
        return await self._database.run(reports.stats)

    async def answerers(self) -> tuple[AnswererStats, ...]:
        """Return who gave the answers, by what was asked for. Reads all of them."""
        return await self._database.run(answerers)

    async def show(self, prefix: str, *, limit: int = 20) -> tuple[Sound, ...]:
        """The entries whose keys begin with `prefix`, in the order of keys. Raises CacheError for
        no such entry.
        """
        if not prefix or prefix.strip("0123456789abcdef"):
            raise CacheError(
                f"{prefix!r:.80} is no key: give the first characters of its hexadecimal digits"
            )
        found = await self._database.run(partial(reports.show, prefix, limit))
        if not found:
            raise CacheError(
                f"{self._database.path}: there is no readable entry whose key begins with"
                f" {prefix!r:.80}"
            )
        return found

    async def entry(self, key: str) -> Sound | BadRow | None:
        """The entry under this key; what is wrong with it, if it is damaged; None if there is
        none.
        """
        return await self._database.run(partial(reports.of_key, key))

    async def recorded(self, topic_id: str) -> list[RecordedCall]:
        """Return what was stored for calls of this topic, of any run, oldest first; damaged entries
        are left out.
        """
        return await self._database.run(partial(reports.of_topic, topic_id))

    async def verify(self) -> Verified:
        """Return whether every row, and the file itself, is still what was stored."""
        return await self._database.run(reports.verify)

    async def export(self, target: Path | BinaryIO) -> Exported:
        """Write all sound entries as a cassette; their times and what they cost stay behind.

        A file appears whole or not at all, and only its owner may read it.
        Raises StorageError where it cannot be written.
        """
        if isinstance(target, Path):
            return await self._database.run(partial(_export_to_file, target))
        return await self._database.run(partial(_export, target))

    async def import_(self, source: Path | BinaryIO, *, name: str = "cassette") -> Imported:
        """Take in a cassette: its answers replace other ones of the same keys. All or nothing.

        Raises CacheError that lists what is wrong as `file:line: reason`; `name` names a source
        that is no path.
        """
        if isinstance(source, Path):
            return await self._database.run(partial(self._import_file, source))
        return await self._database.commit(partial(_import, source, name))

    async def prune(
        self,
        *,
        older_than_s: float | None = None,
        max_bytes: int | None = None,
        run_id: str | None = None,
    ) -> Pruned:
        """Remove answers: those older than this and stored by this run; then the oldest, until the
        rest fits.

        With `run_id` the closed rows of its journal go too, so a resumed run no longer knows what
        it spent. Raises InputError where nothing is asked for, or something negative.
        """
        if older_than_s is None and max_bytes is None and run_id is None:
            raise InputError("nothing to prune: name an age, a size or a run")
        if (older_than_s or 0) < 0 or (max_bytes or 0) < 0:
            raise InputError("an age or a size to prune by cannot be negative")
        created_before = None
        if older_than_s is not None:
            created_before = stamp(self._clock.now() - timedelta(seconds=older_than_s))
        pruned = await self._database.commit(
            lambda connection: pruning.remove(
                created_before=created_before,
                run_id=run_id,
                max_bytes=max_bytes,
                connection=connection,
            )
        )
        return replace(pruned, vacuumed=await self._database.run(pruning.vacuum_if_worth_it))

    def _import_file(self, path: Path, connection: sqlite3.Connection) -> Imported:
        with opened(path) as file:
            return self._database.in_transaction(partial(_import, file, str(path)), connection)


def _export_to_file(target: Path, connection: sqlite3.Connection) -> Exported:
    try:
        # mkstemp's file has the mode 0600: prompts and answers are their owner's business.
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with open(descriptor, "wb") as file:
                exported = _export(file, connection)
                file.flush()
                os.fsync(descriptor)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise StorageError(
            f"{target}: the cassette cannot be written ({error.strerror})"
        ) from error
    return exported


def _export(target: BinaryIO, connection: sqlite3.Connection) -> Exported:
    count = 0
    bad: list[BadRow] = []
    for found in reports.entries(connection):
        if isinstance(found, BadRow):
            bad.append(found)
        else:
            recording = recording_of_entry(found.entry, harness=__version__)
            target.write(f"{line_of(recording)}\n".encode())
            count += 1
    return Exported(entries=count, bad=tuple(bad))


def _import(source: BinaryIO, name: str, connection: sqlite3.Connection) -> Imported:
    """Read and store line by line, so that a large cassette takes no memory; the transaction undoes
    a bad one.
    """
    counts = {"added": 0, "replaced": 0, "unchanged": 0}
    errors: list[str] = []
    for recording in recordings(unzipped(source), name, errors):
        before = reports.of_key(recording.key, connection)
        # An equal answer stays as it is: the cache knows its times and its cost, and the cassette
        # does not.
        if isinstance(before, Sound) and recording_of_entry(before.entry, harness="").same_answer(
            recording
        ):
            counts["unchanged"] += 1
            continue
        counts["added" if before is None else "replaced"] += 1
        store(entry_of_recording(recording), connection)
    refuse(errors, f"{name}: nothing was imported")
    return Imported(**counts)
