"""Exceptions of a workflow as values for records, with the author's line that each came from."""

from __future__ import annotations

import inspect
import linecache
import os
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.domain.failures import CacheMiss, CompletionError, TopicBudgetExceeded
from harness.domain.frames import Files, Frame, authors_frame
from harness.domain.repeated import Alike
from harness.domain.run import Failure
from harness.domain.spans import failure_of
from harness.errors import RunStopped, StorageError, TopicFailed
from harness.text.amounts import counted
from harness.text.safe import terminal_safe

LONGEST_LINE = 200
MOST_TOLD = 5

_NOT_THE_AUTHORS = (
    CompletionError,
    CacheMiss,
    TopicBudgetExceeded,
    TopicFailed,
    RunStopped,
    StorageError,
)
"""A call that failed, a topic given up on purpose, the end of the run: nothing of it is mended in
the code.
"""

_PACKAGE = str(Path(__file__).parent.parent)
_PYTHON = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_FOREIGN = tuple({_PACKAGE, str(Path(os.__file__).parent), *_PYTHON})


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """`alike` tells by their type and line what the author has to mend; empty: nothing that the
    code could help.

    `error` is the exception itself, where there was one.
    """

    failure: Failure
    alike: Alike
    error: BaseException | None = None


def raised_by(
    error: BaseException, own: tuple[str, ...], redact: Callable[[str], str] = str
) -> Raised:
    """The exception that a workflow raised; `own` are the paths of its files. What `redact` masks
    is in no text of it.

    A group is told as its one cause, or as several where they differ in their type or their line.
    """
    files = Files(own=own, foreign=_FOREIGN)
    causes: dict[tuple[str, str], Failure] = {}
    for cause in _causes(error):
        failure = _told(cause, files, redact)
        causes.setdefault((failure.type, failure.where or ""), failure)
    # Sorted, for parts that run side by side fail in any order.
    told = sorted(causes.values(), key=lambda failure: (failure.where or "", failure.type))
    hopeless = any(_is_not_the_authors(cause) for cause in _causes(error))
    return Raised(
        failure=told[0] if len(told) == 1 else _several(error, told),
        alike=frozenset() if hopeless else frozenset(causes),
        error=error,
    )


def returned_by(
    workflow: Callable[..., object],
    reason: str,
    own: tuple[str, ...],
    redact: Callable[[str], str] = str,
) -> Raised:
    """A workflow that returned what no row can hold, told with the line at which it begins."""
    failure = Failure(type="WorkflowError", message=redact(reason))
    code = getattr(inspect.unwrap(workflow), "__code__", None)
    if code is None:
        begins = []
    else:
        begins = [Frame(file=_absolute(code.co_filename), line=code.co_firstlineno)]
    failure = _placed(failure, begins, Files(own=own, foreign=_FOREIGN), redact)
    return Raised(failure=failure, alike=frozenset({(failure.type, failure.where or "")}))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, or all that a group holds, in its order."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error


def _told(error: BaseException, files: Files, redact: Callable[[str], str]) -> Failure:
    failure = failure_of(error)
    failure = replace(failure, message=redact(failure.message))
    if isinstance(error, _NOT_THE_AUTHORS):
        return failure
    return _placed(failure, _frames(error), files, redact)


def _placed(
    failure: Failure, frames: list[Frame], files: Files, redact: Callable[[str], str]
) -> Failure:
    """The failure with the author's line among these frames, where there is one."""
    frame = authors_frame(frames, files)
    if frame is None:
        return failure
    return replace(failure, where=_where(frame), code=_line(frame, redact))


def _several(error: BaseException, causes: list[Failure]) -> Failure:
    told = []
    for cause in causes:
        where = f" at {cause.where}" if cause.where else ""
        told.append(f"{cause.type}{where}: {cause.message}")
    if len(told) > MOST_TOLD:
        told = [*told[:MOST_TOLD], f"and {len(told) - MOST_TOLD} more"]
    located = next((cause for cause in causes if cause.where is not None), causes[0])
    return Failure(
        type=type(error).__name__,
        message=f"{counted(len(causes), 'error')} at once: {'; '.join(told)}",
        where=located.where,
        code=located.code,
    )


def _is_not_the_authors(error: BaseException) -> bool:
    """Return whether it is, or was raised because of, something that no change of the code would
    mend.
    """
    known: set[int] = set()
    left = [error]
    while left:
        one = left.pop()
        if id(one) in known:
            continue
        known.add(id(one))
        if isinstance(one, _NOT_THE_AUTHORS):
            return True
        left += _causes_before(one)
    return False


def _causes_before(error: BaseException) -> Iterator[BaseException]:
    if error.__cause__ is not None or error.__suppress_context__:
        before = error.__cause__
    else:
        before = error.__context__
    if before is not None:
        yield from _causes(before)


def _frames(error: BaseException) -> list[Frame]:
    walked = traceback.walk_tb(error.__traceback__)
    return [Frame(file=_absolute(frame.f_code.co_filename), line=line) for frame, line in walked]


def _absolute(file: str) -> str:
    if file.startswith("<"):
        return file
    return os.path.abspath(file)


def _where(frame: Frame) -> str:
    """`file:line`, from the working directory where the file lies in it."""
    try:
        inside = frame.file.startswith(f"{os.getcwd().rstrip('/')}/")
        file = os.path.relpath(frame.file) if inside else frame.file
    except OSError:  # the working directory was removed
        file = frame.file
    return terminal_safe(f"{file}:{frame.line}")


def _line(frame: Frame, redact: Callable[[str], str]) -> str | None:
    """The line of code itself; None where its file is not to be read."""
    text = terminal_safe(redact(linecache.getline(frame.file, frame.line).strip()))
    if len(text) > LONGEST_LINE:
        return f"{text[: LONGEST_LINE - 1]}…"
    return text or None
