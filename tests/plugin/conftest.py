"""A user's project, to be run with our plugin in it."""

from __future__ import annotations

from functools import partial

import pytest
from inner_runs import Run, run_inside


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """`inner_runs.run_inside`, in an empty directory."""
    return partial(run_inside, pytester)
