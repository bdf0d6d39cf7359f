"""Where settings come from, which source rules, and what each mistake is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from harness.errors import SettingsError
from harness.settings import Loaded, field_names, load_settings
from harness.settings.keywords import CallSettings, RunSettings
from harness.settings.model import scalar_names
from harness.settings.reference import settings_page
from harness.settings.write_keywords import keywords_module

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    toml: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Loaded:
    if toml is not None:
        Path("harness.toml").write_text(toml)
    return load_settings(flags or {}, environ=env or {}, flag_style=True)


def complaint(flags: Mapping[str, Any] | None = None, **sources: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(flags, **sources)
    return str(caught.value)


def test_a_flag_rules_over_the_environment_over_the_file_over_the_default() -> None:
    sources: dict[str, Any] = {
        "toml": "in_flight = 2\nper_run = 2\nruns = 2",
        "env": {"HARNESS_IN_FLIGHT": "3"},
    }
    loaded = load({"in_flight": "4"}, **sources)
    assert loaded.settings.in_flight == 4
    assert load(**sources).settings.in_flight == 3
    assert load(toml="in_flight = 2").settings.in_flight == 2
    assert load(toml="").settings.in_flight == 64


def test_each_value_knows_its_origin() -> None:
    loaded = load({"in_flight": "4"}, toml="runs = 2", env={"HARNESS_PER_RUN": "3"})
    origins = [loaded.origins[name] for name in ("in_flight", "per_run", "runs", "rpm")]
    assert origins == ["--in-flight", "$HARNESS_PER_RUN", "harness.toml", "default"]


def test_config_replaces_the_file_in_the_working_directory(tmp_path: Path) -> None:
    Path("harness.toml").write_text("in_flight = 2")
    Path("other.toml").write_text("runs = 5")
    settings = load_settings({}, config=Path("other.toml"), environ={}).settings
    assert (settings.in_flight, settings.runs) == (64, 5)
    assert load(env={"HARNESS_CONFIG": "other.toml"}).settings.runs == 5


def test_topics_at_once_follow_the_calls_in_flight_unless_somebody_says_how_many() -> None:
    assert load({"in_flight": "10"}).settings.limits().open_runs == 20
    assert load({"in_flight": "10", "runs": "7"}).settings.limits().open_runs == 7


def test_a_file_dotenv_counts_as_environment_and_the_real_one_rules_over_it() -> None:
    Path(".env").write_text("HARNESS_RUNS=5\nHARNESS_PER_RUN=6\n")
    loaded = load(env={"HARNESS_PER_RUN": "7"})
    assert (loaded.settings.runs, loaded.settings.per_run) == (5, 7)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(env={"HARNESS_MODEL": ""}).settings.model is None


def test_names_in_a_file_may_be_written_with_dashes() -> None:
    assert load(toml="in-flight = 7").settings.in_flight == 7


def test_a_run_that_is_continued_ignores_file_and_environment() -> None:
    Path("harness.toml").write_text("in_flight = 2")
    loaded = load_settings({"runs": 9}, base={"in_flight": 5}, environ={"HARNESS_PER_RUN": "3"})
    settings = loaded.settings
    assert (settings.in_flight, settings.per_run, settings.runs) == (5, 8, 9)
    assert loaded.origins["in_flight"] == "the run"


def test_a_table_workflow_may_name_it_and_holds_its_settings() -> None:
    settings = load(toml='[workflow]\nname = "mine:flow"\nwidth = 3').settings
    assert (settings.workflow, settings.workflow_settings) == ("mine:flow", {"width": 3})


def test_tables_of_steps_and_prices_are_read() -> None:
    settings = load(
        {"base_url": "http://h/v1", "model": "m"},
        toml="[steps.research]\nmax_tokens = 9\n[prices.m]\ninput = 1\noutput = 2",
    ).settings
    assert settings.steps["research"].options().max_tokens == 9
    assert settings.prices["m"].rates().cached_input == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("90s", 90.0), ("15m", 900.0), ("12h", 43_200.0), ("7d", 604_800.0)],
)
def test_times_may_have_a_unit(text: str, seconds: float) -> None:
    assert load({"ttl": text}).settings.ttl == seconds
    assert load(toml=f'ttl = "{text}"').settings.ttl == seconds


@pytest.mark.parametrize(
    ("text", "value"), [("on", True), ("off", False), ("1", True), ("No", False), ("TRUE", True)]
)
def test_a_switch_in_a_variable_takes_the_usual_words(text: str, value: bool) -> None:
    assert load(env={"HARNESS_THINKING": text}).settings.thinking is value


def test_one_filter_may_be_given_as_a_text() -> None:
    assert load(env={"HARNESS_FILTER": "a=1"}).settings.filter == ("a=1",)
    assert load(toml='filter = ["a=1", "b=2"]').settings.filter == ("a=1", "b=2")


@pytest.mark.parametrize(("text", "number"), [("5", 5), ("1", 1), ("off", None), (" OFF ", None)])
def test_a_bound_on_equal_failures_is_a_number_or_off(text: str, number: int | None) -> None:
    assert load({"max_failures": text}).settings.equal_failures() == number
    assert load(env={"HARNESS_MAX_FAILURES": text}).settings.equal_failures() == number
    assert (
        load(
            toml=f'max_failures = "{text}"' if number is None else f"max_failures = {text}"
        ).settings.equal_failures()
        == number
    )


BAD_FLAGS = [
    ({"max_failures": "0"}, "--max-failures 0: must be a whole number from 1 to 1,000,000, or off"),
    (
        {"max_failures": "never"},
        "--max-failures never: must be a whole number from 1 to 1,000,000, or off",
    ),
    ({"in_flight": "-3"}, "--in-flight -3: must be at least 1"),
    ({"in_flight": "0"}, "--in-flight 0: must be at least 1"),
    ({"in_flight": "1.5"}, "--in-flight 1.5: must be a whole number"),
    ({"in_flight": "nan"}, "--in-flight nan: must be a whole number"),
    ({"in_flight": "1e999"}, "--in-flight 1e999: must be a whole number"),
    ({"in_flight": "９"}, "--in-flight ９: must be a whole number"),
    ({"in_flight": "2000000"}, "--in-flight 2000000: must be at most 1,000,000"),
    ({"attempts": "7"}, "--attempts 7: must be at most 6"),
    ({"budget": "1e999"}, "--budget 1e999: must be a finite number"),
    ({"budget": "nan"}, "--budget nan: must be a finite number"),
    ({"budget": "-1"}, "--budget -1: must be more than 0"),
    ({"budget": "lots"}, "--budget lots: must be a number"),
    ({"budget_tokens": "0"}, "--budget-tokens 0: must be at least 1"),
    ({"ttl": "7y"}, "--ttl 7y: must be seconds, or a time such as 90s, 15m, 12h, 7d or 2w"),
    ({"ttl": "0"}, "--ttl 0: must be more than 0"),
    (
        {"idle_timeout": "-5"},
        "--idle-timeout -5: must be seconds, or a time such as 90s, 15m, 12h, 7d or 2w",
    ),
    ({"idle_timeout": "53w"}, "--idle-timeout 53w: must be at most 31,536,000"),
    ({"thinking": "perhaps"}, "--thinking perhaps: must be on or off"),
    ({"effort": "hi"}, "--effort hi: must be one of none, low, high or max"),
    (
        {"cache_mode": "repl"},
        "--cache-mode repl: must be one of off, read_write, refresh or replay",
    ),
    ({"seed": "-1"}, "--seed -1: must be at least 0"),
    ({"shuffle": "x"}, "--shuffle x: must be a whole number"),
    ({"model": ""}, "--model : must not be blank"),
    (
        {"endpoint": "mok"},
        (
            "--endpoint mok: no such profile; did you mean 'mock'?; any other server goes by its"
            " base_url"
        ),
    ),
    (
        {"base_url": "ftp://user:secret@h"},
        "--base-url: the base URL must be like https://host:8000/v1, with http or https and a host",
    ),
    (
        {"latency": "uniform:2:1"},
        "--latency uniform:2:1: latency 'uniform:2:1': LOW is greater than HIGH",
    ),
    (
        {"api_key_env": "KEY"},
        "--api-key-env: api_key_env goes with base_url: a profile names its own variable",
    ),
    (
        {"endpoint": "openai", "base_url": "http://h"},
        (
            "--endpoint and --base-url: endpoint and base_url exclude each other: a profile's key"
            " is never sent to another host; keep the one that you mean"
        ),
    ),
]


@pytest.mark.parametrize(
    ("flags", "message"), BAD_FLAGS, ids=[message[:40] for _, message in BAD_FLAGS]
)
def test_a_bad_flag_is_refused_by_its_name(flags: Mapping[str, str], message: str) -> None:
    assert complaint(flags) == message


BAD_FILES = [
    ("in_flight = -3", "harness.toml:1: in_flight = -3: must be at least 1"),
    ("\n\nin_flight = 1.0", "harness.toml:3: in_flight = 1.0: must be a whole number"),
    ('in_flight = "3"', "harness.toml:1: in_flight = '3': must be a whole number"),
    ("in_flight = true", "harness.toml:1: in_flight = true: must be a whole number"),
    ("budget = true", "harness.toml:1: budget = true: must be a number"),
    ("budget = nan", "harness.toml:1: budget: nan is no finite number"),
    ("budget = -inf", "harness.toml:1: budget: -inf is no finite number"),
    ("ttl = 2026-01-01", "harness.toml:1: ttl: a date or a time; write it as a text, in quotes"),
    ("stream = 1", "harness.toml:1: stream = 1: must be true or false"),
    ("model = 5", "harness.toml:1: model = 5: must be a text"),
    ("cache = 5", "harness.toml:1: cache = 5: must be the path of a file"),
    ("filter = 5", "harness.toml:1: filter = 5: must be a list of texts"),
    ("steps = 5", "harness.toml:1: steps = 5: must be a table"),
    ("in_fligt = 3", "harness.toml:1: unknown setting 'in_fligt'; did you mean 'in_flight'?"),
    (
        "zzzzz = 3",
        "harness.toml:1: unknown setting 'zzzzz'; `harness config` lists all that there are",
    ),
    (
        "workflow_settings = {}",
        "harness.toml:1: unknown setting 'workflow_settings'; did you mean 'workflow'?",
    ),
    ("in_flight = 1\nin-flight = 2", "harness.toml:2: in-flight is set twice, as in_flight too"),
    (
        "[steps.research]\n\nmax_tokns = 5",
        "harness.toml:3: unknown setting 'steps.research.max_tokns'; did you mean 'max_tokens'?",
    ),
    (
        "[steps.research]\nmax_tokens = 0",
        "harness.toml:2: steps.research.max_tokens = 0: must be at least 1",
    ),
    ("[steps]\nresearch = 5", "harness.toml:2: steps.research = 5: must be a table"),
    (
        "[prices.m]\ninput = -1\noutput = 1",
        "harness.toml:2: prices.m.input = -1: must be at least 0",
    ),
    ("[prices.m]\ninput = 1", "harness.toml:1: prices.m.output = {'input': 1}: is missing"),
    ("in_flight = \nruns = 1", "harness.toml:1: not valid TOML: invalid value, column 13"),
    ("a = 1\na = 2\nb = 1", "harness.toml:2: not valid TOML: cannot overwrite a value, column 6"),
    ('x = """', "harness.toml:1: not valid TOML: unterminated string, the end of the file"),
    (
        'endpoint = "openai"\nbase_url = "http://h"',
        (
            "harness.toml:1 and harness.toml:2: endpoint and base_url exclude each other: a"
            " profile's key is never sent to another host; keep the one that you mean"
        ),
    ),
]


@pytest.mark.parametrize(
    ("toml", "message"), BAD_FILES, ids=[message[13:50] for _, message in BAD_FILES]
)
def test_a_bad_file_is_refused_with_its_line(toml: str, message: str) -> None:
    assert complaint(toml=toml) == message


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert complaint({"in_flight": "0"}, toml="runs = 0\nrpm = 0").splitlines() == [
        "--in-flight 0: must be at least 1",
        "harness.toml:1: runs = 0: must be at least 1",
        "harness.toml:2: rpm = 0: must be at least 1",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfei\x00", "harness.toml:1: not UTF-8 (byte 0xff); save the file as UTF-8"),
        (b"a = 1\n\x80", "harness.toml:2: not UTF-8 (byte 0x80); save the file as UTF-8"),
        (
            b"#" * (4 * 2**20 + 1),
            "harness.toml: larger than 4 MiB; expected a TOML file of settings or prompts",
        ),
        (
            b"x = " + b"[" * 100_000,
            "harness.toml: nested too deeply for a file of settings or prompts",
        ),
    ],
    ids=["utf-16", "latin-1", "huge", "bomb"],
)
def test_a_file_of_another_kind_is_refused(content: bytes, message: str) -> None:
    Path("harness.toml").write_bytes(content)
    assert complaint() == message


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    Path("harness.toml").write_bytes(b"\xef\xbb\xbfin_flight = 3\r\nruns = 4\r\n")
    assert load().settings.runs == 4


def test_a_missing_or_unreadable_file_is_named() -> None:
    with pytest.raises(
        SettingsError,
        match=r"^nofile\.toml: cannot be read: No such file or directory; expected a TOML",
    ):
        load_settings({}, config=Path("nofile.toml"), environ={})
    with pytest.raises(SettingsError, match="Is a directory"):
        load_settings({}, config=Path(), environ={})


def test_a_bad_variable_is_refused_by_its_name() -> None:
    assert (
        complaint(env={"HARNESS_IN_FLIGHT": "abc"})
        == "$HARNESS_IN_FLIGHT = abc: must be a whole number"
    )


def test_a_variable_that_looks_like_a_slip_is_refused_and_a_stranger_is_only_noted() -> None:
    assert (
        complaint(env={"HARNESS_IN_FLIGH": "3"})
        == "$HARNESS_IN_FLIGH: unknown setting; did you mean $HARNESS_IN_FLIGHT?"
    )
    assert load(env={"HARNESS_BUILD_ID": "3"}).ignored == ("HARNESS_BUILD_ID",)


def test_a_dotenv_file_of_another_encoding_is_refused() -> None:
    Path(".env").write_bytes(b"\xff\xfe")
    assert complaint() == ".env: cannot be read as UTF-8 lines of NAME=value"


def test_from_python_a_setting_is_named_without_dashes() -> None:
    with pytest.raises(SettingsError, match=r"^given: in_flight = '3': must be a whole number$"):
        load_settings({"in_flight": "3"}, environ={})
    with pytest.raises(
        SettingsError, match=r"^unknown setting 'in_fligt'; did you mean 'in_flight'\?$"
    ):
        load_settings({"in_fligt": 3}, environ={})


# Who answers, and which key goes there.


def test_a_flag_endpoint_rules_over_a_base_url_of_the_file_and_its_key() -> None:
    toml = 'base_url = "http://h/v1"\napi_key_env = "A_KEY"'
    settings = load({"endpoint": "mock"}, toml=toml).settings
    assert (settings.endpoint, settings.base_url, settings.api_key_env) == ("mock", None, None)


def test_a_flag_base_url_rules_over_an_endpoint_of_the_file() -> None:
    settings = load({"base_url": "http://h/v1"}, toml='endpoint = "openai"').settings
    assert (settings.endpoint, settings.base_url) == (None, "http://h/v1")


def test_the_key_meant_for_one_base_url_never_goes_to_another() -> None:
    toml = 'base_url = "http://a/v1"\napi_key_env = "A_KEY"'
    loaded = load({"base_url": "http://b/v1"}, toml=toml, env={"A_KEY": "sk-of-a"})
    assert loaded.endpoint().api_key is None
    assert loaded.keys == {}


def test_a_key_variable_alone_in_the_file_goes_with_a_base_url_of_a_flag() -> None:
    loaded = load(
        {"base_url": "http://b/v1"}, toml='api_key_env = "B_KEY"', env={"B_KEY": "sk-of-b"}
    )
    key = loaded.endpoint().api_key
    assert key is not None
    assert key.reveal() == "sk-of-b"


@pytest.mark.parametrize(
    ("profile", "variable"), [("deepseek", "DEEPSEEK_API_KEY"), ("openai", "OPENAI_API_KEY")]
)
def test_a_profile_takes_the_key_of_its_own_variable_only(profile: str, variable: str) -> None:
    env = {
        "DEEPSEEK_API_KEY": "sk-deepseek",
        "OPENAI_API_KEY": "sk-openai",
        "HARNESS_API_KEY": "sk-any",
    }
    loaded = load({"endpoint": profile, "model": "m"}, env=env)
    key = loaded.endpoint().api_key
    assert key is not None
    assert key.reveal() == f"sk-{profile}"
    assert list(loaded.keys) == [variable]


def test_a_bare_base_url_takes_the_generic_key_or_none() -> None:
    flags = {"base_url": "http://h/v1", "model": "m"}
    env = {"DEEPSEEK_API_KEY": "sk-deepseek", "HARNESS_API_KEY": "sk-any\n"}
    key = load(flags, env=env).endpoint().api_key
    assert key is not None
    assert key.reveal() == "sk-any"
    assert load(flags, env={"DEEPSEEK_API_KEY": "sk-deepseek"}).endpoint().api_key is None


def test_the_key_of_a_profile_is_refused_for_another_host() -> None:
    flags = {"base_url": "http://h/v1", "model": "m", "api_key_env": "OPENAI_API_KEY"}
    loaded = load(flags, env={"OPENAI_API_KEY": "sk-openai"})
    with pytest.raises(
        SettingsError, match=r"that key is openai's and is never sent to another host"
    ):
        loaded.endpoint()


def test_the_key_may_stand_in_dotenv_with_a_dollar_sign_in_it() -> None:
    Path(".env").write_text('DEEPSEEK_API_KEY="sk-$HOME-${X}"\n')
    key = load().endpoint().api_key
    assert key is not None
    assert key.reveal() == "sk-$HOME-${X}"


def test_a_missing_key_says_where_to_put_it() -> None:
    with pytest.raises(
        SettingsError,
        match=r"no key for deepseek: set DEEPSEEK_API_KEY in the environment or in a file",
    ):
        load().endpoint()
    flags = {"base_url": "http://h/v1", "api_key_env": "MY_KEY"}
    with pytest.raises(SettingsError, match=r"the variable MY_KEY \(from api_key_env\) is not set"):
        load(flags).endpoint()


def test_a_key_that_cannot_be_sent_is_named_by_its_variable_and_never_shown() -> None:
    loaded = load(env={"DEEPSEEK_API_KEY": "sk-schlüssel"})
    with pytest.raises(SettingsError, match=r"^\$DEEPSEEK_API_KEY: ") as caught:
        loaded.endpoint()
    assert "schl" not in str(caught.value)
    assert (
        load({"endpoint": "mock"}, env={"DEEPSEEK_API_KEY": "sk-schlüssel"}).endpoint().identity
        == "mock"
    )


# What is written about the settings.


def test_the_page_of_settings_is_up_to_date() -> None:
    written = (ROOT / "docs" / "settings.md").read_text()
    assert written == settings_page(), (
        "run: python -m harness.settings.reference > docs/settings.md"
    )


def test_the_keyword_arguments_are_up_to_date() -> None:
    written = (ROOT / "harness" / "settings" / "keywords.py").read_text()
    assert written == keywords_module(), (
        "run: python -m harness.settings.write_keywords > harness/settings/keywords.py"
    )


def test_every_setting_is_a_keyword_argument_and_there_is_no_other() -> None:
    named = {*get_type_hints(RunSettings), "workflow"}
    assert named == set(field_names())
    assert get_type_hints(CallSettings).keys() < get_type_hints(RunSettings).keys()


def test_every_setting_stands_on_the_page_with_flag_and_variable() -> None:
    page = settings_page()
    for name in scalar_names():
        assert f"| `{name}` | `--" in page
        assert f"`HARNESS_{name.upper()}`" in page
    assert set(scalar_names()) < set(field_names())
