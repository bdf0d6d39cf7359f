"""Flags made from the settings: one table, one help text, one check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.settings import Loaded, Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

_SHORT = {"quiet": "-q", "verbose": "-v", "yes": "-y", "out": "-o"}
_METAVARS = {
    "prompts": "FILE",
    "cache": "FILE",
    "out": "DIR",
    "budget": "USD",
    "base_url": "URL",
    "shuffle": "SEED",
    "workflow": "NAME",
    "endpoint": "PROFILE",
    "thinking": "on|off",
    "effort": "LEVEL",
    "cache_mode": "MODE",
    "ttl": "AGE",
    "filter": "EXPR",
    "latency": "MODEL",
    "faults": "PLAN",
    "model": "NAME",
    "topic_field": "NAME",
    "id_field": "NAME",
    "api_key_env": "VAR",
}
_TABLES = frozenset({"steps", "workflow_settings", "prices"})

RUN_OPTIONS = tuple(name for name in Settings.model_fields if name not in _TABLES)
CALL_OPTIONS = (
    *("endpoint", "base_url", "api_key_env", "model", "thinking", "effort", "stream"),
    *("cache", "cache_mode", "ttl", "attempts", "connect_timeout", "idle_timeout", "total_timeout"),
    *("budget", "budget_tokens", "seed", "latency", "faults", "json_output", "quiet", "verbose"),
)
DATASET_OPTIONS = ("topic_field", "id_field", "limit", "shuffle", "filter", "skip_bad")


def settings_options(*names: str) -> Callable[[F], F]:
    """Flags for these settings, and `--config`. A flag that is not given leaves its value to the other sources."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            command = _option(name)(command)
        return click.option(
            "--config", type=click.Path(path_type=Path), help="Settings file, in place of ./harness.toml."
        )(command)

    return decorate


def loaded_from(values: Mapping[str, Any], *, base: Mapping[str, Any] | None = None) -> Loaded:
    """Settings from the flags that were given, with the environment and the file behind them."""
    config = values.get("config")
    flags = {
        Settings.model_fields[name].alias or name: value
        for name, value in values.items()
        if name in Settings.model_fields and value is not None and value != ()
    }
    return load_settings(flags, config=config, base=base)


def _option(name: str) -> Callable[[F], F]:
    field = Settings.model_fields[name]
    flag = "--" + (field.alias or name).replace("_", "-")
    help_text = field.description or ""
    if name == "stream":
        return click.option(f"{flag}/--no-{name}", name, default=None, help=help_text)
    if field.annotation is bool:
        short = (_SHORT[name],) if name in _SHORT else ()
        return click.option(*short, flag, name, is_flag=True, default=None, help=help_text)
    if field.default not in (None, ()) and "[default" not in help_text:
        help_text += f"  [default: {field.default}]"
    short = (_SHORT[name],) if name in _SHORT else ()
    return click.option(
        *short, flag, name, metavar=_METAVARS.get(name, "N"), multiple=name == "filter", default=None, help=help_text
    )
