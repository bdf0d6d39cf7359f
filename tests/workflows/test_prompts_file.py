from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import PromptsError
from harness.workflows.prompts_file import check_blanks, read_prompts


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str) -> object:
    Path("p.toml").write_text(text)
    return read_prompts(Path("p.toml"))


def test_texts_options_and_settings_are_read() -> None:
    Path("p.toml").write_text(
        '[workflow]\nwidth = 3\n[ask]\nsystem = " Be brief. "\nuser = """\nAbout $topic\n"""\n'
        "max_tokens = 9\nthinking = false\n"
    )
    prompts = read_prompts(Path("p.toml"))
    assert prompts.settings == {"width": 3}
    ask = prompts["ask"]
    assert (ask.user, ask.system) == ("About $topic", "Be brief.")
    assert (ask.options.max_tokens, ask.options.thinking, ask.options.model) == (9, False, None)
    assert prompts.sha256 is not None
    assert len(prompts.sha256) == 64


BAD = [
    ("ask = 5", "p.toml: 'ask' must be a table with a text 'user', as in [ask]"),
    ("[ask]", "p.toml: [ask]: the text 'user' is missing or blank"),
    ('[ask]\nuser = " "', "p.toml: [ask]: the text 'user' is missing or blank"),
    ("[ask]\nuser = 5", "p.toml: [ask]: the text 'user' is missing or blank"),
    ('[ask]\nuser = "x"\nsystem = 5', "p.toml: [ask]: 'system' must be a text"),
    (
        '[ask]\nuser = "costs $5"',
        "p.toml: the prompt 'ask' has a '$' that begins no name; write '$$' for a dollar sign",
    ),
    (
        '[ask]\nuser = "x"\nmax_token = 5',
        "p.toml: [ask]: unknown setting 'max_token'; did you mean 'max_tokens'?",
    ),
    ('[ask]\nuser = "x"\nmax_tokens = 0', "p.toml: [ask]: max_tokens = 0: must be at least 1"),
    (
        '[ask]\nuser = "x"\nmax_tokens = "5"',
        "p.toml: [ask]: max_tokens = '5': must be a whole number",
    ),
    ('[ask]\nuser = "x"\ntemperature = 3', "p.toml: [ask]: temperature = 3: must be at most 2"),
    ('[ask]\nuser = "x"\ntop_p = 0', "p.toml: [ask]: top_p = 0: must be more than 0"),
    ('[ask]\nuser = "x"\nthinking = "on"', "p.toml: [ask]: thinking = 'on': must be true or false"),
    (
        '[ask]\nuser = "x"\neffort = "hi"',
        "p.toml: [ask]: effort = 'hi': must be one of none, low, high or max",
    ),
    ('[ask]\nuser = "x"\nmodel = ""', "p.toml: [ask]: model = '': must not be blank"),
    ("workflow = 5", "p.toml: [workflow] must be a table of the workflow's settings"),
    (
        "[workflow]\nsince = 2026-01-01",
        "p.toml:2: workflow.since: a date or a time; write it as a text, in quotes",
    ),
    (
        "[ask\n",
        "p.toml:1: not valid TOML: expected ']' at the end of a table declaration, column 5",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message[:50] for _, message in BAD])
def test_a_bad_prompts_file_is_refused_with_its_table(text: str, message: str) -> None:
    with pytest.raises(PromptsError) as caught:
        read(text)
    assert str(caught.value) == message


def test_the_blanks_of_a_workflow_must_be_filled_and_its_prompts_there() -> None:
    Path("p.toml").write_text('[ask]\nuser = "About $topci"\n')
    prompts = read_prompts(Path("p.toml"))
    with pytest.raises(
        PromptsError, match=r"^p: \[ask\]: nobody fills the blank \$topci; did you mean 'topic'\?$"
    ):
        check_blanks("p", prompts, {"ask": frozenset({"topic"})})
    with pytest.raises(
        PromptsError, match=r"^p: the table \[sum\] is missing; the workflow needs ask, sum$"
    ):
        check_blanks("p", prompts, {"ask": frozenset({"topci"}), "sum": frozenset()})
