"""The page: one HTML file with everything in it, and a policy that lets nothing else in or out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

from harness._version import __version__
from harness.report.blocks import TOPICS_A_BLOCK, encoded
from harness.report.columns import json_parts
from harness.report.plotting import Plotting
from harness.text.safe import html_safe

BEGINNING = b"<!doctype html>\n"
"""The beginning of every page."""

_SCRIPTS = (
    *(
        "dom",
        "format",
        "theme",
        "charts",
        "plots",
        "header",
        "metrics",
        "numbers",
        "comparison",
        "troubles",
    ),
    *("rows", "sources", "topics", "gantt", "call", "detail", "topic", "source", "live", "report"),
)
_INDEX_SCRIPTS = ("dom", "format", "live", "runs")
_STYLES = ("base", "summary", "tables", "topic", "media")
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect"
    " width='16' height='16' rx='4' fill='%232f6feb'/%3E%3Cpath d='M4 4v8M12 4v8M4 8h8'"
    " stroke='white' stroke-width='2'/%3E%3C/svg%3E"
)


def policy(scripts: Iterable[str], styles: Iterable[str], *, served: bool = False) -> str:
    """The content-security policy of a page with these inline scripts and styles, known by their
    hashes.

    A page that is served may speak to where it came from; one from the disk to nobody. Text never
    becomes markup or code in either: the sinks that would do it are closed.
    """
    connect = "'self'" if served else "'none'"
    rules = [
        "default-src 'none'",
        f"script-src {_hashes(scripts)}",
        f"style-src {_hashes(styles)}",
        "img-src data:",
        f"connect-src {connect}",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    return "; ".join(rules)


def report_page(
    runs: Sequence[Mapping[str, Any]],
    plotting: Plotting,
    blocks: Iterable[bytes],
    *,
    written_at: datetime,
    served: Mapping[str, Any] | None = None,
) -> Iterator[bytes]:
    """The page of one run, or of two side by side, in parts.

    A page that is served and kept up to date is given the addresses of its `events`, its `source`
    and its `home`, and the `window` of topics that it shows at first.
    """
    title = " · ".join(run["name"] for run in runs)
    data = {
        "live": served is not None,
        **(served or {}),
        "written_at": written_at.isoformat(timespec="seconds"),
        "version": __version__,
        "plots_missing": plotting.missing,
        "topics_a_block": TOPICS_A_BLOCK,
        "runs": runs,
    }
    yield from _page(title, data, _SCRIPTS, plotting, blocks, served=served is not None)


def index_page(runs: Mapping[str, Any]) -> Iterator[bytes]:
    """The page that lists the runs of a directory."""
    yield from _page(
        "Runs", {**runs, "version": __version__}, _INDEX_SCRIPTS, Plotting(), (), served=True
    )


def _page(
    title: str,
    data: Any,
    names: Iterable[str],
    plotting: Plotting,
    blocks: Iterable[bytes],
    *,
    served: bool,
) -> Iterator[bytes]:
    ours = (
        '"use strict";\n(() => {\n' + "\n".join(_static(f"{name}.js") for name in names) + "})();\n"
    )
    scripts = [script for script in (plotting.script, ours) if script]
    style = "\n".join([plotting.style, *(_static(f"{name}.css") for name in _STYLES)])
    # The data stand before our script, which reads them; the blocks after it, so that the page
    # lives before they came.
    yield encoded(
        f"{BEGINNING.decode()}"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy"'
        f' content="{policy(scripts, [style], served=served)}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html_safe(title)} – harness</title>\n"
        f'<link rel="icon" href="{_ICON}">\n'
        f"<style>{style}</style>\n</head>\n<body>\n"
        "<noscript>This page needs JavaScript, which is in the file itself. It loads"
        " nothing.</noscript>\n"
        '<div id="app"></div>\n'
    )
    yield b'<script type="application/json" id="data">'
    yield from json_parts(data)
    yield b"</script>\n"
    for script in scripts:
        yield encoded(f"<script>{script}</script>\n")
    yield from blocks
    yield b"</body>\n</html>\n"


def _static(name: str) -> str:
    return (files("harness.report") / "static" / name).read_text(encoding="utf-8")


def _hashes(texts: Iterable[str]) -> str:
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in texts
    )
