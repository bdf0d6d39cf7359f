"""Options for a step that the workflow does not have are refused; a step that it may have never
is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness.errors import SettingsError
from harness.workflows.loading import LoadedWorkflow, load_workflow

TWO = (
    "async def flow(step, topic):\n    a = await step.complete('plan', topic.text)\n    return"
    " await {second}\n"
)


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


def load(name: str, *steps: str) -> LoadedWorkflow:
    places = {step: f"harness.toml:{number}" for number, step in enumerate(steps, start=1)}
    return load_workflow(name, prompts_file=None, settings={}, steps=places)


def test_a_step_that_research_does_not_have_is_refused_with_its_place_and_the_nearest_name() -> (
    None
):
    with pytest.raises(SettingsError) as refused:
        load("research", "decompose", "reserch", "nonsense")
    assert str(refused.value).splitlines() == [
        (
            "harness.toml:2: [steps.reserch]: the workflow research has no step 'reserch'; did you"
            " mean 'research'?"
        ),
        (
            "harness.toml:3: [steps.nonsense]: the workflow research has no step 'nonsense'; "
            "known: decompose, research, synthesize"
        ),
    ]


def test_the_steps_of_research_are_all_known() -> None:
    loaded = load("research", "decompose", "research", "synthesize")
    assert loaded.steps.all_known
    assert loaded.steps.names == {"decompose", "research", "synthesize"}


def test_the_prompt_of_a_second_turn_is_no_step() -> None:
    with pytest.raises(SettingsError, match="no step 'decompose_again'; did you mean 'decompose'"):
        load("research", "decompose_again")


READABLE = {
    "a text": "step.complete('draft', a.content)",
    "by its keyword": "step.complete(prompt=a.content, name='draft')",
    "a choice": "step.complete('draft' if a.content else 'give_up', a.content)",
    "a constant": "step.complete(DRAFT, a.content)\nDRAFT = 'draft'",
    "an annotated constant": "step.complete(DRAFT, a.content)\nDRAFT: str = 'draft'",
}


@pytest.mark.parametrize("second", READABLE.values(), ids=READABLE)
def test_a_typo_is_found_where_all_names_stand_in_the_source(second: str) -> None:
    write({"flows.py": TWO.format(second=second)})
    assert load("flows.py:flow", "plan", "draft").steps.all_known
    with pytest.raises(SettingsError, match="has no step 'darft'; did you mean 'draft'"):
        load("flows.py:flow", "darft")


UNREADABLE = {
    "put together": "step.complete(f'draft{1}', a.content)",
    "a variable": "step.complete(topic.metadata['step'], a.content)",
    "a constant that changes": "step.complete(DRAFT, a.content)\nDRAFT = 'other'\nDRAFT = 'draft'",
    "a constant that a parameter hides": (
        "step.complete(DRAFT, a.content)\nDRAFT = 'x'\ndef f(DRAFT): ..."
    ),
    "unpacked": "step.complete(*['draft', a.content])",
    "in other hands": "__import__('functools').partial(step.complete, 'draft')(a.content)",
    "kept for later": "later(step.complete)\nasync def later(ask): return await ask('draft', 'x')",
    "by getattr": "getattr(step, 'complete')('draft', a.content)",
    "by a getattr of anything": "getattr(step, str(a.content))('draft', a.content)",
    "by a module that imports": "step.child('x').prompts\nimport importlib",
    "evaluated": "eval('step.com' + 'plete(\"draft\", a.content)')",
}


@pytest.mark.parametrize("second", UNREADABLE.values(), ids=UNREADABLE)
def test_no_step_is_refused_where_some_name_cannot_be_read(second: str) -> None:
    write({"flows.py": TWO.format(second=second)})
    loaded = load("flows.py:flow", "plan", "draft")
    assert not loaded.steps.all_known
    assert "plan" in loaded.steps.names


def test_what_cannot_be_told_is_said_with_the_nearest_name() -> None:
    write({"flows.py": TWO.format(second="step.complete(topic.id, 'x')")})
    assert load("flows.py:flow").strange_steps(["plan", "plann"]) == {
        "plann": (
            "it cannot be told whether the workflow flows.py:flow has a step 'plann'; did you mean"
            " 'plan'?; a line `STEPS = (\"name\", …)` in its file would say which there are"
        )
    }


def test_a_table_of_the_prompts_file_may_be_a_step_where_names_cannot_be_read() -> None:
    write(
        {
            "flows.py": TWO.format(second="step.complete(topic.id, 'x')"),
            "flows.toml": "[draft]\nuser = 'x'\n",
        }
    )
    assert load("flows.py:flow").strange_steps(["draft"]) == {}


def test_a_workflow_may_name_its_steps_itself() -> None:
    write(
        {"flows.py": TWO.format(second="step.complete(topic.id, 'x')\nSTEPS = ('plan', 'draft')")}
    )
    load("flows.py:flow", "plan", "draft")
    with pytest.raises(SettingsError, match="no step 'drafts'; did you mean 'draft'"):
        load("flows.py:flow", "drafts")


@pytest.mark.parametrize("how", ["from parts import draft", "import parts\ndraft = parts.draft"])
def test_the_steps_of_files_beside_the_workflow_are_read(how: str) -> None:
    write(
        {
            "deep/flows.py": f"{how}\n" + TWO.format(second="draft(step)"),
            "deep/parts.py": (
                "async def draft(step):\n    return await step.complete('draft', 'x')\n"
            ),
        }
    )
    assert load("deep/flows.py:flow", "plan", "draft").steps.all_known
    with pytest.raises(SettingsError, match="no step 'darft'"):
        load("deep/flows.py:flow", "darft")


def test_the_steps_of_a_package_are_read() -> None:
    write(
        {
            "own_pack/__init__.py": "",
            "own_pack/flows.py": "from .parts import draft\n" + TWO.format(second="draft(step)"),
            "own_pack/parts.py": (
                "from . import names\nasync def draft(step):\n"
                "    return await step.complete('draft', 'x')\n"
            ),
            "own_pack/names.py": "",
        }
    )
    assert load("own_pack.flows:flow", "plan", "draft").steps.names == {"plan", "draft"}


def test_the_steps_of_research_belong_to_a_workflow_that_uses_it() -> None:
    write(
        {
            "flows.py": (
                "from harness.workflows.research import research\n"
                + TWO.format(second="research(step, topic)")
            )
        }
    )
    loaded = load("flows.py:flow", "plan", "synthesize")
    assert loaded.steps.names == {"plan", "decompose", "research", "synthesize"}


def test_a_package_of_somebody_else_may_ask_too() -> None:
    write(
        {
            "flows.py": "from asking import draft\n" + TWO.format(second="draft(step)"),
            "lib/site-packages/asking.py": (
                "async def draft(step):\n    return await step.complete('draft', 'x')\n"
            ),
        }
    )
    sys.path.insert(0, str(Path("lib/site-packages").resolve()))
    assert not load("flows.py:flow", "draft").steps.all_known


def test_a_workflow_that_asks_nothing_itself_refuses_no_step() -> None:
    write({"flows.py": "async def flow(step, topic):\n    return topic.text\n"})
    assert not load("flows.py:flow", "draft").steps.all_known
