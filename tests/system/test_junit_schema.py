"""JUnit files against the schema of Jenkins's xUnit plugin, as pytest ships it among the examples
of its sources.

The schema is fetched with pip into an environment of its own and stays there. See `environments`
for machines without a package registry.
"""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest
from command_line import run_command
from environments import environment_with, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

PYTEST = "8.4.2"
TOOLS = ("pip==25.3", "setuptools==80.9.0", "setuptools-scm==9.2.2", "xmlschema==4.1.0")
VALIDATE = "import sys, xmlschema; xmlschema.XMLSchema(sys.argv[1]).validate(sys.argv[2])"

SUITE = """
dataset = "topics.jsonl"
cassette = "c.jsonl"
samples = 2
[settings]
endpoint = "mock"
[[check]]
name = "says <enough> & \\"more\\""
words = { at_least = 20 }
[[check]]
name = "reasons"
step = "research"
reasoning_not_contains = "cheat"
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with("junit-schema", TOOLS, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def schema(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schema's file, out of pytest's source distribution, which a wheel does not have."""
    scratch = tmp_path_factory.mktemp("schema")
    quietly = (
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-binary",
        "pytest",
    )
    run([str(tools / "python"), *quietly, f"pytest=={PYTEST}", "-d", str(scratch)])
    with tarfile.open(scratch / f"pytest-{PYTEST}.tar.gz") as sources:
        file = sources.extractfile(f"pytest-{PYTEST}/testing/example_scripts/junit-10.xsd")
        assert file is not None
        (scratch / "junit-10.xsd").write_bytes(file.read())
    return scratch / "junit-10.xsd"


def complaint(tools: Path, schema: Path, file: Path) -> str:
    """What is wrong with the file; nothing where it is valid."""
    command = [str(tools / "python"), "-c", VALIDATE, str(schema), str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite in the working directory, with its recording."""
    monkeypatch.chdir(tmp_path)
    Path("topics.jsonl").write_text(
        '{"id": "tides", "topic": "Why?"}\n{"id": "a.b/c", "topic": "What?"}\n'
    )
    Path("suite.toml").write_text(SUITE)
    assert run_command("check", "suite.toml", "--on-miss", "record").exit_code == 0


@pytest.mark.parametrize(
    ("old", "new", "options", "code"),
    [
        ("", "", (), 0),
        ("at_least = 20", "at_least = 9_000", (), 1),
        ('endpoint = "mock"', 'endpoint = "mock"\neffort = "max"', (), 1),
        (
            "[[check]]",
            "[steps.synthesize]\nmax_tokens = 9_000\n[[check]]",
            ("--on-miss", "skip"),
            2,
        ),
        (
            "[[check]]",
            "[[check]]\nstep = 'decompose'\nreasoning_not_contains = 'cheat'\n[[check]]",
            (),
            2,
        ),
    ],
    ids=["green", "red", "not recorded", "left out", "nothing to look at"],
)
@pytest.mark.usefixtures("recorded")
def test_the_file_of_a_suite_is_valid_whatever_came_of_it(
    old: str, new: str, options: tuple[str, ...], code: int, tools: Path, schema: Path
) -> None:
    Path("suite.toml").write_text(SUITE.replace(old, new, 1))
    done = run_command("check", "suite.toml", "--junit", "out.xml", *options)
    assert done.exit_code == code, done.output
    assert complaint(tools, schema, Path("out.xml")) == ""


@pytest.mark.usefixtures("recorded")
def test_the_schema_refuses_what_is_not_in_it(tools: Path, schema: Path) -> None:
    assert run_command("check", "suite.toml", "--junit", "out.xml").exit_code == 0
    Path("out.xml").write_text(
        Path("out.xml").read_text().replace("<testcase ", "<testcase line='3' ", 1)
    )
    assert "'line' attribute not allowed" in complaint(tools, schema, Path("out.xml"))
