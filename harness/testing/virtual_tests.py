"""pytest's async tests on virtual time, through pytest-asyncio's hook or anyio's backend."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import pytest

from harness.testing.virtual_time import VirtualLoop, running_loop

# One object, so that a parameter of a test is known by its identity: users' parameters may not like
# being compared.
_ANYIO_BACKEND: tuple[str, dict[str, Any]] = ("asyncio", {"loop_factory": VirtualLoop})

_NOBODY_RUNS_IT = (
    "nothing runs this test on virtual time: that takes pytest-asyncio 1.4 or newer, with the test"
    " marked asyncio or asyncio_mode = auto, or anyio's plugin, with the test marked anyio; the"
    " fixture virtual_time must stand among the arguments of the test or of a fixture"
)
_NOT_ASYNC = (
    "virtual_time is for async tests: a synchronous one has no loop of its own, but can run a"
    " coroutine function on virtual time with harness.testing.run_virtual"
)


class VirtualTests:
    """Gives a VirtualLoop to the tests that asked for one, and leaves all others as they are.

    pytest-asyncio parametrizes every test as soon as it finds an implementation of its hook, so
    ours is registered only while the tests that want it are collected.
    """

    def __init__(self, manager: pytest.PytestPluginManager) -> None:
        self._manager = manager
        self._registered = False

    def collecting(self, metafunc: pytest.Metafunc, *, virtual: bool) -> None:
        """This test is about to be parametrized."""
        self._register(virtual)
        if virtual and "anyio_backend" in metafunc.fixturenames:
            _choose_anyio_backend(metafunc.definition)

    def collected(self) -> None:
        """All tests are known.

        With its hook implemented, pytest-asyncio finds a test's loop before any fixture's.
        """
        self._register(True)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_asyncio_loop_factories(
        self,
    ) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
        """See pytest-asyncio."""
        return {"virtual": VirtualLoop}

    def _register(self, wanted: bool) -> None:
        if wanted and not self._registered:
            self._manager.register(self)
        if self._registered and not wanted:
            self._manager.unregister(self)
        self._registered = wanted


@contextmanager
def guarded(item: pytest.Function) -> Iterator[None]:
    """Make the test refuse to run in real time inside this block, whichever plugin runs it."""
    function = item.obj
    if not inspect.iscoroutinefunction(function):
        yield
        return

    @functools.wraps(function)
    async def checked(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        running_loop()
        return await function(*args, **kwargs)

    item.obj = checked
    try:
        yield
    finally:
        item.obj = function


def _choose_anyio_backend(test: pytest.Function) -> None:
    """Parametrize anyio's fixture: by its own means, so that what depends on it follows.

    Else in its place. A project that overrides it usually returns the name of a backend, and looks
    at no parameter.
    """
    if any("anyio_backend" in mark.args[0] for mark in test.iter_markers("parametrize")):
        return
    indirect = test._fixtureinfo.name2fixturedefs["anyio_backend"][-1].params is not None
    parameter = pytest.param(_ANYIO_BACKEND, id=_hidden())
    scope: Literal["module"] | None = None if indirect else "module"
    test.add_marker(
        pytest.mark.parametrize("anyio_backend", [parameter], indirect=indirect, scope=scope)
    )


def problem_of(item: pytest.Item) -> str | None:
    """Return why a test that wants virtual time does not run on it, or None."""
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params.values() if callspec is not None else ()
    if any(parameter is VirtualLoop or parameter is _ANYIO_BACKEND for parameter in parameters):
        return None
    return _NOBODY_RUNS_IT if is_async(item) else _NOT_ASYNC


def is_async(item: pytest.Item) -> bool:
    """Return whether the test is a coroutine function, also behind hypothesis."""
    function = getattr(item, "function", None)
    function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.iscoroutinefunction(function)


def _hidden() -> Any:
    """An id that does not show in the test's name, where pytest has one (8.4)."""
    return getattr(pytest, "HIDDEN_PARAM", "virtual")
