"""pytest's async tests on virtual time: through pytest-asyncio's hook, or through the backend of anyio's plugin."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from harness.testing.virtual_time import VirtualLoop

# One object, so that a parameter of a test is known by its identity: users' parameters may not like being compared.
_ANYIO_BACKEND: tuple[str, dict[str, Any]] = ("asyncio", {"loop_factory": VirtualLoop})

_NOBODY_RUNS_IT = (
    "nothing runs this test on virtual time: that takes pytest-asyncio 1.4 or newer, with the test marked asyncio or "
    "asyncio_mode = auto, or anyio's plugin, with the test marked anyio; the fixture virtual_time must stand among the "
    "arguments of the test or of a fixture"
)
_NOT_ASYNC = (
    "virtual_time is for async tests: a synchronous one has no loop of its own, but can run a coroutine function on "
    "virtual time with harness.testing.run_virtual"
)


class VirtualTests:
    """Gives a VirtualLoop to the tests that asked for one, and leaves all others as they are.

    pytest-asyncio parametrizes every test as soon as it finds an implementation of its hook, so ours is registered
    only while the tests that want it are collected.
    """

    def __init__(self, manager: pytest.PytestPluginManager) -> None:
        self._manager = manager
        self._registered = False

    def collecting(self, metafunc: pytest.Metafunc, *, virtual: bool) -> None:
        """This test is about to be parametrized."""
        self._register(virtual)
        if virtual and "anyio_backend" in metafunc.fixturenames:
            # The scope of anyio's own fixture, so that fixtures of a module may depend on it here, too.
            metafunc.parametrize("anyio_backend", [pytest.param(_ANYIO_BACKEND, id=_hidden())], scope="module")

    def collected(self) -> None:
        """All tests are known. With its hook implemented, pytest-asyncio finds a test's loop before any fixture's."""
        self._register(True)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_asyncio_loop_factories(self) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
        """See pytest-asyncio."""
        return {"virtual": VirtualLoop}

    def _register(self, wanted: bool) -> None:
        if wanted and not self._registered:
            self._manager.register(self)
        if self._registered and not wanted:
            self._manager.unregister(self)
        self._registered = wanted


def problem_of(item: pytest.Item) -> str | None:
    """Why a test that wants virtual time does not run on it, or None."""
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params.values() if callspec is not None else ()
    if any(parameter is VirtualLoop or parameter is _ANYIO_BACKEND for parameter in parameters):
        return None
    return _NOBODY_RUNS_IT if is_async(item) else _NOT_ASYNC


def is_async(item: pytest.Item) -> bool:
    """Whether the test is a coroutine function, also behind hypothesis."""
    function = getattr(item, "function", None)
    function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.iscoroutinefunction(function)


def _hidden() -> Any:
    """An id that does not show in the test's name, where pytest has one (8.4)."""
    return getattr(pytest, "HIDDEN_PARAM", "virtual")
