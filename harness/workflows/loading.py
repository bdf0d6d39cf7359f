"""Finding a workflow by name: `research`, `module:function` or `path.py:function`, with the prompts beside it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from harness.adapters.prompts_file import check_blanks, read_prompts
from harness.adapters.toml_tables import suggestion
from harness.domain.completion import Json
from harness.domain.prompts import Prompts
from harness.engine.runner import Workflow
from harness.errors import PromptsError, WorkflowError

T = TypeVar("T")

BUILT_IN = {"research": "harness.workflows.research:research"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedWorkflow:
    """A workflow ready to run. `settings` is its table [workflow], checked where the workflow offers a check.

    `code_sha256` names the source file's content: a run is continued only with the code that it began with, or with
    the user's word for it.
    """

    name: str
    function: Workflow
    prompts: Prompts
    settings: Mapping[str, Json]
    code_sha256: str


def load_workflow(name: str, *, prompts_file: Path | None, settings: Mapping[str, Json]) -> LoadedWorkflow:
    """Import a workflow and read its prompts: `prompts_file`, else the TOML file of the same stem beside its module.

    A module may say which blanks it fills (`FILLS`, by prompt) and check its settings (`check_settings`); both are used
    here, before anything is paid for. Raises WorkflowError or PromptsError.
    """
    module, function = _find(BUILT_IN.get(name, name))
    source = Path(inspect.getsourcefile(module) or "")
    beside = source.with_suffix(".toml")
    chosen = prompts_file if prompts_file is not None else beside if beside.is_file() else None
    prompts = read_prompts(chosen) if chosen is not None else Prompts()
    fills = getattr(module, "FILLS", None)
    if isinstance(fills, Mapping):
        check_blanks(str(chosen or beside), prompts, fills)
    merged = {**prompts.settings, **settings}
    check = getattr(module, "check_settings", None)
    if callable(check):
        check(dict(merged))
    elif settings and not prompts.settings:
        raise PromptsError(f"[workflow] is set, but the workflow {name!r} has no settings")
    return LoadedWorkflow(
        name=name,
        function=function,
        prompts=prompts,
        settings=merged,
        code_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
    )


def _find(name: str) -> tuple[ModuleType, Workflow]:
    where, colon, attribute = name.rpartition(":")
    if not colon or not where or not attribute:
        raise WorkflowError(
            f"no workflow {name!r}{suggestion(name, BUILT_IN)}; "
            "your own is given as module:function or path.py:function"
        )
    module = _import_file(Path(where)) if where.endswith(".py") else _import_module(where)
    function = getattr(module, attribute, None)
    if function is None:
        functions = [known for known, value in vars(module).items() if inspect.iscoroutinefunction(value)]
        raise WorkflowError(f"{where} has no function {attribute!r}{suggestion(attribute, functions)}")
    _check_shape(name, function)
    return module, function


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise WorkflowError(f"{path}: there is no such workflow file")
    name = f"harness_workflow_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise WorkflowError(f"{path}: cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    _importing(str(path), lambda: loader.exec_module(module))
    return module


def _import_module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does: a user's module lies in the directory they work in
    return _importing(name, lambda: importlib.import_module(name))


def _importing(name: str, do: Callable[[], T]) -> T:
    try:
        return do()
    except Exception as error:
        raise WorkflowError(f"{name}: the workflow cannot be imported: {type(error).__name__}: {error}") from error


def _check_shape(name: str, function: object) -> None:
    if not callable(function) or not inspect.iscoroutinefunction(function):
        raise WorkflowError(f"{name} must be an async function: async def {name.rpartition(':')[2]}(step, topic): ...")
    try:
        inspect.signature(function).bind("step", "topic")
    except TypeError:
        raise WorkflowError(
            f"{name} must take two arguments: async def {name.rpartition(':')[2]}(step, topic): ..."
        ) from None
