"""Endpoints as a user writes them: tables [endpoints.NAME], and what a command line overrides."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harness.domain.base_url import credentials, normalized_base_url
from harness.domain.extras import check_extra_body, check_header, merged
from harness.domain.pricing import Price, Rates, flat_price
from harness.domain.profiles import MOCK, PROFILES, Profile, profile_of
from harness.domain.request_form import (
    FORMS,
    CapField,
    Dialect,
    EffortName,
    LogprobsForm,
    ReasoningBack,
    RequestForm,
    SeedField,
    Structure,
    Switch,
)
from harness.errors import SettingsError
from harness.settings.scalars import Many, Name, Rate, Whole
from harness.settings.toml_tables import reason, suggestion

OVERRIDE_PREFIX = "endpoint."
_FORM_FIELDS = (
    "thinking",
    "cap",
    "seed",
    "stream_options",
    "structured",
    "reasoning_back",
    "logprobs",
)


def _plain_url(url: str) -> str:
    try:
        normalized_base_url(url)
        if credentials(url) is not None:
            raise ValueError(
                "must hold no user and no password: put them into a variable, see extra_headers"
            )
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return url


def _extra_body(extra: dict[str, Any]) -> dict[str, Any]:
    check_extra_body(extra)
    return extra


def _extra_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        check_header(name, value)
    return headers


def _known_name(name: str) -> str:
    if name not in PROFILES:
        raise ValueError(f"no such endpoint{suggestion(name, PROFILES)}")
    return name


PlainUrl = Annotated[str, AfterValidator(_plain_url)]


class PriceTable(BaseModel):
    """USD per million tokens of a model that the built-in table does not know."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    input: Rate
    output: Rate
    cached_input: Rate | None = None

    def rates(self) -> Rates:
        cached = self.input if self.cached_input is None else self.cached_input
        return Rates(cached_input=cached, input=self.input, output=self.output)


class EndpointTable(BaseModel):
    """A table [endpoints.NAME]. The descriptions are those of docs/endpoints.md."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    like: Annotated[str, AfterValidator(_known_name)] | None = Field(
        None, description="The known endpoint whose fields rule where this table says nothing."
    )
    base_url: PlainUrl | None = Field(
        None, description="Where it is reached, such as http://gpu1:8000/v1."
    )
    api_key_env: Name | None = Field(None, description="The variable that holds its key.")
    model: Name | None = Field(None, description="The model where no setting names one.")
    dialect: Dialect | None = Field(
        None,
        description=(
            "`deepseek` or `openai`: what the other fields begin with, and whether a `user_id` is"
            " sent."
        ),
    )
    thinking: Switch | None = Field(
        None, description="The field that turns reasoning on and off; `none`: there is none."
    )
    efforts: dict[EffortName, Annotated[str, Field(min_length=1, max_length=40)]] | None = Field(
        None,
        description=(
            "Its words for our efforts in `reasoning_effort`; `on` is its word for thinking that is"
            " on where that field is the switch."
        ),
    )
    cap: CapField | None = Field(None, description="How it calls the cap on output tokens.")
    seed: SeedField | None = Field(None, description="How it calls the seed of a request.")
    stream_options: bool | None = Field(
        None,
        description="Whether it may be asked to count the tokens of a stream (`stream_options`).",
    )
    structured: Structure | None = Field(
        None,
        description=(
            "The strictest way to ask it for JSON. Where it knows no schema, the schema is put into"
            " words."
        ),
    )
    reasoning_back: ReasoningBack | None = Field(
        None,
        description=(
            "The field in which a request with tools brings the reasoning of earlier turns back."
        ),
    )
    logprobs: LogprobsForm | None = Field(
        None,
        description=(
            "How it is asked for likelihoods of tokens: `flag`, `logprobs: true` beside"
            " `top_logprobs`; or `number`, `logprobs: 3`."
        ),
    )
    in_flight: Whole | None = Field(
        None, description="Calls in flight, where no setting says how many."
    )
    rpm: Whole | None = Field(
        None, description="Requests per minute, where no setting says how many."
    )
    tpm: Many | None = Field(None, description="Tokens per minute, where no setting says how many.")
    extra_body: Annotated[dict[str, Any], AfterValidator(_extra_body)] | None = Field(
        None, description="Fields that are added to each request. They are part of its key."
    )
    extra_headers: Annotated[dict[str, str], AfterValidator(_extra_headers)] | None = Field(
        None,
        description=(
            "Headers of each request: `$NAME` in a value stands for a variable, and a secret must"
            " be one. They are no part of its key."
        ),
    )
    aliases: dict[Annotated[str, Field(min_length=1)], Name] | None = Field(
        None,
        description=(
            "Names of models with the name that answers to them, where it is another: those of a"
            " proxy, or of a deployment."
        ),
    )
    prices: dict[Annotated[str, Field(min_length=1)], PriceTable] | None = Field(
        None, description="USD per million tokens by model, as in [prices]."
    )

    def price_rows(self) -> dict[str, tuple[Price, ...]]:
        return {model: flat_price(table.rates()) for model, table in (self.prices or {}).items()}


_TABLES = ("efforts", "aliases", "extra_body", "extra_headers")


def parse_overrides(texts: Sequence[str]) -> EndpointTable:
    """The fields that `endpoint.FIELD=VALUE` set.

    Raises SettingsError with what is wrong with the first that is.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        field, _, key = name.strip().removeprefix(OVERRIDE_PREFIX).partition(".")
        if not equals or not name.strip().startswith(OVERRIDE_PREFIX):
            raise SettingsError(
                f"must be {OVERRIDE_PREFIX}FIELD=VALUE, such as {OVERRIDE_PREFIX}cap=max_tokens"
            )
        if field not in EndpointTable.model_fields or field == "prices":
            known = [one for one in EndpointTable.model_fields if one != "prices"]
            raise SettingsError(f"an endpoint has no field {field!r}{suggestion(field, known)}")
        if key and field not in _TABLES:
            raise SettingsError(
                f"{OVERRIDE_PREFIX}{field} is one value: write {OVERRIDE_PREFIX}{field}=VALUE"
            )
        if key:
            values.setdefault(field, {})[key] = _value(field, value.strip())
        else:
            values[field] = _value(field, value.strip())
    try:
        return EndpointTable.model_validate(values)
    except ValidationError as invalid:
        detail = invalid.errors()[0]
        where = ".".join(str(part) for part in detail["loc"] if part != "[key]")
        why = reason(detail)
        raise SettingsError(why if why.startswith("extra_") else f"{where} {why}") from None


def _value(field: str, text: str) -> Any:
    """A text of the command line as the kind of value that the field takes."""
    if field == "stream_options":
        return {"on": True, "true": True, "off": False, "false": False}.get(text.lower(), text)
    if field in ("in_flight", "rpm", "tpm") and text.isdecimal() and text.isascii():
        return int(text)
    if field == "extra_body" or (field in _TABLES and text.startswith("{")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def service_of(
    endpoint: str | None,
    base_url: str | None,
    *,
    tables: Mapping[str, EndpointTable],
    dialect: Dialect | None,
    overrides: EndpointTable,
) -> Profile:
    """The endpoint that the settings choose, with all that the user changes of it.

    A base URL's has the URL as its name. Raises SettingsError for an endpoint without a base URL.
    """
    if base_url is None:
        name = endpoint or "deepseek"
        service = named(name, tables)
    else:
        known = profile_of(base_url)
        service = Profile(
            name=normalized_base_url(base_url), base_url=base_url, key_env=None, hosted=False
        )
        if known is not None:
            service = replace(service, form=known.form, form_of=known.name, aliases=known.aliases)
    if dialect is not None:
        service = with_table(service, EndpointTable.model_validate({"dialect": dialect}))
    if service.name == MOCK.name and overrides.base_url is not None:
        raise SettingsError("endpoint.base_url: the mock answers in this process, at no address")
    return with_table(service, overrides)


def named(name: str, tables: Mapping[str, EndpointTable]) -> Profile:
    """A known endpoint, or one of the user's tables, which may change a known one.

    Raises SettingsError.
    """
    table, known = tables.get(name), PROFILES.get(name)
    if table is None:
        if known is None:
            raise SettingsError(f"no such endpoint: {name}")
        return known
    if known is None:
        if table.base_url is None and table.like is None:
            raise SettingsError(
                f"[endpoints.{name}] needs a base_url, or like = one of {', '.join(PROFILES)}"
            )
        known = Profile(name=name, base_url=table.base_url or "", key_env=None, hosted=False)
    return with_table(known, table)


def with_table(service: Profile, table: EndpointTable) -> Profile:
    """The endpoint with what the table says.

    Its key goes along only where it stays at the service's own hosts.
    """
    if table.like is not None:
        like = PROFILES[table.like]
        service = replace(like, name=service.name, base_url=service.base_url or like.base_url)
        if like.hosted and service.base_url not in like.urls:
            service = replace(service, key_env=None, hosted=False, keyed_by_name=False)
    moved = table.base_url is not None and normalized_base_url(table.base_url) not in service.urls
    if table.base_url is not None:
        service = replace(service, base_url=normalized_base_url(table.base_url))
    if moved and service.hosted:
        service = replace(service, key_env=None, hosted=False, keyed_by_name=False, equivalents=())
    if table.dialect is not None and table.dialect != service.form.dialect:
        service = replace(service, form=FORMS[table.dialect], form_of=None)
    return replace(
        service,
        key_env=table.api_key_env or service.key_env,
        default_model=table.model or service.default_model,
        form=_form_with_table(service.form, table),
        aliases={**service.aliases, **(table.aliases or {})},
        extra_body=merged(service.extra_body, table.extra_body or {}),
        extra_headers={**service.extra_headers, **(table.extra_headers or {})},
    )


def _form_with_table(form: RequestForm, table: EndpointTable) -> RequestForm:
    changes: dict[str, Any] = {
        name: value for name in _FORM_FIELDS if (value := getattr(table, name)) is not None
    }
    if table.efforts is not None:
        changes["efforts"] = {**form.efforts, **table.efforts}
    return replace(form, **changes)
