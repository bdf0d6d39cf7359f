"""The form in which a server wants a request, as data, and what of a request it would not be
told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.domain.completion import Effort

Dialect = Literal["deepseek", "openai"]
CapField = Literal["max_tokens", "max_completion_tokens"]
SeedField = Literal["seed", "random_seed"]
Structure = Literal["json_schema", "json_object", "text"]
LogprobsForm = Literal["flag", "number"]
ReasoningBack = Literal["reasoning_content", "reasoning", "none"]
Switch = Literal[
    "thinking",
    "reasoning_effort",
    "enable_thinking",
    "reasoning",
    "chat_template_kwargs",
    "chat_template_kwargs.thinking",
    "none",
]
EffortName = Literal["none", "low", "high", "max", "on"]

DEEPSEEK_EFFORTS: Mapping[EffortName, str] = {
    "none": "none",
    "low": "low",
    "high": "high",
    "max": "max",
}
OPENAI_EFFORTS: Mapping[EffortName, str] = {
    "none": "none",
    "low": "low",
    "high": "high",
    "max": "xhigh",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestForm:
    """The form in which one server wants a request.

    `thinking` is the field that turns reasoning on and off: None where that is not known, "none"
    where there is none. `efforts` are the server's words for ours in its field `reasoning_effort`;
    "on" is its word for thinking that is on where that field is the switch. `cap` and `seed` are
    how it calls these. `stream_options`: it may be asked to count the tokens of a stream.
    `structured` is the strictest way in which it can be asked for JSON; None: not known, so what a
    request wants is sent as OpenAI has it. `reasoning_back` is the field in which a request with
    tools brings the reasoning of earlier turns back. `logprobs` is what that field is: a flag
    beside `top_logprobs`, as OpenAI has it, or the number of tokens itself.
    """

    dialect: Dialect = "openai"
    thinking: Switch | None = None
    efforts: Mapping[EffortName, str] = field(default_factory=lambda: OPENAI_EFFORTS)
    cap: CapField = "max_tokens"
    seed: SeedField = "seed"
    stream_options: bool = True
    structured: Structure | None = None
    reasoning_back: ReasoningBack = "reasoning_content"
    logprobs: LogprobsForm = "flag"


OPENAI_FORM = RequestForm()
"""A server that is not known: OpenAI's protocol, with reasoning brought back to whoever told it."""

DEEPSEEK_FORM = RequestForm(
    dialect="deepseek", thinking="thinking", efforts=DEEPSEEK_EFFORTS, structured="json_object"
)
FORMS: Mapping[Dialect, RequestForm] = {"openai": OPENAI_FORM, "deepseek": DEEPSEEK_FORM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A setting that the server would not be told: its name, its value in words, and what helps."""

    name: Literal["thinking", "effort"]
    value: str
    advice: str


def unsent(
    *, thinking: bool | None, effort: Effort | None, form: RequestForm
) -> tuple[Unsent, ...]:
    """Return which of these two cannot be sent to a server of this form."""
    found: list[Unsent] = []
    if thinking is not None and not _can_switch(thinking, effort, form):
        found.append(
            Unsent(
                name="thinking",
                value="on" if thinking else "off",
                advice=_switch_advice(thinking, form),
            )
        )
    if (
        effort is not None
        and effort not in form.efforts
        and not (effort == "none" and has_switch(form))
    ):
        words = ", ".join(name for name in form.efforts if name != "on") or "none"
        advice = (
            f"the efforts known there: {words}; --set endpoint.efforts.{effort}=WORD names its word"
            " for it"
        )
        found.append(Unsent(name="effort", value=effort, advice=advice))
    return tuple(found)


def advice_elsewhere(advice: str, endpoint: str) -> str:
    """Return the advice for an endpoint that is not the run's own.

    Its table changes it, and not the command line.
    """
    return advice.replace("--set endpoint.", f"[endpoints.{endpoint}] ")


def has_switch(form: RequestForm) -> bool:
    """Return whether thinking is turned on and off by a field of its own, that is known."""
    return form.thinking not in (None, "none", "reasoning_effort")


def _can_switch(thinking: bool, effort: Effort | None, form: RequestForm) -> bool:
    if form.thinking != "reasoning_effort":
        return has_switch(form)
    if not thinking:
        return "none" in form.efforts
    return "on" in form.efforts or effort in form.efforts


def _switch_advice(thinking: bool, form: RequestForm) -> str:
    if form.thinking == "none":
        return "it has no switch for thinking; --set endpoint.thinking=FIELD names one"
    if form.thinking == "reasoning_effort":
        wanted = "on" if thinking else "none"
        return (
            f"its reasoning_effort has no such value; --set endpoint.efforts.{wanted}=WORD"
            " names one"
        )
    fields = "thinking, reasoning_effort, enable_thinking, reasoning or chat_template_kwargs"
    return (
        "how thinking is switched there is not known; --set endpoint.thinking=FIELD says it, with"
        f" one of {fields}"
    )
