"""Flags made from the settings: one table, one help text, one check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.cli.help import GENERAL, SectionedOption
from harness.settings import SECTIONS, Loaded, Settings, load_settings
from harness.settings.kinds import base_kind, choices
from harness.settings.model import TABLES, kind_of

F = TypeVar("F", bound=Callable[..., Any])

_SHORT = {"quiet": "-q", "verbose": "-v", "yes": "-y", "out": "-o"}


def _extra(name: str) -> dict[str, Any]:
    extra = Settings.model_fields[name].json_schema_extra
    return extra if isinstance(extra, dict) else {}


def section_of(name: str) -> str:
    """The heading of a setting, by its field's name."""
    return str(_extra(name)["section"])


def metavar_of(name: str) -> str:
    """Say what stands for a setting's value in help: its choices, or one word."""
    found = choices(Settings.model_fields[name].annotation)
    return f"[{'|'.join(found)}]" if found else str(_extra(name)["metavar"])


def default_note(name: str) -> str:
    """`  [default: …]`, where the description does not say it and there is one."""
    field = Settings.model_fields[name]
    if (
        field.default in (None, ())
        or isinstance(field.default, bool)
        or "[default" in (field.description or "")
    ):
        return ""
    return (
        f"  [default: {field.default:g}]"
        if isinstance(field.default, float)
        else f"  [default: {field.default}]"
    )


def flag_of(name: str) -> str:
    """`--in-flight`, by the field's name."""
    return "--" + (Settings.model_fields[name].alias or name).replace("_", "-")


def _in_sections(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: SECTIONS.index(section_of(name))))


RUN_OPTIONS = _in_sections([name for name in Settings.model_fields if name not in TABLES])


def settings_options(*names: str, config: bool = True) -> Callable[[F], F]:
    """Flags for these settings, and `--config`. A flag that is not given leaves its value to the
    other sources.
    """

    def decorate(command: F) -> F:
        if config:
            command = click.option(
                "--config",
                cls=SectionedOption,
                section=GENERAL,
                metavar="FILE",
                type=click.Path(path_type=Path),
                help="Settings file (TOML), in place of ./harness.toml.",
            )(command)
        for name in reversed(names):
            command = _option(name)(command)
        return command

    return decorate


def loaded_from(values: Mapping[str, Any], *, base: Mapping[str, Any] | None = None) -> Loaded:
    """Settings from the flags that were given, with the environment and the file behind them."""
    flags = {
        Settings.model_fields[name].alias or name: value
        for name, value in values.items()
        if name in Settings.model_fields and value is not None and value != ()
    }
    return load_settings(flags, config=values.get("config"), base=base, flag_style=True)


def _option(name: str) -> Callable[[F], F]:
    field = Settings.model_fields[name]
    flag, short = flag_of(name), [_SHORT[name]] if name in _SHORT else []
    common: dict[str, Any] = {
        "cls": SectionedOption,
        "section": section_of(name),
        "default": None,
        "help": f"{field.description}{default_note(name)}",
    }
    if field.default in (True, False) and base_kind(kind_of(field.alias or name)) is bool:
        negation = f"--no-{flag.removeprefix('--')}"
        return click.option(
            *short, f"{flag}/{negation}", name, shows_negation=field.default is True, **common
        )
    return click.option(
        *short, flag, name, metavar=metavar_of(name), multiple=_is_many(name), **common
    )


def _is_many(name: str) -> bool:
    """Return whether a setting is several texts, so that its flag may be repeated."""
    return base_kind(kind_of(Settings.model_fields[name].alias or name)) is tuple
