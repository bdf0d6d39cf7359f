"""The expectation that a Python function of the user's decides: what it returns, and what it
raises.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import WorkflowError
from harness.records.stored import StoredSpan
from harness.regress.case import Case, CaseRows, Row
from harness.regress.checks.expectation import Finding, Shortfall, View
from harness.settings.toml_tables import suggestion
from harness.workflows.importing import import_file, import_named


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsFunction:
    """`function(case)`, or for a step `function(case, call)`, returns None or True; a text is what
    is wrong.

    It is given a copy: what it changes for itself, no other check sees.
    """

    name: str
    function: Callable[..., object]

    @property
    def wanted(self) -> str:
        return f"{self.name} agrees"

    def look(self, view: View) -> Finding:
        case = view.case.as_rows()
        given: tuple[Any, ...] = (
            (case,) if view.call is None else (case, _row_of(view.call, view.case, case))
        )
        try:
            said = self.function(*given)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a user's function raises is its verdict
            return self._shortfall(
                view, f"raised {type(error).__name__}: {error} ({_where(error)})"
            )
        match said:
            case None | True:
                return None
            case False:
                return self._shortfall(view, "returned False")
            case str() if said.strip():
                return self._shortfall(view, said.strip())
        return self._shortfall(
            view, f"returned {said!r:.100}; it must be True, False, None or a text that says why"
        )

    def _shortfall(self, view: View, message: str) -> Shortfall:
        return Shortfall(message=f"{self.name}: {message}", expected=self.wanted, got=view.text)


def find_function(name: str, *, beside: Path, of_calls: bool) -> Callable[..., object]:
    """The function named `path.py:function`, the path from `beside` on, or `module:function`.
    Raises ValueError.
    """
    where, colon, attribute = name.rpartition(":")
    if not colon or not where or not attribute:
        raise ValueError("must be path.py:function or module:function")
    try:
        if where.endswith(".py"):
            module = import_file(beside / where, what="check")
        else:
            module = import_named(where, what="check")
    except WorkflowError as error:
        raise ValueError(str(error)) from error
    function = getattr(module, attribute, None)
    if function is None:
        known = [known for known, value in vars(module).items() if inspect.isfunction(value)]
        raise ValueError(f"{where} has no function {attribute!r}{suggestion(attribute, known)}")
    arguments = ("case", "call") if of_calls else ("case",)
    example = f"def {attribute}({', '.join(arguments)}): ..."
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise ValueError(f"must be a plain function: {example}")
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        raise ValueError(f"must take {' and '.join(arguments)}: {example}") from None
    found: Callable[..., object] = function
    return found


def _row_of(call: StoredSpan, case: Case, rows: CaseRows) -> Row:
    """Return the row of a call among those of its case."""
    return next(row for one, row in zip(case.calls, rows.calls, strict=True) if one is call)


def _where(error: BaseException) -> str:
    """The innermost line of the user's own that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    return f"{Path(last.filename).name}:{last.lineno}, in {last.name}"
