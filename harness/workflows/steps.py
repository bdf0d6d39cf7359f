"""The steps of a workflow, read from its source.

So a wrong [steps.NAME] is found before anything is sent. A step's name is the first argument of
`step.complete(…)`. It is known where it is a text in the source, a constant of the module, or a
choice between such. Files of the user's own that the workflow imports are read as well. Whatever
may bring in a name that cannot be read (one that is put together, a package of somebody else,
`getattr`) makes the list an open one, which refuses nothing. A module may also say it itself:
`STEPS = ("plan", "draft")`.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

DECLARED = "STEPS"
MOST_FILES = 200
_UNREADABLE = frozenset({"exec", "eval", "__import__"})
_IMPORTERS = frozenset({"importlib", "runpy", "imp", "pkgutil"})
_OURS_WITH_STEPS = "harness.workflows."
_OF_OTHERS = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepNames:
    """Names of steps; `all_known` where there can be no others."""

    names: frozenset[str]
    all_known: bool


def step_names(module: ModuleType) -> StepNames:
    """The steps of the workflow in this module."""
    declared = getattr(module, DECLARED, None)
    if isinstance(declared, (tuple, list, set, frozenset, Mapping)) and all(
        isinstance(name, str) for name in declared
    ):
        return StepNames(names=frozenset(declared), all_known=True)
    names: set[str] = set()
    all_known = True
    for source in sources_of(module):
        found = _names_in(source) if source is not None else _NOTHING_KNOWN
        names |= found.names
        all_known = all_known and found.all_known
    return StepNames(names=frozenset(names), all_known=all_known and bool(names))


_NOTHING_KNOWN = StepNames(names=frozenset(), all_known=False)


def sources_of(module: ModuleType) -> Iterator[ast.Module | None]:
    """The module and those of the same author that it imports; None for what cannot be read."""
    waiting, seen = [module], {module.__name__}
    while waiting:
        one = waiting.pop()
        tree = _parsed(one) if len(seen) <= MOST_FILES else None
        yield tree
        for name in _imported(tree, one) if tree is not None else ():
            if name in seen or not _may_hold_steps(name):
                continue
            seen.add(name)
            imported = sys.modules.get(name)
            if imported is None or not _is_of_the_same_author(imported, module):
                yield None
            else:
                waiting.append(imported)


def _parsed(module: ModuleType) -> ast.Module | None:
    try:
        return ast.parse(Path(str(module.__file__)).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _imported(tree: ast.Module, module: ModuleType) -> Iterator[str]:
    """The full names of all modules that are imported.

    Of `from a import b` also `a.b`, where that is one.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            if node.level:
                whole = importlib.util.resolve_name(name, module.__package__)
            else:
                whole = name
            yield whole
            yield from (
                found for alias in node.names if (found := f"{whole}.{alias.name}") in sys.modules
            )


def _may_hold_steps(name: str) -> bool:
    """Not the standard library, unless it imports what cannot be seen here.

    Of this package only the workflows.
    """
    top = name.partition(".")[0]
    if top == "harness":
        return name.startswith(_OURS_WITH_STEPS)
    return top not in sys.stdlib_module_names or top in _IMPORTERS


def _is_of_the_same_author(imported: ModuleType, workflow: ModuleType) -> bool:
    """Return whether a module is by the same author as the workflow.

    It is in the workflow's own package, in ours, or a file beside or below the workflow's.
    """
    top = imported.__name__.partition(".")[0]
    if top == "harness" or (top == workflow.__name__.partition(".")[0] and workflow.__package__):
        return True
    file, beside = (
        getattr(imported, "__file__", None),
        Path(str(workflow.__file__)).resolve().parent,
    )
    if file is None:
        return False
    path = Path(file).resolve()
    return path.is_relative_to(beside) and _OF_OTHERS.isdisjoint(path.relative_to(beside).parts)


def _names_in(tree: ast.Module) -> StepNames:
    constants = constants_of(tree)
    names: set[str] = set()
    all_known = True
    called: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_complete(node.func):
            called.add(node.func)
            found = texts_of(first_argument(node), constants)
            names |= set(found or ())
            all_known = all_known and found is not None
    hidden = any(
        _hides_a_name(node) or (is_complete(node) and node not in called) for node in ast.walk(tree)
    )
    return StepNames(names=frozenset(names), all_known=all_known and not hidden)


def is_complete(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "complete"


def _hides_a_name(node: ast.AST) -> bool:
    """Return whether this may call `complete` without its being seen."""
    match node:
        case ast.Name(id=name):
            return name in _UNREADABLE
        case ast.Constant(value="complete"):
            return True
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(), *_]):
            return False
        case ast.Call(func=ast.Name(id="getattr")):
            return True
    return False


def first_argument(call: ast.Call) -> ast.expr | None:
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "name"), None)


def texts_of(node: ast.expr | None, constants: Mapping[str, str]) -> tuple[str, ...] | None:
    """The texts that this may be, or None where they cannot be read."""
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.Name(id=name) if name in constants:
            return (constants[name],)
        case ast.IfExp(body=body, orelse=orelse):
            one, other = texts_of(body, constants), texts_of(orelse, constants)
            if one is None or other is None:
                return None
            return (*one, *other)
    return None


def constants_of(tree: ast.Module) -> dict[str, str]:
    """Return texts that a module names once.

    No other line of it, in whatever function, binds the name.
    """
    found: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                found[name] = text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                found[name] = text
    bound = list(_bound(ast.walk(tree)))
    return {name: text for name, text in found.items() if bound.count(name) == 1}


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.alias(name=name, asname=renamed):
                yield renamed or name
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                yield name
