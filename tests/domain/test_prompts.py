from __future__ import annotations

import pytest

from harness.domain.prompts import Prompt, Prompts
from harness.domain.step_options import StepOptions
from harness.errors import PromptsError


def test_the_blanks_of_both_texts_are_found() -> None:
    assert Prompt(name="p", user="$a and ${b}, for $$5", system="$c").blanks() == {"a", "b", "c"}


def test_a_blank_is_filled_and_what_fills_it_is_never_looked_into() -> None:
    prompt = Prompt(name="p", user="On $topic: $$5", system="You are $who.")
    assert prompt.render_user({"topic": "$who ${x} $", "who": "x"}) == "On $who ${x} $: $5"
    assert prompt.render_system({"topic": "", "who": "terse"}) == "You are terse."
    assert Prompt(name="p", user="x").render_system({}) is None


def test_a_dollar_sign_that_begins_no_name_is_refused() -> None:
    with pytest.raises(
        PromptsError, match=r"the prompt 'p' has a '\$' that begins no name; write '\$\$'"
    ):
        Prompt(name="p", user="costs $5").blanks()


def test_a_blank_that_nobody_fills_is_named_with_those_that_are() -> None:
    with pytest.raises(
        PromptsError, match=r"has a blank \$b that nobody fills; known here: \$a, \$c"
    ):
        Prompt(name="p", user="$b").render_user({"c": 1, "a": 2})


def test_a_missing_prompt_is_named_with_those_that_are_there() -> None:
    prompts = Prompts(prompts={"one": Prompt(name="one", user="x")})
    with pytest.raises(PromptsError, match=r"no table \[two\]; they have \[one\]"):
        prompts["two"]
    with pytest.raises(PromptsError, match="they have no prompts"):
        Prompts()["two"]


def test_options_rule_where_they_are_chosen_also_with_a_no() -> None:
    over = StepOptions(thinking=False, max_tokens=5).over(
        StepOptions(thinking=True, max_tokens=9, model="m")
    )
    assert over == StepOptions(thinking=False, max_tokens=5, model="m")
