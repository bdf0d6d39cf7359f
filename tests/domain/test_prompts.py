from __future__ import annotations

import pytest

from harness.domain.prompts import Prompt, Prompts
from harness.errors import PromptsError

PROMPT = Prompt(name="ask", user="Why is $topic so? It costs $$5.", system="You know ${field}.")


def test_the_blanks_are_those_of_both_texts() -> None:
    assert PROMPT.blanks() == {"topic", "field"}


def test_blanks_are_filled_and_what_fills_them_is_never_looked_into() -> None:
    assert PROMPT.render_user({"topic": "$field", "field": "x"}) == "Why is $field so? It costs $5."
    assert PROMPT.render_system({"field": 7}) == "You know 7."
    assert Prompt(name="ask", user="x").render_system({}) is None


def test_a_dollar_sign_that_begins_no_name_is_an_error() -> None:
    with pytest.raises(PromptsError, match=r"'ask' has a '\$' that begins no name"):
        Prompt(name="ask", user="It costs $ 5").blanks()


def test_a_blank_that_nobody_fills_is_an_error_that_says_what_is_known() -> None:
    with pytest.raises(PromptsError, match=r"a blank \$topic that nobody fills; known here: \$a, \$b"):
        PROMPT.render_user({"b": 1, "a": 2})


def test_a_prompt_that_is_missing_is_an_error_that_says_which_there_are() -> None:
    prompts = Prompts(prompts={"ask": PROMPT})
    assert prompts["ask"] is PROMPT
    with pytest.raises(PromptsError, match=r"no table \[aks\]; they have \[ask\]"):
        prompts["aks"]
    with pytest.raises(PromptsError, match="they have no prompts"):
        Prompts()["ask"]
