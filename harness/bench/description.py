"""The form of `bench.json`: what a benchmark measured, how, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.bench.arms import Arm
from harness.records.typed import TypedReader

BENCH_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Versions, machine and seed. Every file of a benchmark names them."""

    harness: str
    python: str
    openai: str
    system: str
    cores: int | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """The refusals (429) that one arm met in one round, and the provider's limit that explains
    them.

    `limit` is how many calls in flight the provider has room for, None where nothing tells it;
    `named`: it said so itself.
    """

    arm: str
    round: int
    refusals: int
    limit: int | None = None
    named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A benchmark, as `bench.json` describes it.

    `status` is `complete` once all rounds have been measured. `order` has the names of the arms in
    the order of each round. `warm_up` says in words what was run before, None for nothing.
    `identity` is that of the runs and known at the end, `seal` the hash of this file and the calls.
    `met` has the rounds in which the provider refused calls or kept them waiting.
    """

    version: int = BENCH_VERSION
    status: str
    created_at: str | None
    about: About
    virtual: bool
    repeat: int
    topics: int
    warm_up: str | None
    arms: tuple[Arm, ...]
    order: tuple[tuple[str, ...], ...]
    settings: Mapping[str, Any]
    met: tuple[Met, ...] = ()
    identity: Mapping[str, Any] = field(default_factory=dict)
    seal: str | None = None

    @property
    def endpoint(self) -> str:
        """The endpoint that the runs asked."""
        return str(self.identity["endpoint"])

    @property
    def model(self) -> str | None:
        """The model of steps that name none."""
        model: str | None = self.identity["model"]
        return model

    def as_json(self) -> dict[str, Any]:
        """Return the content of `bench.json`. What is known only at the end is left out before."""
        found = asdict(self)
        if not self.identity:
            del found["identity"]
        if self.seal is None:
            del found["seal"]
        return found


def description_of(value: Any) -> Description:
    """Read what `as_json` wrote. Raises ValueError, naming the field, for anything else."""
    return _READER.of_value(value)


_READER = TypedReader(Description, special={}, named={})
