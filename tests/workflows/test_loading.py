"""Finding a user's workflow, whatever it looks like, and what each mistake is answered with."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InputError, PromptsError, WorkflowError
from harness.workflows.loading import LoadedWorkflow, load_workflow

FLOW = "async def flow(step, topic):\n    return topic.text\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def load(
    name: str, settings: Mapping[str, Any] | None = None, prompts: str | None = None
) -> LoadedWorkflow:
    return load_workflow(
        name, prompts_file=Path(prompts) if prompts else None, settings=settings or {}
    )


@pytest.mark.parametrize(
    "name", ["flows.py:flow", "flows:flow", "my flows-1.py:flow", "deep/down/flows.py:flow"]
)
def test_a_workflow_is_found_by_file_and_by_module(name: str) -> None:
    file = name.partition(":")[0]
    write({file if file.endswith(".py") else "flows.py": FLOW})
    assert load(name).function.__name__ == "flow"


@pytest.mark.parametrize(
    ("name", "file", "directory"),
    [
        ("flows.py:flow", "flows.py", "."),
        ("deep/down/flows.py:flow", "deep/down/flows.py", "deep/down"),
        ("flows:flow", "flows.py", "."),
        ("mine.deep.flows:flow", "mine/deep/flows.py", "mine"),
        ("mine.deep:flow", "mine/deep/__init__.py", "mine"),
    ],
)
def test_the_files_of_a_workflow_are_those_beside_it_or_of_its_package(
    name: str, file: str, directory: str
) -> None:
    write({file: FLOW, "mine/__init__.py": ""})
    assert load(name).own_files == (str(Path(file).absolute()), str(Path(directory).absolute()))


def test_the_files_of_the_built_in_workflow_are_not_those_of_the_whole_package() -> None:
    file, directory = load("research").own_files
    assert (Path(file).name, Path(directory).name) == ("research.py", "workflows")


def test_a_workflow_file_may_import_what_lies_beside_it() -> None:
    write(
        {
            "a/flows.py": f"from helper_of_flows import up\n{FLOW}",
            "a/helper_of_flows.py": "def up(s): return s",
        }
    )
    assert load("a/flows.py:flow").name == "a/flows.py:flow"


def test_two_files_of_one_name_are_two_workflows() -> None:
    write({"a/flows.py": FLOW + "WHICH = 'a'", "b/flows.py": FLOW + "WHICH = 'b'"})
    first, second = load("a/flows.py:flow"), load("b/flows.py:flow")
    assert [one.function.__globals__["WHICH"] for one in (first, second)] == ["a", "b"]
    assert first.code_sha256 != second.code_sha256


@pytest.mark.parametrize(
    "code",
    [
        "class Flow:\n    async def __call__(self, step, topic): ...\nflow = Flow()",
        (
            "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def g(*a): return f(*a)\n"
            "    return g\n@deco\nasync def flow(step, topic): ..."
        ),
        (
            "import functools\nasync def long(way, step, topic): ...\nflow ="
            " functools.partial(long, 1)"
        ),
        "async def flow(step, topic, *, deeper=False): ...",
        "async def flow(*both): ...",
    ],
    ids=["an object", "decorated", "partial", "with defaults", "star"],
)
def test_what_can_be_awaited_with_a_step_and_a_topic_is_a_workflow(code: str) -> None:
    write({"flows.py": code})
    assert callable(load("flows.py:flow").function)


BAD = [
    ("nofile.py:flow", "", "nofile.py: there is no such workflow file"),
    ("flows.py", FLOW, "flows.py is a file; name its function too, as in flows.py:flows"),
    (
        "reserch",
        FLOW,
        (
            "no workflow 'reserch'; did you mean 'research'?; your own is given as module:function"
            " or path.py:function"
        ),
    ),
    (
        ":flow",
        FLOW,
        (
            "no workflow ':flow'; known: research; your own is given as module:function or"
            " path.py:function"
        ),
    ),
    ("flows.py:flw", FLOW, "flows.py has no function 'flw'; did you mean 'flow'?"),
    ("flows.py:flow", "x = 1", "flows.py has no function 'flow'; it has no async function at all"),
    (
        "flows.py:flow",
        "def flow(step, topic): ...",
        "flows.py:flow must be an async function: async def flow(step, topic): ...",
    ),
    (
        "flows.py:flow",
        "flow = 5",
        "flows.py:flow must be an async function: async def flow(step, topic): ...",
    ),
    (
        "flows.py:flow",
        "async def flow(step): ...",
        (
            "flows.py:flow must take two arguments, a step and a topic: async def flow(step,"
            " topic): ..."
        ),
    ),
    (
        "flows.py:Flow",
        "class Flow:\n    async def __call__(self, step, topic): ...",
        (
            "flows.py:Flow is a class; give an async function, or an object of that class that is"
            " awaited"
        ),
    ),
    (
        "flows.py:flow",
        "import nothere",
        "flows.py: the workflow cannot be imported: No module named 'nothere'",
    ),
    (
        "flows.py:flow",
        "1 / 0",
        "flows.py: the workflow cannot be imported: ZeroDivisionError: division by zero",
    ),
    (
        "flows.py:flow",
        "import sys; sys.exit()",
        "flows.py: the workflow ends the program when it is imported (sys.exit)",
    ),
    (
        "flows.py:flow",
        "from . import helpers",
        (
            "flows.py: the workflow cannot be imported: attempted relative import with no known"
            " parent package; in a file given by its path, import files beside it by their plain"
            " names: from helpers import x"
        ),
    ),
    ("nowhere:flow", "", "nowhere: the workflow cannot be imported: No module named 'nowhere'"),
    (
        ".flows:flow",
        FLOW,
        ".flows: a workflow's module is named in full, as package.module:function",
    ),
    ("json:loads", "", "json:loads must be an async function: async def loads(step, topic): ..."),
]


@pytest.mark.parametrize(
    ("name", "code", "message"), BAD, ids=[message[:45] for *_, message in BAD]
)
def test_what_is_no_workflow_is_refused_in_words(name: str, code: str, message: str) -> None:
    if code:
        write({"flows.py": code})
    with pytest.raises(WorkflowError) as caught:
        load(name)
    assert str(caught.value) == message


def test_a_syntax_error_is_named_by_file_and_line() -> None:
    write({"flows.py": "x = 1\nasync def flow(:\n"})
    with pytest.raises(
        WorkflowError, match=r"flows\.py:2: the workflow is not valid Python: invalid syntax"
    ):
        load("flows.py:flow")


PROMPTS = '[workflow]\nwidth = 3\n[ask]\nuser = "About $topic"\n'


def test_prompts_beside_the_workflow_are_its_prompts_and_a_file_replaces_them() -> None:
    write({"flows.py": FLOW, "flows.toml": PROMPTS, "other.toml": '[ask]\nuser = "Other"'})
    assert load("flows.py:flow").prompts["ask"].user == "About $topic"
    assert load("flows.py:flow").settings == {"width": 3}
    assert load("flows.py:flow", prompts="other.toml").prompts["ask"].user == "Other"


def test_the_users_settings_rule_over_those_of_the_prompts_file() -> None:
    write({"flows.py": FLOW, "flows.toml": PROMPTS})
    assert load("flows.py:flow", {"width": 5}).settings == {"width": 5}


BAD_TOGETHER: list[tuple[dict[str, str], dict[str, Any], str]] = [
    (
        {"flows.toml": PROMPTS},
        {"widht": 5},
        "settings: [workflow]: unknown setting 'widht'; did you mean 'width'?",
    ),
    (
        {},
        {"width": 5},
        (
            "settings: [workflow] has 'width', but the workflow flows.py:flow has no settings; it"
            " can name them in a table [workflow] of its prompts file, or offer a function"
            " check_settings"
        ),
    ),
    (
        {"flows.py": FLOW + "FILLS = {'ask': ['subject']}", "flows.toml": PROMPTS},
        {},
        "flows.toml: [ask]: nobody fills the blank $topic; known: subject",
    ),
    (
        {"flows.py": FLOW + "FILLS = {'ask': ['topic'], 'sum': []}", "flows.toml": PROMPTS},
        {},
        "flows.toml: the table [sum] is missing; the workflow needs ask, sum",
    ),
    (
        {
            "flows.py": (
                FLOW + "def check_settings(table):\n    raise ValueError('width is too wide')"
            )
        },
        {"width": 5},
        "settings: [workflow]: width is too wide",
    ),
]


@pytest.mark.parametrize(
    ("files", "settings", "message"), BAD_TOGETHER, ids=[m[:40] for *_, m in BAD_TOGETHER]
)
def test_prompts_settings_and_workflow_must_fit(
    files: dict[str, str], settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write({"flows.py": FLOW, **files})
    with pytest.raises(InputError) as caught:
        load("flows.py:flow", settings)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message


def test_research_is_built_in_and_checks_its_settings() -> None:
    assert load("research", {"max_questions": 4}).settings["max_questions"] == 4
    with pytest.raises(
        PromptsError, match=r"^settings: \[workflow\]: max_questions = 99 must be a whole number"
    ):
        load("research", {"max_questions": 99})
