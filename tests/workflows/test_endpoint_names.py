"""Which endpoints a workflow names, as its source tells them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from harness.workflows.endpoint_names import endpoint_names

HEAD = "from dataclasses import replace\nfrom harness import StepOptions\n"


def names_in(tmp_path: Path, source: str) -> dict[str, tuple[str, ...]]:
    file = tmp_path / "flow_of_test.py"
    file.write_text(HEAD + source)
    spec = importlib.util.spec_from_file_location("flow_of_test", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return endpoint_names(module)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "async def flow(step, topic):\n"
            '    await step.complete("plan", "x", options=StepOptions(endpoint="local"))\n',
            {"local": ("plan",)},
        ),
        (
            'A = StepOptions(endpoint="local")\n'
            "async def flow(step, topic):\n"
            '    await step.complete("plan", "x", options=A)\n'
            '    await step.complete("draft", "x", options=A)\n',
            {"local": ("draft", "plan")},
        ),
        (
            'WHERE = "local"\n'
            "async def flow(step, topic):\n"
            '    options = StepOptions(endpoint=WHERE if topic.index else "deepseek")\n'
            '    await step.complete("plan", "x", options=options)\n',
            {"local": (), "deepseek": ()},
        ),
        (
            "async def flow(step, topic):\n"
            '    options = replace(step.prompts["plan"].options, endpoint="local")\n'
            '    await step.complete("plan", "x", options=options)\n',
            {"local": ()},
        ),
        ("import harness\nA = harness.StepOptions(endpoint='local')\n", {"local": ()}),
        ("A = StepOptions(endpoint=str(5))\nasync def flow(step, topic): ...\n", {}),
        ("class Other:\n    def __init__(self, endpoint): ...\nA = Other(endpoint='local')\n", {}),
        ("ENDPOINTS = ('local', 'deepseek')\n", {"local": (), "deepseek": ()}),
        ("ENDPOINTS = 'local'\n", {}),
        ("async def flow(step, topic):\n    await step.complete('plan', 'x')\n", {}),
    ],
    ids=[
        *("in the call", "a constant of the module", "a choice", "replaced", "by the package"),
        *("put together", "another class", "declared", "no list", "none"),
    ],
)
def test_the_names_are_read_with_the_steps_that_ask(
    tmp_path: Path, source: str, expected: dict[str, tuple[str, ...]]
) -> None:
    assert names_in(tmp_path, source) == expected
