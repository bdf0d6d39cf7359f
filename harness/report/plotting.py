"""uPlot, the library that draws the plots, out of the package that carries it.

`uplot-python` (extra `report`) brings uPlot's own script and style; they are copied into the page
when it is written. Nothing of the package is imported: it would load numpy and IPython to hand over
a file. So it is enough without its dependencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "uplot-python"
EXTRA = "report"
MISSING = (
    f"The plots need the package {PACKAGE}: pip install 'reasoning-harness[{EXTRA}]', or only the"
    f" package itself with pip install --no-deps {PACKAGE}."
)
_SCRIPT, _STYLE = "uplot/static/uPlot.iife.js", "uplot/static/uPlot.min.css"


@dataclass(frozen=True, slots=True)
class Plotting:
    """The library's script and style, or neither; `missing` says what to do then."""

    script: str = ""
    style: str = ""
    missing: str = ""


def plotting() -> Plotting:
    """The library, if its package is installed."""
    try:
        found = distribution(PACKAGE)
        script, style = (
            Path(str(found.locate_file(name))).read_text(encoding="utf-8")
            for name in (_SCRIPT, _STYLE)
        )
    except (PackageNotFoundError, OSError):
        return Plotting(missing=MISSING)
    return Plotting(script=script, style=style)
