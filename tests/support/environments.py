"""Environments of their own for packages that nobody here wrote.

They are kept in the directory that HARNESS_TEST_ENVS names, else made anew. On a machine without a
package registry set HARNESS_TEST_OFFLINE=1; nothing else skips the tests that need one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def environment_with(name: str, requirements: tuple[str, ...], scratch: Path) -> Path:
    """The directory `bin` of an environment that holds these packages; made if it is not there
    yet.
    """
    need_registry(name)
    pinned = hashlib.sha256(repr((requirements, sys.version)).encode()).hexdigest()[:12]
    home = (
        Path(os.environ.get("HARNESS_TEST_ENVS") or scratch / "environments") / f"{name}-{pinned}"
    )
    complete = home / "complete"
    if not complete.exists():
        shutil.rmtree(home, ignore_errors=True)
        install(home, requirements)
        complete.touch()
    return home / "bin"


def need_time(what: str) -> None:
    """Skip what takes minutes unless HARNESS_TEST_SERVERS=1 asks for it: the gate has fifteen in
    all.
    """
    if os.environ.get("HARNESS_TEST_SERVERS") != "1":
        pytest.skip(f"{what} takes long; HARNESS_TEST_SERVERS=1 runs it")


def need_registry(name: str) -> None:
    """Skip the test where no registry is to install this from."""
    if os.environ.get("HARNESS_TEST_OFFLINE") == "1":
        pytest.skip(f"HARNESS_TEST_OFFLINE=1: no registry to install {name} from")


def install(home: Path, requirements: tuple[str, ...]) -> None:
    """Make an environment that holds these; with uv where it is at hand."""
    python = str(home / "bin" / "python")
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        run([uv, "venv", "--quiet", "--python", sys.executable, str(home)])
        run([uv, "pip", "install", "--quiet", "--python", python, *requirements])
    else:
        run([sys.executable, "-m", "venv", str(home)])
        run([python, "-m", "pip", "install", "--quiet", *requirements])


def run(command: list[str]) -> None:
    """Run a command to its end, which must be a good one."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
