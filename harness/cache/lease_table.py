"""Leases in the cache file: who is asking for the answer to which key. Everything here runs on the
database's thread.

A lease is a claim and never a record: it means nothing once its owner is dead, and whoever comes
then takes it over.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from harness.cache.lease_owner import LeaseOwner
from harness.ports import Claim


@dataclass(slots=True, eq=False)
class Claiming:
    """Takes the lease on a key, unless another living owner has it.

    `claim` is known once the transaction is durable. `withdrawn` is set when the caller was
    cancelled.
    """

    key: str
    owner: LeaseOwner
    claim: Claim = "held"
    withdrawn: bool = False
    _is_first: bool = False

    def prepare(self) -> None:
        self._is_first = self.owner.enter() or self._is_first

    def apply(self, connection: sqlite3.Connection) -> None:
        if self.withdrawn:
            return
        if self._is_first:
            _forget_the_dead(self.owner, connection)
        self.claim = self._claim(connection)

    def committed(self) -> int:
        return 0

    def release(self, connection: sqlite3.Connection) -> None:
        """Take the claim back, if it succeeded."""
        if self.claim != "held":
            values = (self.key, self.owner.name)
            connection.execute("DELETE FROM leases WHERE key = ? AND owner = ?", values)

    def _claim(self, connection: sqlite3.Connection) -> Claim:
        if not self._take(connection):
            return "held"
        # A look before the claim may have missed an answer that was stored in between.
        found = connection.execute("SELECT 1 FROM responses WHERE key = ?", (self.key,)).fetchone()
        return "taken" if found is None else "found"

    def _take(self, connection: sqlite3.Connection) -> bool:
        values = (self.key, self.owner.name)
        if connection.execute(
            "INSERT INTO leases (key, owner) VALUES (?, ?) ON CONFLICT DO NOTHING", values
        ).rowcount:
            return True
        (holder,) = connection.execute(
            "SELECT owner FROM leases WHERE key = ?", (self.key,)
        ).fetchone()
        if self.owner.sees_alive(holder):
            return False
        connection.execute("UPDATE leases SET owner = ? WHERE key = ?", (self.owner.name, self.key))
        return True


@dataclass(slots=True, eq=False)
class Releasing:
    """Gives a lease back. It is handed in after the claim, so whatever became of that is known by
    then.
    """

    claiming: Claiming

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def apply(self, connection: sqlite3.Connection) -> None:
        self.claiming.release(connection)

    def committed(self) -> int:
        return 0


def _forget_the_dead(owner: LeaseOwner, connection: sqlite3.Connection) -> None:
    for (name,) in connection.execute("SELECT DISTINCT owner FROM leases").fetchall():
        if not owner.sees_alive(name):
            connection.execute("DELETE FROM leases WHERE owner = ?", (name,))
