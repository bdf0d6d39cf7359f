"""Environments of their own, for tests of what a user installs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


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
