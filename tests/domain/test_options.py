from __future__ import annotations

from harness.domain.options import StepOptions


def test_what_is_chosen_rules_and_what_is_not_comes_from_the_base() -> None:
    chosen = StepOptions(model="a", temperature=0.0, stream=False).over(
        StepOptions(model="b", temperature=1.0, stream=True, max_tokens=5, effort="low")
    )
    assert chosen == StepOptions(model="a", temperature=0.0, stream=False, max_tokens=5, effort="low")
