"""One life of the process within a night: what it does is numbered, and it may die at any
number.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.domain.completion import AtMost, Request
from harness.domain.pace import Bucket
from harness.domain.policy import Budget
from harness.engine.routes import Routes
from harness.engine.stopping import Stop
from simulation.world import DiskWork, Ending, Outage, World


class Dead(BaseException):
    """What a dead process meets at every port: nothing that it still does reaches the world."""


@dataclass(slots=True, eq=False)
class Sent:
    """A request as the provider saw it. `cost` in USD and `tokens` are what it bills, None while it
    works on it.

    `state`: "at work"; "told" once its end has reached the process; "cut off" if the process left
    it. `known` is whether the process can know what is billed. `due_at` is when it ends, on the
    loop's clock; an `unheard` one ends only because it is given up. `outage` is the one that it
    met, `own_failure` whether it costs the call an attempt.
    """

    session: int
    owner: str
    topic_id: str
    key: str
    request: Request
    row: int
    most: AtMost
    at: float
    state: str = "at work"
    due_at: float = 0.0
    cost: float | None = None
    tokens: int = 0
    known: bool = True
    answered: bool = False
    closed: bool = False
    unheard: bool = False
    outage: Outage | None = None
    own_failure: bool = False


@dataclass(slots=True)
class Told:
    """What a session knows of an outage: when its first failure came, what was in flight then, what
    was sent since.
    """

    at: float
    in_flight: int
    sent_since: int = 0


@dataclass(slots=True, eq=False)
class Session:
    """A session of the run, as the world sees it. All times are the loop's.

    `busy` counts operations on the disk that somebody waits for, `pace` is what may leave in a
    minute. `begun` counts the answers that began, the slowest of them `slowest_begin_s` after it
    was asked for. `own_failures` counts, by call, the attempts that the call has to bear itself.
    """

    number: int
    world: World
    ending: Ending | None
    budget: Budget
    on_death: Callable[[Session], None]
    stop: Stop = field(default_factory=Stop)
    alive: bool = True
    signalled_twice: bool = False
    broken_disk: bool = False
    busy: int = 0
    pace: Bucket | None = None
    _writing: int = 0
    events: int = 0
    requests: int = 0
    rows_begun: int = 0
    stopped_at: float | None = None
    hopeless_at: float | None = None
    limiter: Routes | None = None
    at_work: dict[int, Sent] = field(default_factory=dict)
    own_failures: Counter[str] = field(default_factory=Counter)
    told: dict[Outage, Told] = field(default_factory=dict)
    begun: int = 0
    slowest_begin_s: float = 0.0
    last_sent_at: float = 0.0
    unheard: bool = False
    left_at_the_stop: list[Sent] = field(default_factory=list)
    rows: Counter[int] = field(default_factory=Counter)
    body: asyncio.Task[None] | None = None
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, body: asyncio.Task[None]) -> None:
        """Set what will end the session from outside."""
        self.body = body
        self.stop.on_set(self._note_the_stop)
        loop, ending = asyncio.get_running_loop(), self.ending
        if ending is None:
            return
        if ending.kind == "crash later":
            loop.call_later(ending.after_s, self.die)
        elif ending.kind in {"interrupt", "interrupt twice"}:
            loop.call_later(ending.after_s, self._interrupt)
        if ending.kind == "interrupt twice":
            loop.call_later(ending.after_s + ending.again_s, self._interrupt_again)

    def event(self) -> None:
        """Something happened at a port. Raises Dead in a process that is no more."""
        if not self.alive:
            raise Dead
        self.events += 1
        ending = self.ending
        if ending is not None and ending.kind == "crash" and self.events == ending.step:
            _after_turns(ending.turns, self)
            if not self.alive:
                raise Dead

    def writes(self, more: int) -> None:
        """So many more operations are on their way to the disk, or fewer."""
        self._writing += more
        if self._writing == 0:
            self._idle.set()
        else:
            self._idle.clear()

    async def closed(self) -> None:
        """Return when all that was handed to the disk is done."""
        if self._writing:
            await self._idle.wait()

    def die(self) -> None:
        """The process is gone. Its tasks are ended too, but whatever they do on the way reaches
        nobody.
        """
        if self.alive and self.body is not None and not self.body.done():
            self.alive = False
            self.on_death(self)
            self.body.cancel()

    def disk_fails_at(self, work: DiskWork) -> bool:
        """Whether this work meets a full disk; once full, it stays full as long as the session
        lasts.
        """
        ending = self.ending
        if (
            ending is None
            or ending.kind != "disk full"
            or self.events < ending.step
            or work not in ending.work
        ):
            return False
        self.broken_disk = True
        self._hopeless()
        return True

    def account_refuses(self) -> bool:
        """Whether the account cannot be used for the request that is being answered."""
        ending = self.ending
        return (
            ending is not None
            and ending.kind in {"auth", "balance"}
            and self.requests >= ending.step
        )

    def begins(self, after_s: float) -> None:
        """An answer has begun, so long after it was asked for."""
        self.begun += 1
        self.slowest_begin_s = max(self.slowest_begin_s, after_s)

    def hears_of(self, outage: Outage) -> bool:
        """Note that a failure of this outage has reached the process, and return whether it is the
        first.
        """
        if outage in self.told:
            return False
        self.told[outage] = Told(asyncio.get_running_loop().time(), len(self.at_work))
        return True

    @property
    def last_due_at(self) -> float:
        """When the last request ends that was at work at the stop."""
        return max((sent.due_at for sent in self.left_at_the_stop), default=self.stopped_at or 0.0)

    def refused_for_good(self) -> None:
        """The process has been told that the account cannot be used."""
        self._hopeless()

    def _hopeless(self) -> None:
        if self.hopeless_at is None:
            self.hopeless_at = asyncio.get_running_loop().time()

    def _interrupt(self) -> None:
        if self.body is not None and not self.body.done():
            self.stop.set("interrupted", "Ctrl-C")

    def _interrupt_again(self) -> None:
        if self.body is not None and not self.body.done():
            self.signalled_twice = True
            self.body.cancel()

    def _note_the_stop(self) -> None:
        self.stopped_at = asyncio.get_running_loop().time()
        self.left_at_the_stop = list(self.at_work.values())


def _after_turns(turns: int, session: Session) -> None:
    if turns == 0:
        session.die()
    else:
        asyncio.get_running_loop().call_soon(_after_turns, turns - 1, session)
