"""Reading a suite from its TOML file. Everything is checked here, before anything is replayed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.domain.prompts import Prompt
from harness.errors import PromptsError, SuiteError
from harness.regress.checks.judge_calls import JUDGE
from harness.regress.checks.judging import BLANKS, SYSTEM, USER, Judge
from harness.regress.suites.check_tables import read_checks
from harness.regress.suites.suite import Suite
from harness.regress.suites.suite_tables import DECIDING, JudgeTable, SuiteTable
from harness.settings.model import Settings, field_names
from harness.settings.toml_lines import line_of
from harness.settings.toml_tables import checked, read_toml, suggestion

_PLACES = {
    "dataset": ("dataset",),
    "cassette": ("cassette",),
    "workflow": ("settings", "workflow"),
    "workflow_settings": ("workflow",),
    "judge": ("judge",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: Path
    text: str

    def beside(self, name: str) -> Path:
        """A path that is meant from the file on."""
        return Path(os.path.normpath(self.path.parent / name))

    def where(self, path: tuple[str, ...]) -> str:
        return f"{self.path}:{self.line(*path)}"

    def line(self, *path: str) -> int:
        return line_of(self.text, path) or 1

    def error(self, path: tuple[str, ...], message: str) -> SuiteError:
        return SuiteError(f"{self.where(path)}: {message}")


def load_suite(path: Path) -> Suite:
    """The suite in a file; paths in it are from the file on.

    Functions that it names are imported, its schemas and patterns compiled. Raises SuiteError, each
    line of it with the file, the line and what to do.
    """
    tables, raw = read_toml(path, SuiteError)
    file = _File(path=path, text=raw.decode("utf-8-sig"))
    table = checked(SuiteTable, tables, where=file.where, error=SuiteError)
    if JUDGE in table.steps:
        raise file.error(("steps", JUDGE), f"options of the judge stand in [{JUDGE}]")
    settings = _settings(file, table)
    dataset, cassette = _dataset(file, table), file.beside(table.cassette)
    golden = file.beside(table.golden or f"{path.stem}.golden.json")
    _refuse_one_file(file, {"dataset": dataset, "cassette": cassette, "golden": golden})
    return Suite(
        path=path,
        dataset=dataset,
        cassette=cassette,
        golden=golden,
        samples=table.samples,
        settings=settings,
        pricing=Settings.model_validate(settings).pricing(),
        judge=_judge(file, table.judge),
        checks=read_checks(path, file.text, table.check),
        step_lines={name: file.line("steps", name) for name in table.steps},
        lines={name: file.line(*where) for name, where in _PLACES.items()},
    )


def _dataset(file: _File, table: SuiteTable) -> Path:
    found = file.beside(table.dataset)
    if not found.is_file():
        raise file.error(
            ("dataset",),
            f"dataset = {table.dataset!r}: there is no such file beside the suite ({found})",
        )
    return found


def _refuse_one_file(file: _File, paths: Mapping[str, Path]) -> None:
    """Recording and accepting write: over nothing else that the suite names, nor over the suite."""
    taken = {file.path: "the suite itself"}
    for name, path in paths.items():
        if path in taken:
            raise file.error(
                (name,), f"{name} = {str(path)!r}: that is {taken[path]}; name another file"
            )
        taken[path] = f"the {name}"


def _settings(file: _File, table: SuiteTable) -> Mapping[str, Any]:
    """The settings of a run, with those of the tables beside [settings]. Raises SuiteError."""
    settings: dict[str, Any] = {}
    for given, value in table.settings.items():
        name, where = given.replace("-", "_"), ("settings", given)
        if name not in DECIDING:
            raise file.error(where, _misplaced(given, name))
        if name in settings:
            raise file.error(where, f"{given} is set twice")
        settings[name] = value
    if settings.keys() >= {"endpoint", "base_url"}:
        raise file.error(("settings", "base_url"), "endpoint and base_url exclude each other")
    checked(
        Settings, settings, where=lambda path: file.where(("settings", *path)), error=SuiteError
    )
    if isinstance(prompts := settings.get("prompts"), str):
        settings["prompts"] = str(file.beside(prompts))
    if isinstance(workflow := settings.get("workflow"), str) and workflow.rpartition(":")[
        0
    ].endswith(".py"):
        settings["workflow"] = str(file.beside(workflow))
    settings["steps"] = {
        name: step.model_dump(exclude_none=True) for name, step in table.steps.items()
    }
    settings["workflow_settings"] = table.workflow
    settings["prices"] = {
        name: price.model_dump(exclude_none=True) for name, price in table.prices.items()
    }
    settings["endpoints"] = {
        name: one.model_dump(exclude_none=True) for name, one in table.endpoints.items()
    }
    return settings


def _misplaced(given: str, name: str) -> str:
    if name in ("dataset", "cassette", "golden", "samples"):
        return f"{given!r} stands at the beginning of a suite, above [settings]"
    if name in ("steps", "prices", "endpoints", "workflow_settings"):
        return f"{given!r} is a table of its own in a suite: [{name.removesuffix('_settings')}]"
    if name in field_names():
        return (
            f"{given!r} decides no answer, so it is no setting of a suite; give it as a flag or in"
            " harness.toml"
        )
    return f"unknown setting {given!r}{suggestion(name, DECIDING)}"


def _judge(file: _File, table: JudgeTable) -> Judge:
    """Raises SuiteError for a prompt that cannot bring a verdict."""
    options = table.model_dump(exclude={"system", "user"}, exclude_none=True)
    default = Judge()
    user = USER if table.user is None else table.user.strip()
    system = table.system or (SYSTEM if table.user is None else None)
    prompt = Prompt(name=JUDGE, user=user, system=system.strip() if system is not None else None)

    def refuse(message: str) -> SuiteError:
        return file.error((JUDGE, "user"), message)

    blanks = _blanks(prompt, refuse)
    if unknown := sorted(blanks - BLANKS):
        raise refuse(f"nobody fills the blank ${unknown[0]}{suggestion(unknown[0], BLANKS)}")
    if missing := sorted({"criterion", "text"} - blanks):
        raise refuse(f"the prompt must have the blank ${missing[0]}")
    said = f"{prompt.system or ''}{prompt.user}"
    if '"pass"' not in said or "json" not in said.lower():
        raise refuse('the prompt must ask for JSON with a field "pass" that is true or false')
    return Judge(
        prompt=prompt,
        options=type(default.options)(**{"max_tokens": default.options.max_tokens, **options}),
    )


def _blanks(prompt: Prompt, refuse: Callable[[str], SuiteError]) -> frozenset[str]:
    try:
        return prompt.blanks()
    except PromptsError as error:
        raise refuse(str(error)) from None
