"""The author's line in a traceback: the innermost one in the workflow's own files.

A file belongs to whoever owns the deepest of the known directories that it lies in. So a library
that is installed beneath the workflow's directory is still a library, and a workflow that is itself
installed is still the author's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

_LIBRARIES = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A line of code that an exception came through; `line` counts from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Whose files are whose, as absolute paths of files and directories.

    `own` are the workflow's file and the directory that it lies in; `foreign` those of Python and
    of this package.
    """

    own: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def authors_frame(frames: Sequence[Frame], files: Files) -> Frame | None:
    """Return the frame of the author's own code, or None.

    `frames` are those of a traceback, the outermost first. Code that is neither the workflow's nor
    a library's, such as a package of the author's in another place, is the author's only where no
    frame is in the workflow's own files.
    """
    nobodys: Frame | None = None
    for frame in reversed(frames):
        owner = _owner(frame.file, files)
        if owner == "author":
            return frame
        if owner == "unknown" and nobodys is None:
            nobodys = frame
    return nobodys


def _owner(file: str, files: Files) -> Literal["author", "foreign", "unknown"]:
    if file.startswith("<"):  # made while the program runs, such as the methods of a dataclass
        return "foreign"
    own = _deepest(file, files.own)
    foreign = max(_deepest(file, files.foreign), _library(file))
    if own == foreign == 0:
        return "unknown"
    return "author" if own > foreign else "foreign"


def _deepest(file: str, places: Iterable[str]) -> int:
    """The length of the longest of these paths that the file is, or lies in; 0: none."""
    lengths = [len(place) for place in places if file == place or file.startswith(f"{place}/")]
    return max(lengths, default=0)


def _library(file: str) -> int:
    """The same for the directory of installed packages that the file lies in."""
    ends = [file.rfind(f"/{name}/") + len(name) + 1 for name in _LIBRARIES if f"/{name}/" in file]
    return max(ends, default=0)
