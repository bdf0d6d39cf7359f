"""A workflow found by its name, with its prompts.

Names are `research`, `module:function` or `path.py:function`.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import cast

from harness.domain.completion import Json
from harness.domain.prompts import Prompts
from harness.engine.runner import Workflow
from harness.errors import InputError, PromptsError, SettingsError, WorkflowError
from harness.settings.toml_tables import suggestion
from harness.workflows.endpoint_names import endpoint_names
from harness.workflows.importing import import_file, import_named
from harness.workflows.prompts_file import check_blanks, read_prompts
from harness.workflows.steps import DECLARED, StepNames, step_names

BUILT_IN = {"research": "harness.workflows.research:research"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedWorkflow:
    """A workflow ready to run.

    `settings` is its table [workflow], checked where the workflow offers a check. `code_sha256`
    names the source file's content, so that a change of the code between sessions can be told.
    `steps` are the names of its steps, as far as the source tells them, `endpoints` those that its
    code names, each with the steps that are known to ask it. `own_files` are the paths of that file
    and of the directory, or of the whole package, that it lies in. `prompts_file` is where its
    prompts stand, if anywhere.
    """

    name: str
    function: Workflow
    prompts: Prompts
    settings: Mapping[str, Json]
    code_sha256: str
    steps: StepNames
    endpoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own_files: tuple[str, ...] = ()
    prompts_file: Path | None = None

    def strange_steps(self, named: Iterable[str]) -> dict[str, str]:
        """Return those of these names that are, or may be, no step of it, each with words on it."""
        if self.steps.all_known:
            known = self.steps.names
        else:
            known = self.steps.names | self.prompts.prompts.keys()
        return {name: self._of_no_step(name, known) for name in named if name not in known}

    def _of_no_step(self, name: str, known: Collection[str]) -> str:
        near = suggestion(name, known) if known else ""
        if self.steps.all_known:
            return f"the workflow {self.name} has no step {name!r}{near}"
        return (
            f"it cannot be told whether the workflow {self.name} has a step {name!r}{near}; "
            f'a line `{DECLARED} = ("name", …)` in its file would say which there are'
        )


def load_workflow(
    name: str,
    *,
    prompts_file: Path | None,
    settings: Mapping[str, Json],
    settings_from: str = "settings",
    steps: Mapping[str, str] = MappingProxyType({}),
) -> LoadedWorkflow:
    """Import a workflow and read its prompts.

    These are in `prompts_file`, else in the TOML file of the same stem beside its module. A module
    may say which blanks it fills (`FILLS`, by prompt) and check its settings (`check_settings`);
    both are used here, before anything is paid for. `settings_from` is where those stand, for
    messages. `steps` are those that the user has options for, each with where that was said. Raises
    WorkflowError, PromptsError, or SettingsError for a step of which it is known that the workflow
    does not have it.
    """
    module, function = _find(BUILT_IN.get(name, name))
    source = _source_of(name, module)
    beside = source.with_suffix(".toml")
    if prompts_file is None and beside.is_file():
        prompts_file = beside
    prompts = Prompts() if prompts_file is None else read_prompts(prompts_file)
    _check_fills(module, prompts, str(prompts_file or beside))
    workflow = LoadedWorkflow(
        name=name,
        function=function,
        prompts=prompts,
        settings=_checked_settings(
            name, module, (str(prompts_file), prompts.settings), (settings_from, settings)
        ),
        code_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        own_files=_own_files(module, source.absolute(), built_in=name in BUILT_IN),
        steps=step_names(module),
        endpoints=endpoint_names(module),
        prompts_file=prompts_file,
    )
    if workflow.steps.all_known and (strange := workflow.strange_steps(steps)):
        raise SettingsError(
            "\n".join(f"{steps[step]}: [steps.{step}]: {said}" for step, said in strange.items())
        )
    return workflow


def _check_fills(module: ModuleType, prompts: Prompts, where: str) -> None:
    """Raise PromptsError for a prompt with a blank that the module, by its own word, does not
    fill.
    """
    fills = getattr(module, "FILLS", None)
    if isinstance(fills, Mapping):
        check_blanks(where, prompts, {step: frozenset(blanks) for step, blanks in fills.items()})


def _checked_settings(
    name: str,
    module: ModuleType,
    prompts: tuple[str, Mapping[str, Json]],
    settings: tuple[str, Mapping[str, Json]],
) -> Mapping[str, Json]:
    """The prompts file's table [workflow] with the user's over it, each given with where it stands.

    A workflow without a check knows what it lists.
    """
    (prompts_from, own), (settings_from, given) = prompts, settings
    merged = {**own, **given}
    check = getattr(module, "check_settings", None)
    if callable(check):
        if own:
            _check(check, own, prompts_from)
        _check(check, merged, settings_from)
        return merged
    unknown = sorted(given.keys() - own.keys())
    if unknown and not own:
        raise PromptsError(
            f"{settings_from}: [workflow] has {unknown[0]!r}, but the workflow {name} has no"
            " settings; it can name them in a table [workflow] of its prompts file, or offer a"
            " function check_settings"
        )
    if unknown:
        raise PromptsError(
            f"{settings_from}: [workflow]: unknown setting"
            f" {unknown[0]!r}{suggestion(unknown[0], own)}"
        )
    return merged


def _check(
    check: Callable[[dict[str, Json]], object], table: Mapping[str, Json], where: str
) -> None:
    try:
        check(dict(table))
    except InputError as error:
        raise PromptsError(f"{where}: {error}") from None
    except (TypeError, ValueError, KeyError) as error:
        raise PromptsError(f"{where}: [workflow]: {error}") from error


def _find(name: str) -> tuple[ModuleType, Workflow]:
    where, colon, attribute = name.rpartition(":")
    if name.endswith(".py"):
        raise WorkflowError(
            f"{name} is a file; name its function too, as in {name}:{Path(name).stem}"
        )
    if not colon or not where or not attribute:
        raise WorkflowError(
            f"no workflow {name!r}{suggestion(name, BUILT_IN)}; "
            "your own is given as module:function or path.py:function"
        )
    if where.endswith(".py"):
        module = import_file(Path(where))
    else:
        module = import_named(where)
    function = getattr(module, attribute, None)
    if function is None:
        raise WorkflowError(
            f"{where} has no function {attribute!r}{_other_functions(module, attribute)}"
        )
    return module, _shaped(name, function)


def _other_functions(module: ModuleType, wanted: str) -> str:
    """Name the async functions that the module itself defines, the nearest name first."""
    functions = []
    for known, value in vars(module).items():
        if inspect.iscoroutinefunction(value) and value.__module__ == module.__name__:
            functions.append(known)
    if not functions:
        return "; it has no async function at all"
    return suggestion(wanted, functions)


def _shaped(name: str, function: object) -> Workflow:
    """The function, if it can be awaited with a step and a topic. Raises WorkflowError."""
    attribute = name.rpartition(":")[2]
    example = f"async def {attribute}(step, topic): ..."
    if inspect.isclass(function):
        raise WorkflowError(
            f"{name} is a class; give an async function, or an object of that class that is awaited"
        )
    called = getattr(function, "__call__", None)  # noqa: B004 - asked for its kind, not whether it is there
    if not callable(function) or not (_is_async(function) or _is_async(called)):
        raise WorkflowError(f"{name} must be an async function: {example}")
    try:
        inspect.signature(function).bind("step", "topic")
    except TypeError:
        raise WorkflowError(
            f"{name} must take two arguments, a step and a topic: {example}"
        ) from None
    return cast(Workflow, function)


def _is_async(function: object) -> bool:
    """Return whether this is an async function, also behind functools.wraps or partial."""
    return callable(function) and inspect.iscoroutinefunction(inspect.unwrap(function))


def _own_files(module: ModuleType, source: Path, *, built_in: bool) -> tuple[str, ...]:
    """The file of a workflow and the directory that it lies in.

    In a package, that of the outermost package.
    """
    packages = 0 if built_in else (module.__package__ or "").count(".")
    return str(source), str(source.parents[packages])


def _source_of(name: str, module: ModuleType) -> Path:
    try:
        source = inspect.getsourcefile(module)
    except TypeError:
        source = None
    if source is None:
        raise WorkflowError(
            f"{name}: the module has no Python source file, so its changes could not be told"
        )
    return Path(source)
