from __future__ import annotations

from dataclasses import replace

import pytest

from harness.domain.completion import Effort
from harness.domain.profiles import PROFILES, owner_of_key
from harness.domain.request_form import (
    DEEPSEEK_FORM,
    OPENAI_FORM,
    RequestForm,
    Switch,
    advice_elsewhere,
    unsent,
)

EFFORT_SWITCH = RequestForm(thinking="reasoning_effort", efforts={"none": "none", "high": "high"})


def names(
    form: RequestForm, *, thinking: bool | None = None, effort: Effort | None = None
) -> list[str]:
    return [one.name for one in unsent(thinking=thinking, effort=effort, form=form)]


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize(
    "switch",
    [
        "thinking",
        "enable_thinking",
        "reasoning",
        "chat_template_kwargs",
        "chat_template_kwargs.thinking",
    ],
)
def test_a_switch_of_its_own_says_on_and_off(switch: Switch, thinking: bool) -> None:
    assert names(RequestForm(thinking=switch), thinking=thinking) == []


@pytest.mark.parametrize("switch", [None, "none"])
def test_without_a_switch_thinking_cannot_be_said(switch: Switch | None) -> None:
    form = replace(OPENAI_FORM, thinking=switch)
    assert names(form, thinking=False) == names(form, thinking=True) == ["thinking"]
    assert names(form) == []


def test_where_the_effort_is_the_switch_off_is_none_and_on_wants_a_word() -> None:
    assert names(EFFORT_SWITCH, thinking=False) == []
    assert names(EFFORT_SWITCH, thinking=True) == ["thinking"]
    assert names(EFFORT_SWITCH, thinking=True, effort="high") == []
    assert names(replace(EFFORT_SWITCH, efforts={"on": "default"}), thinking=True) == []
    assert names(replace(EFFORT_SWITCH, efforts={}), thinking=False) == ["thinking"]


def test_an_effort_without_a_word_cannot_be_said_but_none_can_be_a_switch() -> None:
    assert names(EFFORT_SWITCH, effort="max") == ["effort"]
    assert names(replace(DEEPSEEK_FORM, efforts={}), effort="none") == []
    assert names(replace(OPENAI_FORM, efforts={}), effort="none") == ["effort"]


@pytest.mark.parametrize(
    ("form", "thinking", "advice"),
    [
        (OPENAI_FORM, False, "--set endpoint.thinking=FIELD says it"),
        (replace(OPENAI_FORM, thinking="none"), False, "--set endpoint.thinking=FIELD names one"),
        (EFFORT_SWITCH, True, "--set endpoint.efforts.on=WORD"),
        (replace(EFFORT_SWITCH, efforts={}), False, "--set endpoint.efforts.none=WORD"),
    ],
)
def test_the_advice_names_what_mends_it(form: RequestForm, thinking: bool, advice: str) -> None:
    (one,) = unsent(thinking=thinking, effort=None, form=form)
    assert one.value == ("on" if thinking else "off")
    assert advice in one.advice


def test_the_advice_on_an_effort_names_those_that_are_known() -> None:
    (known,) = unsent(thinking=None, effort="max", form=EFFORT_SWITCH)
    (nothing,) = unsent(
        thinking=None, effort="max", form=replace(EFFORT_SWITCH, efforts={"on": "x"})
    )
    assert "known there: none, high;" in known.advice
    assert "known there: none;" in nothing.advice


def test_a_variable_belongs_to_the_service_whose_key_it_holds() -> None:
    assert owner_of_key("GROQ_API_KEY") is PROFILES["groq"]
    assert owner_of_key("VLLM_API_KEY") is None  # a server of one's own may stand anywhere


def test_the_advice_for_an_endpoint_of_a_step_names_its_table_and_no_flag() -> None:
    (one,) = unsent(thinking=True, effort=None, form=replace(OPENAI_FORM, thinking="none"))
    told = advice_elsewhere(one.advice, "local")
    assert told == "it has no switch for thinking; [endpoints.local] thinking=FIELD names one"
