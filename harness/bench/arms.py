"""The arms of a benchmark, which are nothing but limits, and the order of their rounds."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.domain.policy import Limits
from harness.errors import SettingsError

SEQUENTIAL, PER_RUN, BATCH = "sequential", "per-run", "batch"
KINDS = (SEQUENTIAL, PER_RUN, BATCH)

MOST_IN_FLIGHT = 1_000_000
_NUMBER = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to run the batch. `swept`: one of those that differ in calls in flight only."""

    name: str
    limits: Limits
    swept: bool = False

    def settings(self) -> dict[str, int | None]:
        """Return the settings in which a session of this arm differs from the others."""
        return {
            "in_flight": self.limits.in_flight,
            "per_run": self.limits.per_run,
            "runs": self.limits.runs,
        }


def arms_of(kinds: Sequence[str], in_flight: Sequence[int], limits: Limits) -> tuple[Arm, ...]:
    """Return the arms that were asked for. Raises SettingsError.

    They are `sequential` (one run, one call), `per-run` (one run, its fan-out in parallel) and
    `batch`, once for each number of calls in flight.
    """
    arms: list[Arm] = []
    for kind in dict.fromkeys(kinds):
        if kind == SEQUENTIAL:
            arms.append(Arm(name=kind, limits=replace(limits, runs=1, in_flight=1, per_run=1)))
        elif kind == PER_RUN:
            arms.append(Arm(name=kind, limits=replace(limits, runs=1, in_flight=limits.per_run)))
        elif kind == BATCH:
            for number in sorted(set(in_flight)):
                wide = replace(limits, in_flight=number)
                arms.append(Arm(name=f"{BATCH}-{number}", limits=wide, swept=True))
        else:
            raise SettingsError(f"--arms: unknown arm {kind!r}; known: {', '.join(KINDS)}")
    if not arms:
        raise SettingsError(f"--arms: name at least one of {', '.join(KINDS)}")
    return tuple(arms)


def numbers_of(text: str) -> tuple[int, ...]:
    """Return the calls in flight from `1,4,16`, each once, in this order.

    Raises SettingsError for anything but whole numbers from 1 to `MOST_IN_FLIGHT`.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(_NUMBER.fullmatch(part) and 1 <= int(part) <= MOST_IN_FLIGHT for part in parts):
        raise SettingsError(
            f"--in-flight {text}: expected whole numbers such as 1,4,16,64, each from 1 to"
            f" {MOST_IN_FLIGHT:,}"
        )
    return tuple(dict.fromkeys(int(part) for part in parts))


def rounds_of(arms: Sequence[Arm], repeat: int, seed: int) -> tuple[tuple[Arm, ...], ...]:
    """Return all arms for each round, in an order drawn anew: what drifts meanwhile favours
    none.
    """
    rng = random.Random(seed).random  # noqa: S311 - an order, no secret
    rounds = []
    for _ in range(repeat):
        left, order = list(arms), []
        while left:
            order.append(left.pop(int(rng() * len(left))))
        rounds.append(tuple(order))
    return tuple(rounds)
