"""Measures how dense the code of a package is, beside another directory or an earlier version of
itself.

    python benchmarks/house.py harness [OTHER]

A thermometer and not a gate: no test asserts a figure of it. It reads the source with `ast` and
`tokenize` and imports nothing of it. How each figure is counted stands in `ROWS` at the end, and
`--explain` prints it.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

LONG_LINE = 100
QUESTION_WORDS = {"what", "how", "whether", "who", "where", "when", "why", "which"}
ROW_NAMES = {"row", "span", "call", "served", "usage", "failure", "error", "totals", "report"}
RECORDS = "records"
"""The folder that may read rows by their keys."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(slots=True)
class Counts:
    """Sums over the files of a directory."""

    files: int = 0
    code_lines: int = 0
    long_lines: int = 0
    functions: int = 0
    function_lines: int = 0
    complexity: int = 0
    too_complex: int = 0
    comprehensions: int = 0
    loops: int = 0
    conditional_expressions: int = 0
    ifs: int = 0
    docstrings: int = 0
    questions: int = 0
    row_keys: int = 0
    all_keys: int = 0

    def add_file(self, text: str, *, in_records: bool) -> None:
        """Count one file. Raises SyntaxError for what is not Python."""
        tree = ast.parse(text)
        code = code_lines(text, tree)
        self.files += 1
        self.code_lines += len(code)
        self.long_lines += sum(len(line) > LONG_LINE for line in text.splitlines())
        for node in ast.walk(tree):
            self._add_branching(node)
            if isinstance(node, Function):
                self._add_function(node, code)
            if isinstance(node, ast.Module | ast.ClassDef | Function):
                self._add_docstring(ast.get_docstring(node))
            if not in_records:
                self._add_key(node)

    def _add_branching(self, node: ast.AST) -> None:
        self.comprehensions += isinstance(node, _COMPREHENSIONS)
        self.loops += isinstance(node, _LOOPS)
        self.conditional_expressions += isinstance(node, ast.IfExp)
        self.ifs += isinstance(node, ast.If)

    def _add_function(self, node: Function, code: set[int]) -> None:
        complexity = complexity_of(node)
        self.functions += 1
        self.function_lines += sum(node.lineno <= line <= (node.end_lineno or 0) for line in code)
        self.complexity += complexity
        self.too_complex += complexity > 10

    def _add_docstring(self, docstring: str | None) -> None:
        if not docstring:
            return
        self.docstrings += 1
        self.questions += docstring.split()[0].lower().strip(",:.") in QUESTION_WORDS

    def _add_key(self, node: ast.AST) -> None:
        owner = owner_of_literal_key(node)
        if owner is None:
            return
        self.all_keys += 1
        self.row_keys += (
            isinstance(node, ast.Subscript)
            and isinstance(owner, ast.Name)
            and owner.id in ROW_NAMES
        )


def counts_of(directory: Path) -> Counts:
    """The counts of all Python files below a directory."""
    counts = Counts()
    for path in sorted(directory.rglob("*.py")):
        in_records = RECORDS in path.relative_to(directory).parts[:-1]
        counts.add_file(path.read_text(encoding="utf-8"), in_records=in_records)
    return counts


def code_lines(text: str, tree: ast.AST) -> set[int]:
    """The numbers of the lines that hold code: no blank lines, no comments, no docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | Function)
            and ast.get_docstring(node) is not None
        ):
            docstring = node.body[0]
            lines.difference_update(
                range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1)
            )
    return lines


def complexity_of(function: Function) -> int:
    """The cyclomatic complexity as radon has it: 1, and one more for each way that the code can
    fork.

    A function within is a function of its own and adds nothing here; a class within adds nothing
    either.
    """
    return 1 + sum(forks_at(node) for statement in function.body for node in own_nodes(statement))


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, without the functions and classes defined there."""
    if isinstance(node, Function | ast.ClassDef):
        return
    yield node
    if isinstance(node, ast.Assert):  # radon looks at no expression of an assert
        return
    for child in ast.iter_child_nodes(node):
        yield from own_nodes(child)


def forks_at(node: ast.AST) -> int:
    """The forks that this node alone adds."""
    match node:
        case ast.If() | ast.IfExp() | ast.Assert():
            return 1
        case ast.For() | ast.AsyncFor() | ast.While():
            return 1 + bool(node.orelse)
        case ast.Try() | ast.TryStar():
            return len(node.handlers) + bool(node.orelse)
        case ast.BoolOp():
            return len(node.values) - 1
        case ast.comprehension():
            return 1 + len(node.ifs)
        case ast.Match():
            return sum(not is_wildcard(case.pattern) for case in node.cases)
        case _:
            return 0


def is_wildcard(pattern: ast.pattern) -> bool:
    """Whether a pattern is a bare `_` or a bare name, which matches all that is left."""
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def owner_of_literal_key(node: ast.AST) -> ast.expr | None:
    """The `x` of `x["key"]` where that is read, or of `x.get("key")`; None for any other node."""
    match node:
        case ast.Subscript(value=owner, slice=ast.Constant(value=str()), ctx=ast.Load()):
            return owner
        case ast.Call(
            func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=str()), *_]
        ):
            return owner
        case _:
            return None


def per(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "–"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, and how its figure is counted."""

    title: str
    figure: Callable[[Counts], str]
    counted: str


ROWS = (
    Row(
        "code lines",
        lambda c: f"{c.code_lines:,}",
        "lines with a token that is no comment and no docstring",
    ),
    Row("files", lambda c: f"{c.files:,}", "*.py"),
    Row(
        "functions",
        lambda c: f"{c.functions:,}",
        "def and async def, methods and functions within functions too",
    ),
    Row(
        "code lines per function",
        lambda c: per(c.function_lines, c.functions),
        "from def to the end, without decorators",
    ),
    Row(
        "complexity per line of function",
        lambda c: per(c.complexity, c.function_lines),
        "radon's rule (if, conditional expression, loop and its else, except, and/or, "
        "comprehension and its ifs, assert, case) over the code lines of functions",
    ),
    Row(
        "functions over complexity 10",
        lambda c: percent(c.too_complex, c.functions),
        "by the same rule",
    ),
    Row(
        "comprehensions per loop",
        lambda c: per(c.comprehensions, c.loops),
        "generators too, over for and while",
    ),
    Row(
        "conditional expressions per if",
        lambda c: per(c.conditional_expressions, c.ifs),
        "elif is an if",
    ),
    Row(
        "docstrings that open with a question",
        lambda c: percent(c.questions, c.docstrings),
        "first word one of " + ", ".join(sorted(QUESTION_WORDS)),
    ),
    Row(
        'row["key"] outside records/',
        lambda c: f"{c.row_keys:,}",
        f"reads by a literal key of a variable named {', '.join(sorted(ROW_NAMES))}; "
        "a name is a guess, so see the next",
    ),
    Row(
        'any x["key"], x.get("key") outside records/',
        lambda c: f"{c.all_keys:,}",
        "reads by a literal key of anything: JSON of servers and tables of settings, too",
    ),
    Row(
        f"lines over {LONG_LINE} characters",
        lambda c: f"{c.long_lines:,}",
        "of any kind, comments and docstrings too",
    ),
)


def table(names: Sequence[str], columns: Sequence[Counts]) -> Iterator[str]:
    """The lines of the table, one column a directory."""
    title_width = max(len(row.title) for row in ROWS)
    widths = [max(len(name), 9) for name in names]
    yield _line("", title_width, names, widths)
    for row in ROWS:
        yield _line(row.title, title_width, [row.figure(column) for column in columns], widths)


def _line(title: str, title_width: int, cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([title.ljust(title_width), *padded]).rstrip()


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures how dense the code of a directory is.")
    parser.add_argument(
        "directory", type=Path, nargs="+", help="a package; two of them stand side by side"
    )
    parser.add_argument("--explain", action="store_true", help="print how each figure is counted")
    chosen = parser.parse_args()
    for directory in chosen.directory:
        if not any(directory.rglob("*.py")):
            parser.error(
                f"{directory}: no Python file is below it; name the directory of a package, such as"
                " harness"
            )
    for line in table(
        [str(each) for each in chosen.directory], [counts_of(each) for each in chosen.directory]
    ):
        print(line)
    if chosen.explain:
        print()
        for row in ROWS:
            print(f"{row.title}: {row.counted}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
