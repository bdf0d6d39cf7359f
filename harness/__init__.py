"""A caching batch-processing and benchmarking harness for multi-step reasoning workflows.

The names below are the public ones. They are imported when they are first used, so that `import
harness` is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from harness._version import __version__

if TYPE_CHECKING:
    from harness.api import ask, ask_sync, run, run_sync
    from harness.domain.completion import Completion, Delta, JsonSchema, Message, Tool, Usage
    from harness.domain.failures import CompletionError
    from harness.domain.parsing import parse_json, parse_string_list
    from harness.domain.run import Failed, Ok, Output, Topic
    from harness.domain.step_options import StepOptions
    from harness.engine.step import Step
    from harness.engine.stopping import Stop
    from harness.errors import HarnessError, InputError, ParseError, Rejected, TopicFailed
    from harness.records.run import read_results, read_spans
    from harness.runs.session import Report
    from harness.workflows.image_file import image

_HOMES = {
    "harness.records.run": ("read_results", "read_spans"),
    "harness.api": ("ask", "ask_sync", "run", "run_sync"),
    "harness.runs.session": ("Report",),
    "harness.domain.completion": ("Completion", "Delta", "JsonSchema", "Message", "Tool", "Usage"),
    "harness.workflows.image_file": ("image",),
    "harness.domain.step_options": ("StepOptions",),
    "harness.domain.parsing": ("parse_json", "parse_string_list"),
    "harness.domain.run": ("Failed", "Ok", "Output", "Topic"),
    "harness.engine.step": ("Step",),
    "harness.engine.stopping": ("Stop",),
    "harness.domain.failures": ("CompletionError",),
    "harness.errors": ("HarnessError", "InputError", "ParseError", "Rejected", "TopicFailed"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Completion",
    "CompletionError",
    "Delta",
    "Failed",
    "HarnessError",
    "InputError",
    "JsonSchema",
    "Message",
    "Ok",
    "Output",
    "ParseError",
    "Rejected",
    "Report",
    "Step",
    "StepOptions",
    "Stop",
    "Tool",
    "Topic",
    "TopicFailed",
    "Usage",
    "__version__",
    "ask",
    "ask_sync",
    "image",
    "parse_json",
    "parse_string_list",
    "read_results",
    "read_spans",
    "run",
    "run_sync",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
