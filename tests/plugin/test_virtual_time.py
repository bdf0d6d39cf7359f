"""Tests that ask for it run on the jumping clock, under either plugin for async tests; all others
run as ever.
"""

from __future__ import annotations

import asyncio

import anyio
from inner_runs import AUTO, STRICT, Run

from harness.testing import VirtualTime

ANYIO_ONLY = ("-p", "no:asyncio")


async def test_hours_pass_at_once(virtual_time: VirtualTime) -> None:
    assert virtual_time.now_s == 0
    noon = virtual_time.clock.now()
    await asyncio.sleep(8 * 3600)
    assert virtual_time.now_s == 8 * 3600
    assert (virtual_time.clock.now() - noon).total_seconds() == 8 * 3600


async def test_work_of_a_thread_can_be_announced(virtual_time: VirtualTime) -> None:
    with virtual_time.real():
        assert await anyio.to_thread.run_sync(lambda: 7) == 7
    assert virtual_time.now_s == 0


def test_pytest_asyncio_in_auto_mode(run: Run) -> None:
    done = run(
        """
        import asyncio, pytest

        @pytest.fixture
        async def opened():
            await asyncio.sleep(100)
            yield asyncio.get_running_loop()
            await asyncio.sleep(100)

        async def test_with_a_fixture(opened, virtual_time):
            assert opened is asyncio.get_running_loop()
            assert virtual_time.now_s == 100

        async def test_the_other_way_round(virtual_time, opened):
            await asyncio.sleep(1e6)
            assert virtual_time.now_s == 1e6 + 100

        @pytest.mark.harness_virtual_time
        @pytest.mark.parametrize("delay", [1, 1e9])
        async def test_marked(delay):
            await asyncio.sleep(delay)

        class TestClass:
            async def test_in_a_class(self, virtual_time):
                await asyncio.sleep(1e6)
        """
    )
    done.assert_outcomes(passed=5)


def test_pytest_asyncio_in_strict_mode(run: Run) -> None:
    done = run(
        """
        import asyncio, pytest, pytest_asyncio

        @pytest_asyncio.fixture
        async def opened():
            await asyncio.sleep(100)
            return asyncio.get_running_loop()

        @pytest.mark.asyncio
        async def test_it(opened, virtual_time):
            await asyncio.sleep(1e6)
            assert opened is asyncio.get_running_loop()
            assert virtual_time.now_s == 1e6 + 100
        """,
        ini=STRICT,
    )
    done.assert_outcomes(passed=1)


def test_anyio_alone(run: Run) -> None:
    done = run(
        """
        import anyio, asyncio, pytest

        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module")
        async def shared(anyio_backend):
            yield asyncio.get_running_loop()

        @pytest.fixture
        async def opened():
            await anyio.sleep(100)
            yield asyncio.get_running_loop()
            await anyio.sleep(100)

        async def test_real_before(shared):
            assert shared is asyncio.get_running_loop()
            assert type(shared).__name__ != "VirtualLoop"

        async def test_it(opened, shared, virtual_time):
            await anyio.sleep(1e6)
            assert opened is shared is asyncio.get_running_loop()
            assert virtual_time.now_s >= 1e6 + 100

        @pytest.mark.harness_virtual_time
        async def test_marked():
            with anyio.move_on_after(1e6):
                await anyio.sleep_forever()

        async def test_real_after(shared):
            assert type(shared).__name__ != "VirtualLoop"
        """,
        *ANYIO_ONLY,
        ini="",
    )
    done.assert_outcomes(passed=4)


def test_anyio_with_a_backend_of_the_projects_own(run: Run) -> None:
    done = run(
        """
        import anyio, pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio", {"debug": True}

        @pytest.mark.anyio
        async def test_it(virtual_time):
            await anyio.sleep(1e6)
            assert virtual_time.now_s == 1e6
        """,
        *ANYIO_ONLY,
        ini="",
    )
    done.assert_outcomes(passed=1)


def test_a_fixture_that_keeps_another_loop_running_is_found_out(run: Run) -> None:
    done = run(
        """
        import anyio, pytest

        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(scope="module")
        async def shared():
            yield

        async def test_real(shared):
            pass

        async def test_it(shared, virtual_time):
            await anyio.sleep(1e6)
        """,
        *ANYIO_ONLY,
        ini="",
    )
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*virtual time: this runs on a *, whose clock does not jump"])


def test_a_backend_that_the_test_chooses_is_left_to_it(run: Run) -> None:
    done = run(
        """
        import anyio, pytest

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_it(virtual_time):
            await anyio.sleep(1e6)
        """,
        *ANYIO_ONLY,
        ini="",
    )
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["nothing runs this test on virtual time: *"])


def test_both_plugins_together(run: Run) -> None:
    done = run(
        """
        import anyio, asyncio, pytest

        @pytest.mark.anyio
        async def test_of_anyio(virtual_time):
            await anyio.sleep(1e6)

        @pytest.mark.asyncio
        async def test_of_asyncio(virtual_time):
            await asyncio.sleep(1e6)
        """,
        ini=STRICT,
    )
    done.assert_outcomes(passed=2)


def test_a_test_that_does_not_ask_keeps_its_loop_its_name_and_its_parameters(run: Run) -> None:
    done = run(
        """
        import asyncio, pytest, pytest_asyncio

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def shared():
            return object()

        async def test_real_before(request, shared):
            assert type(asyncio.get_running_loop()) is asyncio.SelectorEventLoop
            assert not hasattr(request.node, "callspec")

        async def test_virtual(virtual_time, shared):
            pass

        async def test_real_after(request, shared):
            assert type(asyncio.get_running_loop()) is asyncio.SelectorEventLoop
            assert not hasattr(request.node, "callspec")
        """,
        "-v",
    )
    done.assert_outcomes(passed=3)
    done.stdout.fnmatch_lines(
        ["*::test_real_before PASSED*", "*::test_virtual PASSED*", "*::test_real_after PASSED*"]
    )


def test_a_project_with_a_loop_of_its_own_keeps_it(run: Run) -> None:
    done = run(
        """
        import asyncio

        async def test_real():
            assert type(asyncio.get_running_loop()).__name__ == "OwnLoop"

        async def test_virtual(virtual_time):
            await asyncio.sleep(1e6)
        """,
        conftest="""
        import asyncio

        class OwnLoop(asyncio.SelectorEventLoop):
            pass

        def pytest_asyncio_loop_factories(config, item):
            return {"own": OwnLoop}
        """,
    )
    done.assert_outcomes(passed=2)


def test_fixtures_of_a_module_follow_the_loop(run: Run) -> None:
    """With one loop for a module, a virtual test among others gets fixtures on its own loop, not
    stale ones.
    """
    done = run(
        """
        import asyncio, pytest

        @pytest.fixture(scope="module")
        async def shared():
            return asyncio.get_running_loop()

        async def test_real_before(shared):
            assert shared is asyncio.get_running_loop()

        async def test_virtual(shared, virtual_time):
            await asyncio.sleep(1e6)
            assert shared is asyncio.get_running_loop()

        async def test_real_after(shared):
            assert shared is asyncio.get_running_loop()
        """,
        ini=AUTO.replace("function", "module") + "\nasyncio_default_test_loop_scope = module",
    )
    done.assert_outcomes(passed=3)


def test_a_test_that_nobody_runs_on_virtual_time_fails_with_the_reason(run: Run) -> None:
    done = run(
        """
        import asyncio, pytest

        async def test_with_no_plugin(virtual_time):
            await asyncio.sleep(1e6)

        @pytest.mark.harness_virtual_time
        async def test_marked():
            await asyncio.sleep(1e6)

        @pytest.mark.anyio
        async def test_that_asks_too_late(request):
            request.getfixturevalue("virtual_time")
        """,
        *ANYIO_ONLY,
        ini="",
    )
    done.assert_outcomes(errors=2, failed=1)
    assert (
        str(done.stdout).count(
            "nothing runs this test on virtual time: that takes pytest-asyncio 1.4"
        )
        >= 3
    )


def test_a_synchronous_test_is_told_what_to_use(run: Run) -> None:
    done = run(
        """
        import pytest

        def test_it(virtual_time):
            pass

        @pytest.mark.harness_virtual_time
        def test_marked():
            pass
        """
    )
    done.assert_outcomes(errors=1, passed=1)
    done.stdout.fnmatch_lines(["*harness.testing.run_virtual*"])


def test_a_loop_in_a_thread_of_its_own_is_told_from_the_tests(run: Run) -> None:
    done = run(
        """
        import asyncio

        async def test_it(virtual_time):
            async def elsewhere():
                return virtual_time.now_s

            await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
        """
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*virtual time: this runs on a *, whose clock does not jump"])


def test_the_marker_is_known_under_strict_markers(run: Run) -> None:
    done = run(
        "import pytest\n\n@pytest.mark.harness_virtual_time\ndef test_it(): pass\n",
        "--strict-markers",
    )
    done.assert_outcomes(passed=1)
    shown = run("", "--markers")
    shown.stdout.fnmatch_lines(["@pytest.mark.harness_virtual_time: *harness*"])
