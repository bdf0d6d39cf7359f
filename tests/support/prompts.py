"""The prompts of `research` with words of them changed, for tests of what a changed prompt does."""

from __future__ import annotations

from pathlib import Path

import harness.workflows.research as research

RESEARCH = Path(research.__file__).with_suffix(".toml")


def edited_prompts(path: Path, *changes: tuple[str, str]) -> Path:
    """Write them to `path` with these words replaced, each of which must be there once."""
    text = RESEARCH.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)
    return path
