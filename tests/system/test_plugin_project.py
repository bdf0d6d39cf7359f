"""A project that merely installs this package has the pytest plugin: its own tests, in an
environment of their own.

See `environments` for machines without a package registry.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest
from environments import install, need_registry

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PROJECT = {
    "pyproject.toml": (
        """
        [tool.pytest.ini_options]
        asyncio_mode = "auto"
        asyncio_default_fixture_loop_scope = "function"
        filterwarnings = ["error"]
        addopts = "--strict-markers --strict-config -p no:cacheprovider"
        """
    ),
    "titles.py": (
        """
        from openai import AsyncOpenAI

        async def title_of(text):
            async with AsyncOpenAI(api_key="sk-any", base_url="https://api.deepseek.com", max_retries=1) as client:
                asked = [{"role": "user", "content": f"A title for: {text}"}]
                answer = await client.chat.completions.create(model="deepseek-flash", messages=asked)
            return answer.choices[0].message.content

        async def summary(step, topic):
            return (await step.complete("summary", f"In a sentence: {topic.text}")).content
        """
    ),
    "tests/conftest.py": (
        """
        import sys
        from pathlib import Path

        sys.path.insert(0, str(Path(__file__).parents[1]))
        """
    ),
    "tests/test_titles.py": (
        """
        import asyncio

        import harness
        import pytest
        from titles import summary, title_of

        async def test_the_openai_client(mock_deepseek):
            mock_deepseek.fail(429, retry_after=0).reply("On Tides")
            assert await title_of("the sea") == "On Tides"
            assert [call.status for call in mock_deepseek.calls] == [429, 200]

        async def test_calls_of_the_package(mock_deepseek, virtual_time):
            mock_deepseek.reply("Rayleigh.", after_s=200)
            assert (await harness.ask("Why is the sky blue?")).content == "Rayleigh."
            assert virtual_time.now_s == 200

        @pytest.mark.harness_virtual_time
        async def test_a_night():
            await asyncio.sleep(8 * 3600)

        async def test_a_prompt(replay):
            assert (await replay.ask("Why is the sky blue?", endpoint="mock")).content

        @pytest.mark.parametrize("topic", ["Tides", "Bees / wasps"])
        async def test_a_workflow(replay, topic):
            [case] = await replay.run([topic], workflow=summary, endpoint="mock")
            assert case.row["status"] == "ok"
        """
    ),
    "tests/test_sleep.py": (
        """
        import anyio

        async def test_it(virtual_time):
            await anyio.sleep(8 * 3600)
        """
    ),
}


class Project:
    """The project on the disk, and its environment."""

    def __init__(self, home: Path, environment: Path) -> None:
        self.home = home
        self._python = environment / "bin" / "python"

    def pytest(self, *arguments: str) -> str:
        """What a run of its tests prints. It inherits no key, no proxy and no setting of ours."""
        done = subprocess.run(
            [self._python, "-m", "pytest", *arguments],
            cwd=self.home,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.home), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return f"{done.stdout}{done.stderr}"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    need_registry("the project's requirements")
    home, environment = tmp_path / "project", tmp_path / "environment"
    for name, text in PROJECT.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    install(environment, (f"{ROOT}[pytest]", "pytest-asyncio>=1.5,<2", "pytest-xdist>=3.8"))
    return Project(home, environment)


def test_a_project_of_its_own_has_the_fixtures(project: Project) -> None:
    refused = project.pytest()
    assert "3 failed, 4 passed" in refused, refused
    assert "pytest --harness-record=once tests/test_titles.py::test_a_prompt" in refused

    recorded = project.pytest("--harness-record=once", "-n", "2")
    assert "7 passed" in recorded, recorded
    names = {
        path.name.partition("-")[0]
        for path in (project.home / "tests/cassettes/test_titles").iterdir()
    }
    assert names == {"test_a_prompt.jsonl", "test_a_workflow"}

    (project.home / ".harness" / "cache.db").unlink()
    replayed = project.pytest()
    assert "7 passed" in replayed, replayed

    sleep = ("-c", os.devnull, "tests/test_sleep.py")
    by_anyio = project.pytest(*sleep, "-p", "no:asyncio", "--anyio-mode=auto")
    assert "1 passed" in by_anyio, by_anyio

    without = project.pytest(*sleep, "-p", "no:harness")
    assert "fixture 'virtual_time' not found" in without, without
