"""The arms of a benchmark, which are nothing but limits, and the order in which they are measured."""

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
        """What a session of this arm has set otherwise than the rest."""
        return {"in_flight": self.limits.in_flight, "per_run": self.limits.per_run, "runs": self.limits.runs}


def arms_of(kinds: Sequence[str], in_flight: Sequence[int], limits: Limits) -> tuple[Arm, ...]:
    """The arms that were asked for: `sequential` (one run, one call), `per-run` (one run, its fan-out in parallel) and
    `batch`, once for each number of calls in flight. Raises SettingsError.
    """
    arms: list[Arm] = []
    for kind in dict.fromkeys(kinds):
        if kind == SEQUENTIAL:
            arms.append(Arm(name=kind, limits=replace(limits, runs=1, in_flight=1, per_run=1)))
        elif kind == PER_RUN:
            arms.append(Arm(name=kind, limits=replace(limits, runs=1, in_flight=limits.per_run)))
        elif kind == BATCH:
            arms += [
                Arm(name=f"{BATCH}-{number}", limits=replace(limits, in_flight=number), swept=True)
                for number in sorted(set(in_flight))
            ]
        else:
            raise SettingsError(f"--arms: unknown arm {kind!r}; known: {', '.join(KINDS)}")
    if not arms:
        raise SettingsError(f"--arms: name at least one of {', '.join(KINDS)}")
    return tuple(arms)


def numbers_of(text: str) -> tuple[int, ...]:
    """Calls in flight from `1,4,16`, each once, in this order. Raises SettingsError for anything but whole numbers from
    1 to `MOST_IN_FLIGHT`.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(_NUMBER.fullmatch(part) and 1 <= int(part) <= MOST_IN_FLIGHT for part in parts):
        raise SettingsError(
            f"--in-flight {text}: expected whole numbers such as 1,4,16,64, each from 1 to {MOST_IN_FLIGHT:,}"
        )
    return tuple(dict.fromkeys(int(part) for part in parts))


def rounds_of(arms: Sequence[Arm], repeat: int, seed: int) -> tuple[tuple[Arm, ...], ...]:
    """For each round all arms, in an order drawn anew: what drifts meanwhile favours none."""
    rng = random.Random(seed).random  # noqa: S311 - an order, no secret
    rounds = []
    for _ in range(repeat):
        left = list(arms)
        rounds.append(tuple(left.pop(int(rng() * len(left))) for _ in arms))
    return tuple(rounds)
