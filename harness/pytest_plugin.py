"""The pytest plugin: the fixtures `mock_deepseek`, `replay` and `virtual_time`; documented in
docs/pytest.md.

It is loaded in every pytest run of everyone who has this package installed. So it imports pytest
and the standard library, and nothing else before a test asks for something.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.regress.recorded.cassette_fixture import CassetteFixture
    from harness.testing.scripted import MockDeepSeek
    from harness.testing.virtual_tests import VirtualTests
    from harness.testing.virtual_time import VirtualTime

_VIRTUAL: pytest.StashKey[VirtualTests] = pytest.StashKey()
_MOCK: pytest.StashKey[MockDeepSeek] = pytest.StashKey()
_TAPE: pytest.StashKey[CassetteFixture] = pytest.StashKey()
_PASSED: pytest.StashKey[bool] = pytest.StashKey()

_KEY_OF_THE_MOCK = "sk-of-the-mock"


def pytest_addoption(parser: pytest.Parser) -> None:
    """See pytest."""
    parser.getgroup("harness").addoption(
        "--harness-record",
        choices=("none", "once", "all"),
        default="none",
        help=(
            "What the fixture replay may ask an endpoint, which may cost: nothing; what a test asks"
            " that has no cassette yet; or everything anew.  [default: none]"
        ),
    )


def pytest_configure(config: pytest.Config) -> None:
    """See pytest."""
    config.addinivalue_line(
        "markers",
        "harness_virtual_time: an async test on an event loop whose clock jumps (harness)",
    )


@pytest.fixture
def mock_deepseek(request: pytest.FixtureRequest) -> Iterator[MockDeepSeek]:
    """DeepSeek, answered in this process: script replies and faults, then assert on the calls that
    came.
    """
    # Only tests that use it pay for it.
    from harness.testing.scripted import MockDeepSeek  # noqa: PLC0415

    mock = MockDeepSeek()
    with ExitStack() as stack:
        try:
            stack.enter_context(mock.installed())
        except ImportError as missing:
            raise pytest.fail.Exception(str(missing), pytrace=False) from None
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("DEEPSEEK_API_KEY", "HARNESS_API_KEY"):
            environment.setenv(name, _KEY_OF_THE_MOCK)
        environment.setenv("HARNESS_TRANSPORT", "httpx2")
        # What the mock invents must not be kept as an answer of DeepSeek's, nor one of those be
        # served here.
        environment.setenv("HARNESS_CACHE", str(Path(stack.enter_context(_scratch())) / "cache.db"))
        request.node.stash[_MOCK] = mock
        yield mock


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Iterator[CassetteFixture]:
    """Calls answered from a cassette beside the test file, or recorded into it with
    `--harness-record`.
    """
    from harness.errors import CacheError  # noqa: PLC0415 - only tests that use it pay for it

    # As above.
    from harness.regress.recorded.cassette_fixture import CassetteFixture, cassette_path  # noqa: PLC0415

    item = request.node
    path = cassette_path(item.path, item.nodeid.partition("::")[2])
    mode = request.config.getoption("harness_record", default="none")
    with _scratch() as scratch:
        try:
            tape = CassetteFixture(path, mode, test=item.nodeid, scratch=Path(scratch))
        except CacheError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        item.stash[_TAPE] = tape
        yield tape
        tape.close(passed=item.stash.get(_PASSED, False))


@pytest.fixture
def virtual_time(request: pytest.FixtureRequest) -> VirtualTime:
    """The clock of the loop that this test runs on, which jumps over every wait."""
    # Only tests that use it pay for it.
    from harness.testing.virtual_tests import problem_of  # noqa: PLC0415
    from harness.testing.virtual_time import VirtualTime  # noqa: PLC0415 - as above

    if problem := problem_of(request.node):
        pytest.fail(problem, pytrace=False)
    return VirtualTime()


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None]:
    """See pytest. The loop of a virtual test is one of its parameters."""
    virtual = _wants_virtual_time(metafunc.definition)
    stash = metafunc.config.stash
    if virtual and _VIRTUAL not in stash:
        # Only runs with such tests pay for it.
        from harness.testing.virtual_tests import VirtualTests  # noqa: PLC0415

        stash[_VIRTUAL] = VirtualTests(metafunc.config.pluginmanager)
    if _VIRTUAL in stash:
        stash[_VIRTUAL].collecting(metafunc, virtual=virtual)
    return (yield)


def pytest_collection_finish(session: pytest.Session) -> None:
    """See pytest."""
    if _VIRTUAL in session.config.stash:
        session.config.stash[_VIRTUAL].collected()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """See pytest. A test that is marked and would run in real time fails; the marker means nothing
    to one not async.
    """
    if _is_marked(item):
        from harness.testing.virtual_tests import is_async, problem_of  # noqa: PLC0415 - as above

        if is_async(item) and (problem := problem_of(item)):
            pytest.fail(problem, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """See pytest. A test that passed fails for what it scripted and never asked for."""
    with _guard(item):
        result = yield
    if (mock := item.stash.get(_MOCK, None)) is not None and (unused := mock.unused()):
        pytest.fail(unused, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """See pytest. A failure shows the calls that came, and the cassette."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
        if report.failed and (mock := item.stash.get(_MOCK, None)) is not None:
            report.sections.append(("calls to mock_deepseek", mock.history()))
        if report.failed and (tape := item.stash.get(_TAPE, None)) is not None:
            report.sections.append(("replay", tape.history()))
    return report


def _scratch() -> TemporaryDirectory[str]:
    """A directory for what is not meant to outlive a test, and is none of its own files."""
    return TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True)


def _is_marked(item: pytest.Item) -> bool:
    return item.get_closest_marker("harness_virtual_time") is not None


def _wants_virtual_time(item: pytest.Function) -> bool:
    """Return whether the test is marked, or uses the fixture of ours, and not one of the project's
    own by the same name.
    """
    if _is_marked(item):
        return True
    for fixture in reversed(item._fixtureinfo.name2fixturedefs.get("virtual_time", ())):
        if fixture.func.__module__ == __name__:
            return True
        if "virtual_time" not in fixture.argnames:
            return False
    return False


def _guard(item: pytest.Item) -> AbstractContextManager[None]:
    """Around the call of a test: one that wants virtual time never runs in real time."""
    if not isinstance(item, pytest.Function) or not _wants_virtual_time(item):
        return nullcontext()
    # Only tests that use it pay for it.
    from harness.testing.virtual_tests import guarded  # noqa: PLC0415

    return guarded(item)
