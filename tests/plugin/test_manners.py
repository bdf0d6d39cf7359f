"""The plugin is a good guest in every pytest run of everyone who has the package."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest
from inner_runs import Run


def test_a_run_that_uses_nothing_of_it_imports_nothing_for_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    program = """
        import sys, pytest
        import harness.pytest_plugin as plugin
        before = set(sys.modules)
        assert pytest.main(["-q", "-W", "error"], plugins=[plugin]) == 0
        new = set(sys.modules) - before
        assert not {name for name in new if name.startswith("harness")}
        assert not {"respx", "openai", "httpx", "httpx2", "aiohttp", "anyio", "asyncio"} & set(sys.modules)
        ours = {name for name in sys.modules if name.startswith("harness")}
        assert ours == {"harness", "harness._version", "harness.pytest_plugin"}, ours
    """
    pytester.makepyfile("def test_it(): pass")
    done = pytester.run(sys.executable, pytester.makepyfile(program=dedent(program)))
    assert done.ret == 0, f"{done.stdout}\n{done.stderr}"


def test_a_project_may_have_fixtures_of_the_same_names(run: Run) -> None:
    done = run("""
        import asyncio, pytest

        @pytest.fixture
        def mock_deepseek():
            return "its own"

        @pytest.fixture
        def virtual_time():
            return "its own"

        def test_it(mock_deepseek, virtual_time):
            assert mock_deepseek == virtual_time == "its own"

        async def test_on_a_loop(virtual_time):
            assert type(asyncio.get_running_loop()) is asyncio.SelectorEventLoop
        """)
    done.assert_outcomes(passed=2)


def test_a_project_may_build_on_the_fixtures(run: Run) -> None:
    done = run("""
        import asyncio, pytest

        @pytest.fixture
        def virtual_time(virtual_time):
            return virtual_time.clock

        async def test_on_a_loop(virtual_time):
            before = virtual_time.now()
            await asyncio.sleep(1e6)
            assert (virtual_time.now() - before).total_seconds() == 1e6
        """)
    done.assert_outcomes(passed=1)
