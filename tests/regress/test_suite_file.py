"""Reading a suite: what it may say, and how it is told what is wrong, by file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regress_cases import HEAD, a_suite

from harness.domain.step_options import StepOptions
from harness.errors import SuiteError
from harness.regress.suites.suite_file import load_suite
from harness.settings import load_settings

ONE = "[[check]]\ncontains = 'a'\n"


def refused(directory: Path, checks: str, *, head: str = HEAD) -> list[str]:
    """What is wrong with a suite, a line each, without the file's name."""
    with pytest.raises(SuiteError) as error:
        a_suite(directory, checks, head=head)
    return str(error.value).replace(f"{directory}/suite.toml", "").splitlines()


def test_paths_are_from_the_suite_on_and_the_golden_file_lies_beside_it(tmp_path: Path) -> None:
    suites = tmp_path / "tests" / "suites"
    suites.mkdir(parents=True)
    (tmp_path / "topics.jsonl").write_text("")
    path = suites / "research.toml"
    path.write_text(
        'dataset = "../../topics.jsonl"\ncassette = "../cassettes/research.jsonl.gz"\nsamples ='
        f" 5\n{ONE}"
    )
    suite = load_suite(path)
    assert suite.dataset == tmp_path / "topics.jsonl"
    assert suite.cassette == tmp_path / "tests" / "cassettes" / "research.jsonl.gz"
    assert suite.golden == suites / "research.golden.json"
    assert (suite.name, suite.samples) == ("research", 5)


def test_another_golden_file_may_be_named(tmp_path: Path) -> None:
    assert a_suite(tmp_path, ONE, head=f'golden = "g.json"\n{HEAD}').golden == tmp_path / "g.json"


def test_settings_are_those_of_a_run_with_the_tables_beside_them(tmp_path: Path) -> None:
    text = (
        'model = "deepseek-v4-pro"\nlimit = 3\nfilter = "lang=zh"\ntopic-field = "text"\nprompts ='
        ' "prompts.toml"\nworkflow = "flows.py:main"\n[steps.decompose]\nmax_tokens ='
        ' 4000\n[workflow]\nmin_questions = 2\n[prices."m"]\ninput = 1\noutput = 2\n'
    )
    suite = a_suite(tmp_path, f"{text}{ONE}")
    loaded = load_settings(suite.settings, environ={}).settings
    assert loaded.steps["decompose"].options() == StepOptions(max_tokens=4000)
    assert (loaded.endpoint, loaded.model, loaded.limit, loaded.filter) == (
        "mock",
        "deepseek-v4-pro",
        3,
        ("lang=zh",),
    )
    assert (loaded.topic_field, loaded.workflow_settings) == ("text", {"min_questions": 2})
    assert (loaded.prompts, loaded.workflow) == (
        tmp_path / "prompts.toml",
        f"{tmp_path}/flows.py:main",
    )
    assert suite.pricing.prices.keys() >= {"m", "deepseek-flash"}


def test_a_workflow_that_is_no_file_keeps_its_name(tmp_path: Path) -> None:
    assert (
        a_suite(tmp_path, f'workflow = "package.flows:main"\n{ONE}').settings["workflow"]
        == "package.flows:main"
    )


def test_every_suite_wants_topics_to_be_ok_unless_a_check_says_otherwise(tmp_path: Path) -> None:
    first, *_ = a_suite(tmp_path, ONE).checks
    assert (first.name, first.implied, first.expectations[0].wanted) == (
        "no topic failed",
        True,
        "status ok",
    )
    assert [
        check.implied
        for check in a_suite(tmp_path, "[[check]]\nstatus = ['ok', 'degraded']\n").checks
    ] == [False]


def test_names_are_made_from_what_is_expected_and_are_unique(tmp_path: Path) -> None:
    checks = (
        f"{ONE}{ONE}[[check]]\nstep = 'research'\nchars = {{ at_least = 1000 }}\nfinish_reason ="
        " 'stop'\n"
    )
    assert [check.name for check in a_suite(tmp_path, checks).checks[1:]] == [
        "output: contains 'a'",
        "output: contains 'a' (2)",
        "research: at least 1,000 characters, finish reason stop",
    ]


def test_a_made_name_is_cut_where_it_is_long(tmp_path: Path) -> None:
    name = (
        a_suite(tmp_path, f"[[check]]\ncontains = ['{'long ' * 40}', '{'more ' * 40}']\n")
        .checks[1]
        .name
    )
    assert len(name) == 80
    assert name.endswith("…")


def test_checks_know_their_lines(tmp_path: Path) -> None:
    assert [check.line for check in a_suite(tmp_path, f"{ONE}\n{ONE}").checks[1:]] == [5, 8]


@pytest.mark.parametrize(
    ("checks", "problem"),
    [
        ("", ":1: a suite without checks: it needs at least one table [[check]]"),
        (
            "[[check]]\n",
            ":5: the check expects nothing; give it contains, matches, citations or another",
        ),
        ("[[check]]\nname = 'x'\nstep = 'y'\n", ":5: the check expects nothing"),
        ("[[check]]\ncontain = 'a'\n", ":6: unknown setting 'contain'; did you mean 'contains'?"),
        (
            f"{ONE}[[check]]\nwords = {{ at_lest = 3 }}\n",
            ":8: unknown setting 'words.at_lest'; did you mean",
        ),
        ("[[check]]\ncontains = 3\n", ":6: contains = 3: must be a list of texts"),
        ("[[check]]\ncontains = ['a', 3]\n", ":6: contains.1 = 3: must be a text"),
        ("[[check]]\ncontains = []\n", ":6: contains = []: must not be empty"),
        ("[[check]]\ncontains = ''\n", ":6: contains.0 = '': must not be blank"),
        (
            "[[check]]\ncitations = false\n",
            ":6: citations = false: must be true; leave the line out",
        ),
        ("[[check]]\nchars = {}\n", ":6: chars = {}: must have at_least, at_most or both"),
        (
            "[[check]]\nchars = { at_least = 3, at_most = 2 }\n",
            "at_least = 3 is more than at_most = 2",
        ),
        ("[[check]]\nchars = 3\n", ":6: chars = 3: must be a table"),
        ("[[check]]\ntokens_at_most = -1\n", ":6: tokens_at_most = -1: must be at least 0"),
        ("[[check]]\ntokens_at_most = 1.5\n", ":6: tokens_at_most = 1.5: must be a whole number"),
        (
            "[[check]]\nstatus = 'failed'\n",
            ":6: status.0 = 'failed': must be one of ok or degraded",
        ),
        (
            "[[check]]\nmatches = '('\n",
            ":6: matches = '(': '(' is no regular expression: missing )",
        ),
        (
            "[[check]]\nmatches = 'a{99999999999}'\n",
            "is no regular expression: the repetition number is too large",
        ),
        ("[[check]]\npass_rate = 0\ncitations = true\n", ":6: pass_rate = 0: must be more than 0"),
        (
            '[[check]]\nname = "a\\nb"\ncitations = true\n',
            ":6: name = 'a\\nb': must be one line of text",
        ),
        (
            "[[check]]\nfinish_reason = 'stop'\n",
            ":6: finish_reason: a reason to stop is a call's; name its step",
        ),
        (
            "[[check]]\nstep = 'x'\nfinish_reason = 'stopp'\n",
            (
                ":7: finish_reason = 'stopp': no answer ends with 'stopp', but with stop or"
                " tool_calls; a call"
            ),
        ),
        (
            "[[check]]\nstep = 'x'\nfinish_reason = ['tool_calls', 'stop']\n",
            (
                ":7: finish_reason = ['tool_calls', 'stop']: could not fail: every answer ends with"
                " one of these"
            ),
        ),
        (
            "[[check]]\nstep = 'x'\ncitations = true\n",
            ":7: citations: it is the output that cites the sub-questions;",
        ),
        (
            "[[check]]\nwords = { at_least = 0 }\n",
            ":6: words = {'at_least': 0}: could not fail: nothing is less than 0",
        ),
        (
            "[[check]]\nquestions = { at_least = 0 }\n",
            ":6: questions = {'at_least': 0}: could not fail: nothing is less",
        ),
        (
            "[[check]]\nmatches = '.*'\n",
            ":6: matches = '.*': '.*' is found in every text, even in one without a word",
        ),
        ("[[check]]\nnot_matches = 'a|'\n", ":6: not_matches = 'a|': 'a|' is found in every text"),
        ("[[check]]\njudge = ' '\n", ":6: judge = ' ': must say what the text must be"),
        (
            "[[check]]\nstep = 'x'\nquestions = { at_least = 1 }\n",
            ":7: questions: sub-questions are of a topic;",
        ),
        (
            "[[check]]\nstep = 'x'\nstatus = 'ok'\n",
            ":7: status: a status is a topic's; leave 'step' out",
        ),
        (
            "[[check]]\nname = 'x'\ncontains = 'a'\n[[check]]\nname = 'x'\ncitations = true\n",
            "a check on line 5 has it",
        ),
        (
            "[[check]]\nname = 'no topic failed'\ncitations = true\n",
            ":6: name = 'no topic failed': every suite has a",
        ),
        ("[[checks]]\ncontains = 'a'\n", ":5: unknown setting 'checks'; did you mean 'check'?"),
        (
            "[check]\ncontains = 'a'\n",
            ":5: check = {'contains': 'a'}: must be tables, each under a line [[check]]",
        ),
        ("check = [3]\n", ":5: unknown setting 'check'"),
    ],
)
def test_a_check_that_cannot_be_is_refused_on_its_line(
    tmp_path: Path, checks: str, problem: str
) -> None:
    assert any(problem in line for line in refused(tmp_path, checks)), refused(tmp_path, checks)


def test_all_checks_that_are_wrong_are_told_at_once(tmp_path: Path) -> None:
    told = refused(tmp_path, f"[[check]]\ncontain = 'a'\n{ONE}[[check]]\nmatches = '('\n")
    assert [line.partition(": ")[0] for line in told] == [":6", ":10"]


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("", ":1: dataset is missing"),
        ('dataset = "topics.jsonl"\n', ":1: cassette is missing"),
        (
            'dataset = "none.jsonl"\ncassette = "c"\n',
            ":1: dataset = 'none.jsonl': there is no such file",
        ),
        (
            f'golden = "research.jsonl"\n{HEAD}',
            "research.jsonl': that is the cassette; name another file",
        ),
        (
            f'golden = "topics.jsonl"\n{HEAD}',
            "topics.jsonl': that is the dataset; name another file",
        ),
        ('dataset = "topics.jsonl"\ncassette = "topics.jsonl"\n', ":2: cassette = "),
        (
            'dataset = "topics.jsonl"\ncassette = "suite.toml"\n',
            "that is the suite itself; name another file",
        ),
        ('datset = "x"\n', ":1: unknown setting 'datset'; did you mean 'dataset'?"),
        (f"samples = 0\n{HEAD}", ":1: samples = 0: must be at least 1"),
        (f'{HEAD}modell = "x"\n', ":5: unknown setting 'modell'; did you mean 'model'?"),
        (f'{HEAD}endpoint = "x"\n', ":5: not valid TOML: cannot overwrite a value"),
        (
            f"{HEAD}in-flight = 3\n",
            ":5: 'in-flight' decides no answer, so it is no setting of a suite",
        ),
        (f"{HEAD}steps = 3\n", ":5: 'steps' is a table of its own in a suite: [steps]"),
        (
            f"{HEAD}samples = 3\n",
            ":5: 'samples' stands at the beginning of a suite, above [settings]",
        ),
        (f'{HEAD}id_field = "x"\nid-field = "x"\n', ":6: id-field is set twice"),
        (f"{HEAD}limit = -1\n", ":5: limit = -1: must be at least 1"),
        (
            f'{HEAD}base_url = "http://127.0.0.1/v1"\n',
            ":5: endpoint and base_url exclude each other",
        ),
        (
            f"{HEAD}[steps.decompose]\nmax_token = 3\n",
            ":6: unknown setting 'steps.decompose.max_token'; did you",
        ),
        (f"{HEAD}[steps.judge]\nmax_tokens = 3\n", ":5: options of the judge stand in [judge]"),
        (
            f"{HEAD}[judge]\nmodle = 'x'\n",
            ":6: unknown setting 'judge.modle'; did you mean 'model'?",
        ),
        (
            f"{HEAD}[judge]\nuser = '$text $criterium'\n",
            ":6: nobody fills the blank $criterium; did you mean",
        ),
        (f"{HEAD}[judge]\nuser = '$text'\n", ":6: the prompt must have the blank $criterion"),
        (
            f"{HEAD}[judge]\nuser = '$text $criterion'\n",
            ':6: the prompt must ask for JSON with a field "pass"',
        ),
        (
            f"{HEAD}[judge]\nuser = 'costs 3 $ $text'\n",
            ":6: the prompt 'judge' has a '$' that begins no name",
        ),
        (f"{HEAD}[prices.m]\ninput = 1\n", ":5: prices.m.output is missing"),
    ],
)
def test_a_suite_that_cannot_be_is_refused_on_its_line(
    tmp_path: Path, head: str, problem: str
) -> None:
    assert any(problem in line for line in refused(tmp_path, ONE, head=head)), refused(
        tmp_path, ONE, head=head
    )


def test_a_judge_may_have_a_prompt_and_a_model_of_its_own(tmp_path: Path) -> None:
    user = "'''Is \"$criterion\" true of this? Answer in JSON as {\"pass\": true}.\n$text'''"
    judge = a_suite(tmp_path, f"[judge]\nmodel = 'm'\nmax_tokens = 100\nuser = {user}\n{ONE}").judge
    assert judge.options == StepOptions(model="m", max_tokens=100)
    assert judge.prompt.system is None
    assert judge.prompt.render_user(
        {"criterion": "It rains", "topic": "", "text": "Drops."}
    ).startswith('Is "It rains" true of this?')


def test_names_of_checks_with_a_judge_must_differ_in_more_than_spaces(tmp_path: Path) -> None:
    checks = "".join(f"[[check]]\nname = '{name}'\njudge = 'Is it?'\n" for name in ("a b", "a/b"))
    assert refused(tmp_path, checks) == [
        ":8: name = 'a/b': too much like that of the check on line 5; names of checks with a judge"
        " must differ in more than spaces, '/' and '#'"
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="cannot be read"):
        load_suite(tmp_path / "none.toml")


KEYS = [
    "dataset",
    "cassette",
    "samples",
    "settings",
    "steps",
    "judge",
    "check",
    "prices",
    "workflow",
    "x",
]
VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text("ab'\n$(", max_size=4).map(repr))
    .map(str)
    .map(str.lower),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda each: f"[{', '.join(each)}]"),
        st.dictionaries(
            st.sampled_from(["contains", "name", "judge", "chars", "user"]), inner, max_size=2
        ).map(lambda each: f"{{{', '.join(f'{name} = {value}' for name, value in each.items())}}}"),
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), st.booleans())
def test_any_file_is_a_suite_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, str], whole: bool
) -> None:
    directory = tmp_path_factory.getbasetemp()
    text = "".join(f"{name} = {value}\n" for name, value in entries.items())
    if whole:
        text += "".join(
            f"{line}\n" for line in HEAD.splitlines() if line.partition(" ")[0] not in entries
        )
    for line in complaints(directory, ONE if "check" not in entries else "", text):
        assert re.match(rf"{re.escape(str(directory))}/any\.toml:\d+: ", line)


def complaints(directory: Path, checks: str, head: str) -> list[str]:
    try:
        a_suite(directory, checks, head=head, name="any.toml")
    except SuiteError as error:
        return str(error).splitlines()
    return []
