"""A suite: which recording is replayed with which settings, and what is checked of what comes
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.domain.pricing import Pricing
from harness.regress.checks.checks import Check
from harness.regress.checks.expectation import Expectation
from harness.regress.checks.judging import Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite that was read and checked. Paths are from the working directory on, as the suite's
    own is.

    `settings` are settings of a run by their names, with the tables `steps`, `workflow_settings`
    and `prices`, as `load_settings` takes them; `samples` is the number of draws of each topic.
    `step_lines` says where each table [steps.NAME] stands, `lines` where the dataset, the cassette,
    the workflow and its settings are named. `checks` begins with the one that nobody needs to
    write: that no topic failed.
    """

    path: Path
    dataset: Path
    cassette: Path
    golden: Path
    samples: int
    settings: Mapping[str, Any]
    pricing: Pricing
    judge: Judge
    checks: tuple[Check, ...]
    step_lines: Mapping[str, int]
    lines: Mapping[str, int]

    def place(self, name: str) -> str:
        """`file:line` of one of `lines`."""
        return f"{self.path}:{self.lines[name]}"

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def compares(self) -> bool:
        """Return whether any check needs the golden file."""
        return any(check.compares for check in self.checks)

    @property
    def criteria(self) -> tuple[tuple[str | None, Expectation], ...]:
        """Every expectation with its step, as `judged` takes them."""
        return tuple((check.step, each) for check in self.checks for each in check.expectations)
