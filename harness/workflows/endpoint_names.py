"""The endpoints that a workflow's source names.

They are read so that a wrong one is found before anything is sent. A name is what
`StepOptions(endpoint=…)` is given, or `replace(options, endpoint=…)`: a text in the source, a
constant of the module, or a choice between such. A module may also say it itself: `ENDPOINTS =
("local", "deepseek")`, which is needed where a name is put together while the workflow runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import ModuleType

from harness.workflows.steps import constants_of, first_argument, is_complete, sources_of, texts_of

DECLARED = "ENDPOINTS"
_MAKERS = frozenset({"StepOptions", "replace"})


def endpoint_names(module: ModuleType) -> dict[str, tuple[str, ...]]:
    """Return the endpoints that this module's workflow names, with the steps known to ask each."""
    found: dict[str, set[str]] = {}
    for tree in sources_of(module):
        for endpoint, steps in _names_in(tree) if tree is not None else ():
            found.setdefault(endpoint, set()).update(steps)
    declared = getattr(module, DECLARED, ())
    for name in declared if isinstance(declared, (tuple, list, set, frozenset)) else ():
        if isinstance(name, str):
            found.setdefault(name, set())
    return {name: tuple(sorted(steps)) for name, steps in found.items()}


def _names_in(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    constants = constants_of(tree)
    asked = _steps_by_options(tree, constants)
    for node in ast.walk(tree):
        given = _endpoint_of(node)
        for name in texts_of(given, constants) or ():
            yield name, asked.get(id(node), ())


def _endpoint_of(node: ast.AST) -> ast.expr | None:
    """Return the expression that this call gives as the endpoint of options, if it makes any."""
    if not isinstance(node, ast.Call) or _name_of(node.func) not in _MAKERS:
        return None
    return next((keyword.value for keyword in node.keywords if keyword.arg == "endpoint"), None)


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _steps_by_options(tree: ast.Module, constants: Mapping[str, str]) -> dict[int, tuple[str, ...]]:
    """Return the steps that are asked with options, by the node that makes these.

    The options stand in the call, or are named by the module.
    """
    made: dict[str, ast.expr] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            made |= {
                target.id: statement.value
                for target in statement.targets
                if isinstance(target, ast.Name)
            }
    found: dict[int, tuple[str, ...]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not is_complete(node.func):
            continue
        options = next(
            (keyword.value for keyword in node.keywords if keyword.arg == "options"), None
        )
        if isinstance(options, ast.Name):
            options = made.get(options.id)
        if options is not None:
            steps = texts_of(first_argument(node), constants) or ()
            found[id(options)] = (*found.get(id(options), ()), *steps)
    return found
