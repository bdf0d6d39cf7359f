"""Importing a user's file or module, so that what goes wrong there is said in their terms."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from harness.errors import WorkflowError

T = TypeVar("T")


def import_file(path: Path, *, what: str = "workflow") -> ModuleType:
    """The module in a file of any name; files beside it can be imported by it.

    Raises WorkflowError. `what` is what the file is to its user.
    """
    if not path.is_file():
        raise WorkflowError(f"{path}: there is no such {what} file")
    resolved = path.resolve()
    # Two files of one name in two directories are two modules.
    name = f"harness_workflow_{hashlib.sha256(str(resolved).encode()).hexdigest()[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, resolved)
    if spec is None or spec.loader is None:
        raise WorkflowError(f"{path}: cannot be imported as Python")
    module, loader = importlib.util.module_from_spec(spec), spec.loader
    _look_first_in(resolved.parent)
    sys.modules[name] = module
    try:
        _importing(str(path), lambda: loader.exec_module(module), what)
    except WorkflowError:
        del sys.modules[name]
        raise
    return module


def import_named(name: str, *, what: str = "workflow") -> ModuleType:
    """A module by its dotted name, also from the working directory, as `python -m` does.

    Raises WorkflowError.
    """
    if name.startswith("."):
        raise WorkflowError(
            f"{name}: a {what}'s module is named in full, as package.module:function"
        )
    _look_first_in(Path.cwd())
    return _importing(name, lambda: importlib.import_module(name), what)


def _look_first_in(directory: Path) -> None:
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
        importlib.invalidate_caches()


def _importing(name: str, do: Callable[[], T], what: str) -> T:
    try:
        return do()
    except SyntaxError as error:
        if error.lineno is not None:
            where = f"{error.filename}:{error.lineno}"
        else:
            where = name
        raise WorkflowError(f"{where}: the {what} is not valid Python: {error.msg}") from error
    except ImportError as error:
        hint = ""
        if "relative import" in str(error):
            hint = (
                "; in a file given by its path, import files beside it by their plain names: from"
                " helpers import x"
            )
        raise WorkflowError(f"{name}: the {what} cannot be imported: {error}{hint}") from error
    except SystemExit as error:
        raise WorkflowError(
            f"{name}: the {what} ends the program when it is imported (sys.exit)"
        ) from error
    except Exception as error:
        raise WorkflowError(
            f"{name}: the {what} cannot be imported: {type(error).__name__}: {error}"
        ) from error
