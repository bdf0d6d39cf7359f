from __future__ import annotations

import pytest

from harness.domain.redo import ALL_LEFT, REDONE, Redo


@pytest.mark.parametrize(
    ("redo", "narrow"),
    [
        (ALL_LEFT, False),
        (Redo(states=REDONE), False),
        (Redo(states=("failed",)), True),
        (Redo(states=("degraded", "unfinished")), True),
        (Redo(topics=("a",)), True),
    ],
)
def test_a_choice_is_narrow_where_it_leaves_topics_that_a_run_would_go_on_with(
    redo: Redo, narrow: bool
) -> None:
    assert redo.is_narrow is narrow
