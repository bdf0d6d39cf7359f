"""Settings from flags, the environment and TOML files, checked, with the origin of each value.

A flag rules over the environment (`HARNESS_IN_FLIGHT=8`, also in a file `.env`), which rules over
the file (`--config FILE`, else `harness.toml` in the working directory), which rules over the
default. This package is the only reader of the environment.
"""

from harness.settings.checking import notes_on
from harness.settings.kinds import duration_s
from harness.settings.loaded import MOCK_KEY, Loaded
from harness.settings.model import SECTIONS, Settings, field_names
from harness.settings.sources import load_settings, step_summary_file

__all__ = [
    "MOCK_KEY",
    "SECTIONS",
    "Loaded",
    "Settings",
    "duration_s",
    "field_names",
    "load_settings",
    "notes_on",
    "step_summary_file",
]
