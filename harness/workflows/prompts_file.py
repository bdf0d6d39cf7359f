"""Prompts files: TOML beside a workflow, read and checked before anything is paid for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from harness.domain.completion import Json
from harness.domain.prompts import Prompt, Prompts
from harness.errors import PromptsError
from harness.settings.toml_tables import StepTable, checked, read_toml, suggestion

WORKFLOW_TABLE = "workflow"


def read_prompts(path: Path) -> Prompts:
    """The prompts in a TOML file.

    Raises PromptsError naming the file, and the table or the line.
    """
    tables, raw = read_toml(path, PromptsError)
    settings = tables.pop(WORKFLOW_TABLE, {})
    if not isinstance(settings, dict):
        raise PromptsError(f"{path}: [{WORKFLOW_TABLE}] must be a table of the workflow's settings")
    return Prompts(
        prompts={name: _prompt(path, name, table) for name, table in tables.items()},
        settings=settings,
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def check_blanks(where: str, prompts: Prompts, fills: Mapping[str, frozenset[str]]) -> None:
    """Raise PromptsError for a prompt that is missing or has a blank that is not filled."""
    for name, filled in fills.items():
        if name not in prompts.prompts:
            raise PromptsError(
                f"{where}: the table [{name}] is missing; the workflow needs {', '.join(fills)}"
            )
        unknown = prompts[name].blanks() - filled
        if unknown:
            blank = min(unknown)
            raise PromptsError(
                f"{where}: [{name}]: nobody fills the blank ${blank}{suggestion(blank, filled)}"
            )


def _prompt(path: Path, name: str, table: Json) -> Prompt:
    where = f"{path}: [{name}]"
    if not isinstance(table, dict):
        raise PromptsError(f"{path}: {name!r} must be a table with a text 'user', as in [{name}]")
    rest = dict(table)
    user, system = rest.pop("user", None), rest.pop("system", None)
    if not isinstance(user, str) or not user.strip():
        raise PromptsError(f"{where}: the text 'user' is missing or blank")
    if system is not None and not isinstance(system, str):
        raise PromptsError(f"{where}: 'system' must be a text")
    options = checked(StepTable, rest, where=where, error=PromptsError).options()
    prompt = Prompt(
        name=name,
        user=user.strip(),
        system=system.strip() if system is not None else None,
        options=options,
    )
    try:
        prompt.blanks()
    except PromptsError as error:
        raise PromptsError(f"{path}: {error}") from None
    return prompt
