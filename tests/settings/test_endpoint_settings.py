"""Tables [endpoints.NAME], `--dialect` and `--set`: what they say, which rules, and what each
mistake is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.api import request_of
from harness.domain.key import cache_key
from harness.domain.profiles import PROFILES, form_mark
from harness.domain.request_form import DEEPSEEK_FORM, OPENAI_FORM
from harness.errors import SettingsError
from harness.runs.wanted import recorded
from harness.settings import Loaded, load_settings, notes_on

OURS = '[endpoints.ours]\nbase_url = "http://gpu:8000/v1"\n'


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    toml: str = "",
    env: Mapping[str, str] | None = None,
    **more: Any,
) -> Loaded:
    Path("harness.toml").write_text(toml)
    return load_settings(
        {"model": "m", **(flags or {})}, environ=env or {}, flag_style=True, **more
    )


def complaint(flags: Mapping[str, Any] | None = None, **sources: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(flags, **sources)
    return str(caught.value)


def mending(*texts: str) -> dict[str, Any]:
    return {"base_url": "http://gpu:8000/v1", "set": texts}


def test_a_table_is_an_endpoint_and_begins_with_openais_form() -> None:
    endpoint = load(
        {"endpoint": "ours"},
        toml=OURS + 'thinking = "enable_thinking"\nefforts = { max = "ultra" }',
    ).endpoint()
    assert (endpoint.identity, endpoint.base_url) == ("http://gpu:8000/v1", "http://gpu:8000/v1")
    assert endpoint.form.thinking == "enable_thinking"
    assert endpoint.form.efforts == {**OPENAI_FORM.efforts, "max": "ultra"}


def test_a_table_may_be_like_a_known_one_elsewhere() -> None:
    form = (
        load({"endpoint": "ours"}, toml=OURS + 'like = "vllm"\ncap = "max_tokens"').endpoint().form
    )
    assert (form.thinking, form.cap) == ("chat_template_kwargs", "max_tokens")


def test_a_table_of_the_same_name_mends_a_known_one() -> None:
    endpoint = load(
        {"endpoint": "groq"},
        toml='[endpoints.groq]\ncap = "max_tokens"',
        env={"GROQ_API_KEY": "sk-g"},
    ).endpoint()
    assert (endpoint.base_url, endpoint.form.cap) == (
        "https://api.groq.com/openai/v1",
        "max_tokens",
    )
    assert endpoint.authorization is not None


def test_the_command_line_mends_what_the_file_says() -> None:
    flags = {"endpoint": "ours", "set": ("endpoint.cap=max_tokens",)}
    assert (
        load(flags, toml=OURS + 'cap = "max_completion_tokens"').endpoint().form.cap == "max_tokens"
    )


def test_a_dialect_is_the_form_to_begin_with() -> None:
    assert (
        load({"base_url": "http://gpu:8000/v1", "dialect": "deepseek"}).endpoint().form
        == DEEPSEEK_FORM
    )
    assert (
        load({"endpoint": "ours"}, toml=OURS + 'dialect = "deepseek"').endpoint().form
        == DEEPSEEK_FORM
    )
    assert load({"endpoint": "mock", "dialect": "openai"}).endpoint().form == OPENAI_FORM


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("endpoint.stream_options=off", "stream_options", False),
        ("endpoint.stream_options=true", "stream_options", True),
        (
            "endpoint.thinking=chat_template_kwargs.thinking",
            "thinking",
            "chat_template_kwargs.thinking",
        ),
        ("endpoint.efforts.max=ultra", "efforts", {**OPENAI_FORM.efforts, "max": "ultra"}),
        ('endpoint.efforts={"low": "tiny"}', "efforts", {**OPENAI_FORM.efforts, "low": "tiny"}),
        ("endpoint.seed=random_seed", "seed", "random_seed"),
        ("endpoint.reasoning_back=none", "reasoning_back", "none"),
        ("endpoint.structured=text", "structured", "text"),
    ],
)
def test_each_field_of_the_form_can_be_mended(text: str, field: str, value: Any) -> None:
    assert getattr(load(mending(text)).endpoint().form, field) == value


def test_fields_of_the_body_are_json_or_texts_and_all_sources_are_put_together() -> None:
    flags = {
        "endpoint": "ours",
        "set": (
            "endpoint.extra_body.top_k=40",
            "endpoint.extra_body.mode=fast",
            'endpoint.extra_body.x={"a":[1]}',
        ),
    }
    settings = load(flags, toml=OURS + "extra_body = { min_p = 0.1 }").settings
    assert settings.defaults().extra_body == {
        "min_p": 0.1,
        "top_k": 40,
        "mode": "fast",
        "x": {"a": [1]},
    }


def test_limits_and_the_model_of_a_table_rule_where_no_setting_says_more() -> None:
    toml = OURS + 'model = "theirs"\nin_flight = 3\nrpm = 60\ntpm = 5000'
    loaded = (
        load_settings({"endpoint": "ours"}, environ={})
        if Path("harness.toml").write_text(toml)
        else None
    )
    assert loaded is not None
    limits = loaded.settings.limits()
    assert (limits.in_flight, limits.requests_per_minute, limits.tokens_per_minute) == (3, 60, 5000)
    assert loaded.settings.defaults().model == "theirs"
    assert recorded(loaded.settings)["in_flight"] == 3
    assert load({"endpoint": "ours", "in_flight": "9"}, toml=toml).settings.in_flight == 9
    assert load({"endpoint": "mock"}, toml=toml).settings.in_flight == 64
    assert load(mending("endpoint.in_flight=2")).settings.in_flight == 2


def test_prices_of_a_table_are_known_at_that_endpoint_only() -> None:
    toml = OURS + "[endpoints.ours.prices.m]\ninput = 1\noutput = 2\n"
    assert load({"endpoint": "ours"}, toml=toml).settings.pricing().prices["m"]
    assert "m" not in load({"base_url": "http://gpu:8000/v1"}, toml=toml).settings.pricing().prices


def test_deepseeks_prices_and_old_names_are_not_those_of_another_server_that_speaks_as_it_does() -> (
    None
):
    settings = load(
        {
            "endpoint": "deepseek",
            "model": "deepseek-chat",
            "set": ("endpoint.base_url=http://gpu/v1",),
        }
    ).settings
    assert settings.pricing().prices == {}
    assert settings.defaults().model == "deepseek-chat"


BAD_TABLES = [
    (
        "[endpoints.ours]\n",
        "harness.toml:1: [endpoints.ours] needs a base_url, or like = one of deepseek, openai,",
    ),
    (
        OURS + 'capp = "max_tokens"',
        "harness.toml:3: unknown setting 'endpoints.ours.capp'; did you mean 'cap'?",
    ),
    (
        OURS + 'cap = "tokens"',
        "harness.toml:3: endpoints.ours.cap = 'tokens': must be one of max_tokens or max_",
    ),
    (
        OURS + 'like = "vlm"',
        "harness.toml:3: endpoints.ours.like = 'vlm': no such endpoint; did you mean 'vllm'?",
    ),
    (OURS + "in_flight = 0", "harness.toml:3: endpoints.ours.in_flight = 0: must be at least 1"),
    (
        OURS + "extra_body = { stream = true }",
        "harness.toml:3: endpoints.ours.extra_body = {'stream': True}: extra_body: ",
    ),
    (
        OURS + 'extra_headers = { X-Key = "sk-open" }',
        "harness.toml:3: extra_headers: X-Key looks like a secret: put its",
    ),
    (
        '[endpoints.ours]\nbase_url = "http://me:secret-word@gpu/v1"',
        "harness.toml:2: must hold no user and no password",
    ),
    (
        '[endpoints.ours]\nbase_url = "gpu"',
        "harness.toml:2: the base URL must be like https://host:8000/v1",
    ),
    (
        OURS + "[endpoints.ours.prices.m]\ninput = -1\noutput = 1",
        "harness.toml:4: endpoints.ours.prices.m.input = -1: ",
    ),
]


@pytest.mark.parametrize(
    ("toml", "message"), BAD_TABLES, ids=[message[13:60] for _, message in BAD_TABLES]
)
def test_a_bad_table_is_refused_with_its_line_and_shows_no_secret(toml: str, message: str) -> None:
    said = complaint(toml=toml)
    assert said.startswith(message)
    assert "sk-open" not in said
    assert "secret-word" not in said


BAD_MENDS = [
    (
        "cap=max_tokens",
        "--set cap=max_tokens: must be endpoint.FIELD=VALUE, such as endpoint.cap=max_tokens",
    ),
    ("endpoint.cap", "--set endpoint.cap: must be endpoint.FIELD=VALUE"),
    (
        "endpoint.capp=x",
        "--set endpoint.capp=x: an endpoint has no field 'capp'; did you mean 'cap'?",
    ),
    (
        "endpoint.cap=x",
        "--set endpoint.cap=x: cap must be one of max_tokens or max_completion_tokens",
    ),
    (
        "endpoint.cap.x=y",
        "--set endpoint.cap.x=y: endpoint.cap is one value: write endpoint.cap=VALUE",
    ),
    (
        "endpoint.stream_options=7",
        "--set endpoint.stream_options=7: stream_options must be on or off",
    ),
    ("endpoint.in_flight=many", "--set endpoint.in_flight=many: in_flight must be a whole number"),
    ("endpoint.extra_body=[]", "--set endpoint.extra_body=[]: extra_body must be a table"),
    (
        "endpoint.base_url=http://x/v1",
        "--set: endpoint.base_url: a base URL is given already; mend base_url itself",
    ),
    (
        "endpoint.api_key_env=K",
        "--set: endpoint.api_key_env: a base URL is given already; mend api_key_env itself",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD_MENDS, ids=[text for text, _ in BAD_MENDS])
def test_a_bad_mend_is_refused_by_its_flag(text: str, message: str) -> None:
    assert complaint(mending(text)).startswith(message)


def test_the_mock_stays_in_this_process() -> None:
    flags = {"endpoint": "mock", "set": ("endpoint.base_url=http://x/v1",)}
    assert "the mock answers in this process" in complaint(flags)


# What would not be sent is an error where the user said it.


@pytest.mark.parametrize(
    ("flags", "toml", "begins"),
    [
        (
            {"thinking": "off"},
            "",
            "--thinking: thinking off would not be sent to http://gpu:8000/v1: how thinking",
        ),
        ({}, "thinking = true", "harness.toml:1: thinking on would not be sent to"),
        (
            {},
            "[steps.decompose]\nthinking = false",
            "harness.toml:2: thinking off would not be sent to",
        ),
    ],
)
def test_a_switch_that_is_not_known_is_an_error_where_it_was_set(
    flags: dict[str, Any], toml: str, begins: str
) -> None:
    said = complaint({"base_url": "http://gpu:8000/v1", **flags}, toml=toml)
    assert said.startswith(begins)
    assert "--set endpoint.thinking=FIELD" in said


def test_an_effort_without_a_word_is_an_error_where_it_was_set() -> None:
    assert complaint({"endpoint": "groq", "effort": "max"}).startswith(
        "--effort: effort max would not be sent to groq: "
    )
    assert complaint({"endpoint": "groq"}, toml='[steps.x]\neffort = "max"').startswith(
        "harness.toml:2: effort max would"
    )


def test_a_run_that_began_with_such_a_setting_goes_on() -> None:
    base = {"base_url": "http://gpu:8000/v1", "model": "m", "thinking": False}
    assert load_settings({}, base=base, environ={}).settings.thinking is False


# Keys and secrets.


def test_the_variables_of_headers_are_filled_in_hidden_and_wanted() -> None:
    toml = OURS + 'extra_headers = { X-Pass = "$PASS_OF_GPU", X-Team = "blue" }'
    endpoint = load({"endpoint": "ours"}, toml=toml, env={"PASS_OF_GPU": "sk-of-gpu"}).endpoint()
    assert endpoint.headers() == {"X-Pass": "sk-of-gpu", "X-Team": "blue"}
    assert "sk-of-gpu" not in repr(endpoint)
    assert endpoint.redact("it said sk-of-gpu to blue") == "it said *** to blue"
    with pytest.raises(
        SettingsError, match=r"the variable PASS_OF_GPU \(from extra_headers.X-Pass\) is not set"
    ):
        load({"endpoint": "ours"}, toml=toml).endpoint()
    assert load({"endpoint": "ours"}, toml=toml).endpoint(key_needed=False).headers() == {
        "X-Team": "blue"
    }


def test_a_key_variable_that_a_mend_names_must_be_set() -> None:
    flags = {"endpoint": "ours", "set": ("endpoint.api_key_env=K",)}
    with pytest.raises(SettingsError, match=r"^no key for ours: set K in the environment"):
        load(flags, toml=OURS).endpoint()
    assert load(flags, toml=OURS, env={"K": "sk-1"}).endpoint().headers() == {
        "Authorization": "Bearer sk-1"
    }


def test_an_authorization_of_ones_own_rules_over_the_key() -> None:
    toml = OURS + 'api_key_env = "K"\nextra_headers = { authorization = "Token $T" }'
    assert load(
        {"endpoint": "ours"}, toml=toml, env={"K": "sk-1", "T": "sk-2"}
    ).endpoint().headers() == {"Authorization": "Token sk-2"}


@pytest.mark.parametrize(
    "line", ['api_key_env = "OPENAI_API_KEY"', 'extra_headers = { X-Pass = "$OPENAI_API_KEY" }']
)
def test_the_key_of_a_service_reaches_no_endpoint_elsewhere(line: str) -> None:
    loaded = load({"endpoint": "ours"}, toml=OURS + line, env={"OPENAI_API_KEY": "sk-openai"})
    with pytest.raises(
        SettingsError, match="that key is openai's and is never sent to another host"
    ):
        loaded.endpoint()
    assert "sk-openai" not in str(loaded.endpoint(key_needed=False).headers())


def test_an_unusable_variable_of_a_header_is_named_and_not_shown() -> None:
    toml = OURS + 'extra_headers = { X-Pass = "$P" }'
    with pytest.raises(SettingsError, match=r"^\$P: ") as caught:
        load({"endpoint": "ours"}, toml=toml, env={"P": "schlüssel"}).endpoint()
    assert "schl" not in str(caught.value)


def test_what_a_run_records_of_a_header_is_the_name_of_its_variable() -> None:
    toml = OURS + 'extra_headers = { X-Pass = "$P" }'
    settings = load({"endpoint": "ours"}, toml=toml, env={"P": "sk-of-gpu"}).settings
    assert recorded(settings)["endpoints"]["ours"]["extra_headers"] == {"X-Pass": "$P"}


# The key of an answer, and base URLs.


@pytest.mark.parametrize("name", ["deepseek", "openai", "openrouter", "groq", "mock"])
def test_a_known_service_at_its_own_address_marks_no_request(name: str) -> None:
    assert form_mark(PROFILES[name]) == {}
    assert form_mark(load({"base_url": PROFILES[name].base_url}).settings.service) == {}
    assert form_mark(load({"base_url": "http://gpu:8000/v1"}).settings.service) == {}


@pytest.mark.parametrize(
    ("flags", "mark"),
    [
        (mending("endpoint.thinking=enable_thinking"), {"thinking": "enable_thinking"}),
        (mending("endpoint.stream_options=off"), {}),
        ({"endpoint": "vllm"}, {"like": "vllm"}),
        ({"endpoint": "groq", "set": ("endpoint.cap=max_tokens",)}, {"cap": "max_tokens"}),
        (
            {"base_url": "https://api.openai.com/v1", "set": ("endpoint.like=deepseek",)},
            {"like": "deepseek"},
        ),
        (
            {"base_url": "https://api.deepseek.com", "dialect": "openai"},
            {"like": "any"},
        ),
    ],
)
def test_a_form_that_is_not_that_of_its_address_is_part_of_the_key(
    flags: dict[str, Any], mark: dict[str, Any]
) -> None:
    loaded = load(flags)
    assert form_mark(loaded.settings.service) == mark
    request = request_of(loaded, "Why?", system=None, defaults=loaded.settings.defaults())
    plain = request_of(
        load({"base_url": loaded.endpoint(key_needed=False).base_url}),
        "Why?",
        system=None,
        defaults=loaded.settings.defaults(),
    )
    assert (cache_key(request) != cache_key(plain)) == bool(mark)


def test_the_path_of_the_call_is_no_part_of_a_base_url_and_that_is_said() -> None:
    loaded = load({"base_url": "http://gpu:8000/v1/chat/completions/"})
    assert loaded.endpoint().base_url == "http://gpu:8000/v1"
    assert notes_on(loaded.settings) == (
        "the base URL is taken without the path of the call: http://gpu:8000/v1",
    )


def test_a_base_url_without_a_path_is_taken_with_a_note() -> None:
    (note,) = notes_on(load({"base_url": "http://gpu:8000"}).settings)
    assert "most servers want http://gpu:8000/v1" in note
    assert notes_on(load({"base_url": "http://gpu:8000/v1"}).settings) == ()
    assert notes_on(load({"endpoint": "litellm"}).settings) == ()
