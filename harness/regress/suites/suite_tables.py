"""The tables of a suite's file as models: what may stand in them, of which type, within which
bounds.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.domain.finish import ACCEPTED_FINISH_REASONS
from harness.settings.endpoints import EndpointTable, PriceTable
from harness.settings.toml_tables import StepTable

_MODEL = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

DECIDING = (
    "workflow",
    "prompts",
    "endpoint",
    "base_url",
    "api_key_env",
    "model",
    "thinking",
    "effort",
    "topic_field",
    "id_field",
    "filter",
    "shuffle",
    "limit",
    "seed",
    "max_calls",
    "max_depth",
)
"""The settings of a run that decide which answers come: those a suite may hold."""


def _one_or_more(value: Any) -> Any:
    found = value
    if isinstance(value, str):
        found = (value,)
    elif isinstance(value, list):
        found = tuple(value)
    if found == ():
        raise ValueError("must not be empty")
    return found


def _only_true(value: bool) -> bool:
    if not value:
        raise ValueError("must be true; leave the line out where this is not to be checked")
    return value


def _one_line(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError("must be one line of text")
    return name.strip()


def _tables(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("must be tables, each under a line [[check]]")
    return value


def _criterion(text: str) -> str:
    if not text.strip():
        raise ValueError("must say what the text must be")
    return text


def _reasons(given: tuple[str, ...]) -> tuple[str, ...]:
    """Reasons to stop that an answer can have."""
    known = sorted(ACCEPTED_FINISH_REASONS)
    for reason in given:
        if reason not in ACCEPTED_FINISH_REASONS:
            raise ValueError(
                f"no answer ends with {reason!r}, but with {' or '.join(known)}; "
                "a call that was cut off or filtered fails, and every check on its step with it"
            )
    if set(given) == set(known):
        raise ValueError(
            "could not fail: every answer ends with one of these; name the one that is expected"
        )
    return given


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_one_or_more)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Yes = Annotated[bool, AfterValidator(_only_true)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Dollars = Annotated[float, Field(ge=0, le=1e9)]
Reasons = Annotated[Texts, AfterValidator(_reasons)]
Statuses = Annotated[tuple[Literal["ok", "degraded"], ...], BeforeValidator(_one_or_more)]


class RangeTable(BaseModel):
    """A number within bounds, of which one may be missing."""

    model_config = _MODEL

    at_least: Count | None = None
    at_most: Count | None = None

    @model_validator(mode="after")
    def _bounded(self) -> RangeTable:
        if self.at_least is None and self.at_most is None:
            raise ValueError("must have at_least, at_most or both")
        if self.at_least == 0 and self.at_most is None:
            raise ValueError(
                "could not fail: nothing is less than 0; give at_least = 1 or more, or at_most"
            )
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least = {self.at_least} is more than at_most = {self.at_most}")
        return self


class CheckTable(BaseModel):
    """One [[check]]. All but the first three are expectations."""

    model_config = _MODEL

    name: Name | None = None
    step: Name | None = None
    pass_rate: Annotated[float, Field(gt=0, le=1)] = 1.0

    equals_golden: Yes | None = None
    contains: Texts | None = None
    not_contains: Texts | None = None
    matches: Texts | None = None
    not_matches: Texts | None = None
    json_schema: Any = None
    chars: RangeTable | None = None
    words: RangeTable | None = None
    citations: Yes | None = None
    questions: RangeTable | None = None
    tokens_at_most: Count | None = None
    reasoning_tokens_at_most: Count | None = None
    cost_at_most: Dollars | None = None
    calls_at_most: Count | None = None
    finish_reason: Reasons | None = None
    reasoning_contains: Texts | None = None
    reasoning_not_contains: Texts | None = None
    status: Statuses | None = None
    function: Text | None = None
    judge: Annotated[Text, AfterValidator(_criterion)] | None = None


NO_EXPECTATIONS = ("name", "step", "pass_rate")
EXPECTATIONS = tuple(name for name in CheckTable.model_fields if name not in NO_EXPECTATIONS)
OF_OUTPUTS = {
    "citations": "it is the output that cites the sub-questions",
    "questions": "sub-questions are of a topic",
    "calls_at_most": "calls are counted by topic",
    "status": "a status is a topic's",
}
"""Expectations that make no sense for a single call, each with the reason."""
OF_CALLS = {"finish_reason": "a reason to stop is a call's"}
"""Expectations that make no sense for an output, each with the reason."""


class JudgeTable(StepTable):
    """[judge]: how judges are asked. `system` and `user` are a prompt in place of ours."""

    system: Text | None = None
    user: Text | None = None


class SuiteTable(BaseModel):
    """The whole file. Its tables are looked at one by one, so that each complaint finds its
    line.
    """

    model_config = _MODEL

    dataset: Text
    cassette: Text
    golden: Text | None = None
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    settings: dict[str, Any] = Field(default_factory=dict)
    steps: dict[str, StepTable] = Field(default_factory=dict)
    workflow: dict[str, Any] = Field(default_factory=dict)
    prices: dict[str, PriceTable] = Field(default_factory=dict)
    endpoints: dict[str, EndpointTable] = Field(default_factory=dict)
    judge: JudgeTable = JudgeTable()
    check: Annotated[list[dict[str, Any]], BeforeValidator(_tables)] = Field(default_factory=list)
