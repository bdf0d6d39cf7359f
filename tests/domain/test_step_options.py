from __future__ import annotations

import pytest

from harness.domain.step_options import StepOptions


def test_what_is_chosen_rules_and_what_is_not_comes_from_the_base() -> None:
    chosen = StepOptions(model="a", temperature=0.0, stream=False).over(
        StepOptions(model="b", temperature=1.0, stream=True, max_tokens=5, effort="low")
    )
    assert chosen == StepOptions(
        model="a", temperature=0.0, stream=False, max_tokens=5, effort="low"
    )


def test_fields_of_the_body_of_both_are_put_together() -> None:
    chosen = StepOptions(extra_body={"top_k": 1, "kwargs": {"a": 1}}, seed=0)
    base = StepOptions(
        extra_body={"top_k": 2, "kwargs": {"b": 2}, "min_p": 0.1}, seed=9, service_tier="flex"
    )
    assert chosen.over(base) == StepOptions(
        extra_body={"top_k": 1, "kwargs": {"a": 1, "b": 2}, "min_p": 0.1},
        seed=0,
        service_tier="flex",
    )


def test_a_field_of_the_body_that_is_said_otherwise_is_refused_where_it_is_chosen() -> None:
    with pytest.raises(ValueError, match="'max_tokens' is said by"):
        StepOptions(extra_body={"max_tokens": 5})


def test_a_model_is_not_taken_over_from_another_endpoint() -> None:
    base = StepOptions(endpoint="deepseek", model="deepseek-flash", effort="low")
    assert StepOptions(endpoint="local").over(base) == StepOptions(endpoint="local", effort="low")
    assert StepOptions(endpoint="local", model="tiny").over(base).model == "tiny"
    assert StepOptions(endpoint="deepseek").over(base).model == "deepseek-flash"
    assert StepOptions(effort="max").over(base) == StepOptions(
        endpoint="deepseek", model="deepseek-flash", effort="max"
    )
    assert StepOptions(endpoint="local").over(StepOptions(model="tiny")).model == "tiny"
