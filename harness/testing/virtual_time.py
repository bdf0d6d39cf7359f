"""An event loop whose clock jumps: hours pass in milliseconds, equally on every machine.

When nothing is ready, the loop does not wait for its next timer, it moves its clock there. Work
owed by a thread is real work: while some is announced (`loop.real()`), the clock stands and the
loop waits for it. With nothing ready, no timer and no real work, nothing can ever happen again:
that is a deadlock, and it is raised instead of waited for.

Rules: take time from the loop only; announce every thread (`run_in_executor` announces itself);
open no sockets. In pytest: the fixture `virtual_time`, or the marker `virtual`.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import selectors
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_Events = list[tuple[selectors.SelectorKey, int]]
_Idle = Callable[[float | None, Callable[[float], _Events]], _Events]

# A Monday, noon in UTC: off-peak at DeepSeek.
EPOCH = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)

# How long one wait for real work lasts before the loop looks around again; work that arrives ends
# it at once.
_REAL_WAIT_S = 5.0

# What asyncio forgives a timer: it is due when it is no further away than this.
_RESOLUTION_S = time.get_clock_info("monotonic").resolution


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop that starts at time 0.0 and never waits for a timer.

    Its methods that run the loop raise RuntimeError when everything waits and nothing is scheduled.
    """

    def __init__(self) -> None:
        self._virtual_s = 0.0
        self._real_work = 0
        self._owed: list[asyncio.Handle] = []
        self._asked: dict[asyncio.Future[Any], int] = {}
        self._numbers = itertools.count()
        self._home = threading.get_ident()
        super().__init__(_JumpingSelector(self._idle))

    def time(self) -> float:
        return self._virtual_s

    @contextmanager
    def real(self) -> Iterator[None]:
        """Around every await of something that a thread, and not this loop, brings about."""
        self._real_work += 1
        try:
            yield
        finally:
            self._real_work -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As asyncio's, announced as real work until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._real_work += 1
        self._asked[future] = next(self._numbers)
        future.add_done_callback(self._work_done)
        return future

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's, but what a thread brings waits until the loop has nothing else to do.

        When a thread ends is chance; so that the order of events is not, its result counts as the
        last thing of its instant, and the results of several threads are put in a fixed order.
        """
        if threading.get_ident() == self._home:
            return super().call_soon_threadsafe(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._owed.append(handle)
        super().call_soon_threadsafe(_look_around)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's.

        A timer that is never due (anyio's sleep_forever sets one) is not worth waiting for.
        """
        if math.isinf(when):
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """As asyncio's; it waits for threads, which is real work."""
        with self.real():
            await super().shutdown_default_executor(*args, **kwargs)

    def _work_done(self, future: asyncio.Future[Any]) -> None:
        self._real_work -= 1
        del self._asked[future]

    def _place(self, handle: asyncio.Handle) -> tuple[str, int]:
        """Return the order of results.

        It is the kind of work, and in the executor the order in which it was asked for. All other
        work of one kind (the database's, the results') is handed out one piece at a time.
        """
        callback, arguments = getattr(handle, "_callback", None), getattr(handle, "_args", ())
        kind = f"{getattr(callback, '__module__', '')}.{getattr(callback, '__qualname__', '')}"
        if arguments and isinstance(arguments[0], asyncio.Future):
            asked = self._asked.get(arguments[0], 0)
        else:
            asked = 0
        return kind, asked

    def _idle(self, timeout_s: float | None, wait: Callable[[float], _Events]) -> _Events:
        """Wait for real work or jump to the next timer, as nothing is ready.

        Raises where there is nothing to wait for.
        """
        if len(self._owed) < self._real_work and (events := wait(_REAL_WAIT_S)):
            return events
        if self._owed:
            owed, self._owed = sorted(self._owed, key=self._place), []
            for handle in owed:
                if not handle.cancelled():
                    self.call_soon(handle._run)
            return []
        if self._real_work:
            return []
        if timeout_s is None:
            raise RuntimeError(
                "deadlock on virtual time: every task waits, and no timer and no thread will"
                " wake one"
            )
        self._virtual_s += timeout_s
        if 2 * math.ulp(self._virtual_s) > _RESOLUTION_S:
            # After 48 days the sum may miss the timer by more than asyncio forgives, and would come
            # no closer.
            self._virtual_s += 2 * math.ulp(self._virtual_s)
        return []


def _look_around() -> None:
    """Wakes the loop, and does nothing."""


class _JumpingSelector(selectors.DefaultSelector):
    """Looks at the file descriptors without waiting, and leaves the rest to the loop."""

    def __init__(self, idle: _Idle) -> None:
        super().__init__()
        self._idle = idle

    def select(self, timeout: float | None = None) -> _Events:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        return self._idle(timeout, super().select)


class VirtualClock:
    """A WallClock on the running loop's time.

    It is `epoch` (in UTC) plus the seconds since the loop began.
    """

    def __init__(self, epoch: datetime = EPOCH) -> None:
        self._epoch = epoch

    def now(self) -> datetime:
        return self._epoch + timedelta(seconds=asyncio.get_running_loop().time())


class VirtualTime:
    """The value of the fixture `virtual_time`: the running loop's clock, which jumps.

    `clock` is a wall clock on the same time, for code that takes one (its `now()` is in UTC).
    """

    def __init__(self) -> None:
        self.clock = VirtualClock()

    @property
    def now_s(self) -> float:
        """Seconds since the loop began: 0.0 where a test begins that shares its loop with no
        other.
        """
        return running_loop().time()

    def real(self) -> AbstractContextManager[None]:
        """Surround an await of something that a thread brings about without asyncio's knowledge."""
        return running_loop().real()


def running_loop() -> VirtualLoop:
    """The running loop.

    Raises RuntimeError where it is another kind of loop, or where none runs.
    """
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualLoop):
        return loop
    raise RuntimeError(
        f"virtual time: this runs on a {type(loop).__name__}, whose clock does not jump"
    )


def on_virtual_time() -> bool:
    """Return whether the running loop's clock jumps. Raises RuntimeError where none runs."""
    return isinstance(asyncio.get_running_loop(), VirtualLoop)


def run_virtual(async_fn: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run a coroutine function to its end on a new virtual loop, and return what it returns.

    Raises what it raises, and RuntimeError for a deadlock.
    """

    async def main() -> T:
        return await async_fn(*args)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
