from __future__ import annotations

import pytest

from harness.domain.wording import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 topics"), (1, "1 topic"), (2, "2 topics"), (10_000, "10,000 topics")]
)
def test_one_is_singular_and_thousands_are_set_apart(number: int, said: str) -> None:
    assert counted(number, "topic") == said
