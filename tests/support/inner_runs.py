"""A user's project with our plugin in it, run by a pytest within this one."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

# What an inner run imports first is forgotten with it, and would be imported anew by the next:
# import it here, once.
import openai  # noqa: F401 - see above
import pytest

import harness.pytest_plugin
import harness.testing.routing
import harness.testing.scripted
import harness.testing.virtual_tests

AUTO = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
STRICT = "asyncio_mode = strict\nasyncio_default_fixture_loop_scope = function"

Run = Callable[..., pytest.RunResult]


def run_inside(
    pytester: pytest.Pytester, test_file: str, *arguments: str, ini: str = AUTO, conftest: str = ""
) -> pytest.RunResult:
    """Run a test file in this process, with warnings as errors. `ini` are lines of its
    pytest.ini.
    """
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{ini}")
    pytester.makeconftest(dedent(conftest))
    pytester.makepyfile(test_it=dedent(test_file))
    # An installed plugin would be a second one.
    alone = ("-p", "no:harness", "-p", "no:cacheprovider")
    return pytester.runpytest_inprocess(*alone, *arguments, plugins=[harness.pytest_plugin])
