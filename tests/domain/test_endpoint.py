from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.domain.base_url import likely_base_urls, normalized_base_url, note_on
from harness.domain.endpoint import base_url_endpoint, endpoint_identity, profile_endpoint
from harness.domain.profiles import PROFILES, form_mark, profile_of, resolve_model
from harness.domain.request_form import OPENAI_FORM
from harness.domain.secret import Secret
from harness.errors import SettingsError

CANARY = "sk-canary/9f8e+7d6c5b4a"


def test_a_secret_never_shows() -> None:
    secret = Secret(CANARY)
    shown = f"{secret} {secret!r} {secret:>10} {[secret]} %s" % secret
    assert CANARY not in shown
    assert "***" in shown


def test_an_endpoint_never_shows_its_secrets() -> None:
    endpoint = base_url_endpoint(
        f"https://user:{CANARY.replace('/', '%2F')}@host/v1", api_key=Secret("sk-other-key")
    )
    assert "canary" not in repr(endpoint)
    assert "sk-other-key" not in repr(endpoint)


@pytest.mark.parametrize("store", [pickle.dumps, copy.deepcopy])
def test_a_secret_is_not_stored(store: object) -> None:
    with pytest.raises(TypeError, match="not stored"):
        store(Secret(CANARY))  # type: ignore[operator]


def test_secrets_are_compared_by_value() -> None:
    assert {Secret("sk-1"), Secret("sk-1\n")} == {Secret("sk-1")}
    assert Secret("sk-1") != "sk-1"


def test_white_space_around_a_key_is_not_part_of_it() -> None:
    assert Secret(f" {CANARY}\n").reveal() == CANARY


@pytest.mark.parametrize("value", ["", " \n", "sk-a\nb", "sk-\x00", "sk-ключ"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Secret(value)
    assert not value.strip() or value not in str(caught.value)


@pytest.mark.parametrize(
    "spelling", [CANARY, "sk-canary%2F9f8e%2B7d6c5b4a", "c2stY2FuYXJ5LzlmOGUrN2Q2YzViNGE="]
)
def test_every_spelling_of_a_secret_is_masked(spelling: str) -> None:
    assert Secret(CANARY).redact(f"key {spelling} is invalid") == "key *** is invalid"


def test_the_password_alone_is_masked_too() -> None:
    assert Secret("user:password1").redact("wrong password1") == "wrong ***"


def test_a_dummy_key_of_a_few_letters_garbles_no_message() -> None:
    assert Secret("x").redact("max_tokens exceeded") == "max_tokens exceeded"


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("HTTP://LocalHost:8000/v1/", "http://localhost:8000/v1"),
        ("https://host:443", "https://host"),
        ("http://host:80/V1//", "http://host/V1"),
        ("https://host:80", "https://host:80"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        (" https://user:secret-word@host/v1 ", "https://host/v1"),
        ("https://host/v1/chat/completions", "https://host/v1"),
        ("https://host/chat/completions/chat/completions/", "https://host"),
    ],
)
def test_one_server_has_one_spelling(url: str, normalized: str) -> None:
    assert normalized_base_url(url) == normalized
    assert normalized_base_url(normalized) == normalized
    assert endpoint_identity(url) == normalized


@pytest.mark.parametrize(
    ("url", "identity"),
    [
        ("https://api.deepseek.com", "deepseek"),
        ("https://api.deepseek.com/v1/", "deepseek"),
        ("https://API.deepseek.com:443", "deepseek"),
        ("https://api.openai.com/v1", "openai"),
        ("https://api.openai.com", "https://api.openai.com"),
        ("http://api.deepseek.com", "http://api.deepseek.com"),
        ("https://api.deepseek.com.evil.example/v1", "https://api.deepseek.com.evil.example/v1"),
    ],
)
def test_only_a_profiles_own_base_url_has_its_identity(url: str, identity: str) -> None:
    assert endpoint_identity(url) == identity
    assert (profile_of(url) is not None) == (identity in PROFILES)


def test_an_identity_is_a_name_where_it_always_was_one_and_else_an_address() -> None:
    named = {
        profile.name for profile in PROFILES.values() if endpoint_identity(profile) == profile.name
    }
    assert named == {"deepseek", "openai", "mock"}
    assert endpoint_identity(PROFILES["openrouter"]) == endpoint_identity(
        "https://openrouter.ai/api/v1/"
    )
    assert endpoint_identity(PROFILES["vllm"]) == "http://localhost:8000/v1"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host/v1",
        "ftp://host",
        "https://",
        "https://host:99999",
        "https://host:0",
        "https://host/v1?api-key=secret-word",
        "https://host/v1#secret-word",
        "https://secret-word@",
        "https://user:secret-word@host:port/v1",
        "https://ho st/",
        "https://[::1",
    ],
)
def test_what_is_no_base_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        normalized_base_url(url)
    assert "secret-word" not in str(caught.value)


@given(st.text(max_size=30).map(lambda text: f"https://{text}"))
def test_any_text_is_a_base_url_or_a_settings_error(url: str) -> None:
    try:
        normalized = normalized_base_url(url)
    except SettingsError:
        return
    assert normalized_base_url(normalized) == normalized


def test_a_key_goes_as_a_bearer_token() -> None:
    endpoint = profile_endpoint(PROFILES["deepseek"], api_key=Secret("sk-1234"))
    assert endpoint.authorization == Secret("Bearer sk-1234")
    assert (endpoint.identity, endpoint.base_url) == ("deepseek", "https://api.deepseek.com")


def test_a_password_in_the_base_url_goes_as_basic_auth_unless_there_is_a_key() -> None:
    url = "https://me:p%40ss@host/v1"
    assert base_url_endpoint(url, api_key=None).authorization == Secret("Basic bWU6cEBzcw==")
    assert base_url_endpoint(url, api_key=Secret("sk-1234")).authorization == Secret(
        "Bearer sk-1234"
    )


def test_without_key_and_password_there_is_no_authorization() -> None:
    assert base_url_endpoint("http://localhost:8000/v1", api_key=None).authorization is None


def test_a_base_url_of_a_known_service_speaks_its_dialect() -> None:
    assert base_url_endpoint("https://api.deepseek.com/v1", api_key=None).form.dialect == "deepseek"
    assert base_url_endpoint("http://localhost:8000/v1", api_key=None).form == OPENAI_FORM


@pytest.mark.parametrize(
    ("name", "model", "thinking", "noted"),
    [
        (None, "deepseek-flash", None, False),
        ("deepseek-flash", "deepseek-flash", None, False),
        ("deepseek-v4-pro", "deepseek-v4-pro", None, False),
        ("deepseek-reasoner", "deepseek-flash", True, True),
        ("deepseek-chat", "deepseek-flash", False, True),
        ("deepseek-v4-flash", "deepseek-flash", None, True),
    ],
)
def test_withdrawn_names_are_todays_names(
    name: str | None, model: str, thinking: bool | None, noted: bool
) -> None:
    for profile in (PROFILES["deepseek"], PROFILES["mock"]):
        resolved = resolve_model(profile, name)
        assert (resolved.model, resolved.thinking) == (model, thinking)
        assert (resolved.note is not None) == noted


def test_the_note_about_a_withdrawn_name_is_one_line_with_date_and_replacement() -> None:
    assert (
        resolve_model(PROFILES["deepseek"], "deepseek-reasoner").note
        == "deepseek-reasoner was withdrawn by the provider (2026-07-24): using deepseek-flash with"
        " thinking on"
    )


def test_names_of_other_services_are_taken_as_they_are() -> None:
    assert resolve_model(None, "deepseek-reasoner").model == "deepseek-reasoner"
    assert resolve_model(PROFILES["openai"], "deepseek-chat").model == "deepseek-chat"


@pytest.mark.parametrize("profile", [None, PROFILES["openai"]])
def test_without_a_default_the_model_must_be_named(profile: None) -> None:
    with pytest.raises(SettingsError, match="--model"):
        resolve_model(profile, None)


@pytest.mark.parametrize(
    ("given", "likely"),
    [
        ("http://h:1", ("http://h:1/v1",)),
        ("http://h:1/v1", ("http://h:1",)),
        ("http://h:1/v1/v1", ("http://h:1/v1",)),
        ("http://h:1/api", ("http://h:1/api/v1",)),
        ("http://h:1/v1/chat/completions", ("http://h:1/v1", "http://h:1")),
        ("http://h:1/chat/completions", ("http://h:1", "http://h:1/v1")),
    ],
)
def test_other_base_urls_may_have_been_meant(given: str, likely: tuple[str, ...]) -> None:
    assert likely_base_urls(given) == likely


@pytest.mark.parametrize(
    ("given", "note"),
    [
        ("http://h:1/v1", None),
        (
            "http://h:1/v1/chat/completions",
            "the base URL is taken without the path of the call: http://h:1/v1",
        ),
        (
            "http://h:1/v1/models/",
            (
                "the base URL http://h:1/v1/models ends in the path of a call, and most servers"
                " want http://h:1/v1"
            ),
        ),
        (
            "http://h:1/completions",
            (
                "the base URL http://h:1/completions ends in the path of a call, and most servers"
                " want http://h:1"
            ),
        ),
        (
            "http://h:1/",
            (
                "the base URL http://h:1 has no path, and most servers want http://h:1/v1; harness"
                " doctor finds out"
            ),
        ),
    ],
)
def test_a_base_url_that_is_not_what_servers_want_is_noted(given: str, note: str | None) -> None:
    assert note_on(given) == note


def test_headers_of_the_users_own_go_with_the_key_and_rule_over_it() -> None:
    endpoint = base_url_endpoint("http://h/v1", api_key=Secret("sk-1234"))
    assert endpoint.headers() == {"Authorization": "Bearer sk-1234"}
    assert base_url_endpoint("http://h/v1", api_key=None).headers() == {}
    more = replace(
        endpoint, extra_headers={"X-Team": Secret("blue"), "authorization": Secret("Token x")}
    )
    assert more.headers() == {"Authorization": "Token x", "X-Team": "blue"}


def test_a_base_url_may_be_given_a_form() -> None:
    form = PROFILES["vllm"].form
    assert base_url_endpoint("http://h/v1", api_key=None, form=form).form == form


def test_a_form_is_marked_where_it_is_not_that_of_its_address() -> None:
    vllm, groq = PROFILES["vllm"], PROFILES["groq"]
    assert form_mark(groq) == {}
    assert form_mark(vllm) == {"like": "vllm"}
    assert form_mark(replace(groq, form_of=None, form=OPENAI_FORM)) == {"like": "any"}
    mended = replace(groq.form, cap="max_tokens", stream_options=False, efforts={"low": "tiny"})
    assert form_mark(replace(groq, form=mended)) == {
        "cap": "max_tokens",
        "efforts": {"low": "tiny"},
    }


def test_an_old_name_of_deepseeks_is_only_that_at_deepseek() -> None:
    elsewhere = replace(PROFILES["deepseek"], base_url="http://h/v1", keyed_by_name=False)
    assert resolve_model(elsewhere, "deepseek-chat").model == "deepseek-chat"
