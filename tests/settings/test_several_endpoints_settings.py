"""Settings of a run that asks several endpoints: whose key, whose limits, whose prices, whose
form.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.domain.policy import Limits
from harness.errors import SettingsError
from harness.settings import Loaded, load_settings

TOML = """\
endpoint = "deepseek"

[steps.decompose]
endpoint = "local"

[endpoints.local]
base_url = "http://gpu:8000/v1"
api_key_env = "GPU_KEY"
model = "tiny"
in_flight = 2
rpm = 60
extra_body = { top_k = 40 }
extra_headers = { X-Pass = "$GPU_PASS" }
prices = { tiny = { input = 1, output = 1 } }
"""
ENV = {
    "DEEPSEEK_API_KEY": "sk-deepseek",
    "GPU_KEY": "sk-gpu",
    "GPU_PASS": "pass-gpu",
    "OPENAI_API_KEY": "sk-openai",
}


@pytest.fixture(autouse=True)
def _an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(
    toml: str = TOML, flags: Mapping[str, Any] | None = None, *, env: Mapping[str, str] = ENV
) -> Loaded:
    Path("harness.toml").write_text(toml)
    return load_settings(flags or {}, environ=env, flag_style=True)


def complaint(toml: str, flags: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(toml, flags)
    return str(caught.value)


def test_each_endpoint_is_given_its_own_key_and_headers_and_no_other() -> None:
    loaded = load()
    own, local = loaded.endpoint(), loaded.endpoint("local")
    assert own.headers() == {"Authorization": "Bearer sk-deepseek"}
    assert local.headers() == {"Authorization": "Bearer sk-gpu", "X-Pass": "pass-gpu"}
    assert (own.name, local.name) == (None, "local")


def test_what_was_given_to_any_endpoint_is_masked_and_the_keyring_shows_nothing() -> None:
    loaded = load()
    loaded.endpoint("local")
    loaded.endpoint()
    assert loaded.keyring.redact("sk-gpu pass-gpu sk-deepseek sk-openai").split()[3:] == [
        "sk-openai"
    ]
    assert "sk-" not in loaded.keyring.redact("sk-gpu pass-gpu sk-deepseek")
    assert not any(value in repr(loaded) for value in ENV.values())


def test_the_key_of_a_service_is_refused_for_an_endpoint_of_a_step_elsewhere() -> None:
    loaded = load(TOML.replace("GPU_KEY", "OPENAI_API_KEY"))
    with pytest.raises(
        SettingsError, match="that key is openai's and is never sent to another host"
    ):
        loaded.endpoint("local")
    assert loaded.endpoint().api_key is not None


def test_a_base_url_of_the_run_gives_its_key_to_no_step_elsewhere() -> None:
    toml = TOML.replace('endpoint = "deepseek"\n', 'base_url = "http://own/v1"\nmodel = "m"\n', 1)
    loaded = load(toml, env={"HARNESS_API_KEY": "sk-own", "GPU_PASS": "pass"})
    assert loaded.endpoint().headers() == {"Authorization": "Bearer sk-own"}
    with pytest.raises(
        SettingsError, match="no key for local, which step decompose asks: set GPU_KEY"
    ):
        loaded.endpoint("local", steps=("decompose",))
    with pytest.raises(SettingsError, match="no key for local, which the steps a, b ask"):
        loaded.endpoint("local", steps=("a", "b"))


def test_a_header_whose_variable_is_not_set_is_named_with_the_endpoint_and_the_step() -> None:
    said = (
        "local, which step decompose asks: the variable GPU_PASS .from extra_headers.X-Pass. is"
        " not set"
    )
    with pytest.raises(SettingsError, match=said):
        load(env={"GPU_KEY": "sk-gpu"}).endpoint("local", steps=("decompose",))


def test_limits_are_each_endpoints_within_those_of_the_run() -> None:
    loaded = load(flags={"in_flight": 16, "rpm": 5})
    assert loaded.limits_at() == Limits(in_flight=16, requests_per_minute=5)
    assert loaded.limits_at("local") == Limits(in_flight=2, requests_per_minute=60)
    assert loaded.limits_at("vllm") == Limits(in_flight=16)


def test_what_the_table_of_the_runs_own_endpoint_says_is_not_the_runs_among_several() -> None:
    turned = TOML.replace('endpoint = "deepseek"', 'endpoint = "local"', 1).replace(
        '[steps.decompose]\nendpoint = "local"', '[steps.decompose]\nendpoint = "deepseek"'
    )
    alone, several = load(turned), load(turned).among_several()
    assert alone.settings.in_flight == 2
    assert several.settings.in_flight == 64
    assert several.limits_at().in_flight == 2
    assert several.limits_at("deepseek") == Limits(in_flight=64)
    said = load(turned, {"in_flight": 8}).among_several()
    assert (said.settings.in_flight, said.limits_at().in_flight) == (8, 8)


def test_prices_are_each_endpoints() -> None:
    pricing = load(TOML + '\n[prices."m"]\ninput = 5\noutput = 5\n').settings.pricing()
    assert set(pricing.prices) == {"deepseek-flash", "deepseek-v4-pro", "m"}
    assert set(pricing.at("http://gpu:8000/v1").prices) == {"tiny"}
    assert pricing.at("openai").prices == {}


def test_defaults_are_each_endpoints() -> None:
    settings = load().settings
    own, local = settings.defaults(), settings.defaults("local")
    assert (own.model, dict(own.extra_body)) == ("deepseek-flash", {})
    assert (local.model, dict(local.extra_body)) == ("tiny", {"top_k": 40})
    assert settings.defaults("vllm").model is None


def test_what_a_step_would_not_be_told_is_an_error_that_names_the_endpoint_and_its_table() -> None:
    toml = TOML.replace('endpoint = "local"\n', 'endpoint = "local"\nthinking = true\n', 1)
    said = complaint(toml)
    assert said.startswith("harness.toml:5: thinking on would not be sent to local: ")
    assert "[endpoints.local] thinking=FIELD" in said
    assert "--set" not in said


def test_what_the_run_is_set_to_must_reach_the_endpoints_of_its_steps_too() -> None:
    said = complaint(TOML, {"thinking": True})
    assert said.startswith("--thinking: thinking on would not be sent to local: ")


def test_what_the_command_line_mends_is_the_runs_own_endpoint_only() -> None:
    settings = load(flags={"set": ("endpoint.cap=max_completion_tokens",)}).settings
    assert settings.service.form.cap == "max_completion_tokens"
    assert settings.service_at("local").form.cap == "max_tokens"
    # It is the run's own.
    assert settings.service_at("deepseek").form.cap == "max_completion_tokens"
