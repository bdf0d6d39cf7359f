"""Writes keywords.py from the settings.

The command is `python -m harness.settings.write_keywords > harness/settings/keywords.py`.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click
from pydantic import BaseModel

from harness.settings.endpoints import EndpointTable, PriceTable
from harness.settings.kinds import LogLevels, Overrides, Seconds, SecondsOrZero, Texts, WholeOrOff
from harness.settings.model import CALL_SETTINGS, Settings
from harness.settings.toml_tables import StepTable

_HEAD = '''\
"""The settings as keyword arguments of `harness.run`, `harness.ask` and the fixture `replay`.

Each has its type. Written by `python -m harness.settings.write_keywords >
harness/settings/keywords.py`; a test checks that it is current. None stands for a setting that is
not given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Required, TypedDict
'''

_TABLES: dict[type[BaseModel], tuple[str, str]] = {
    PriceTable: ("PriceSettings", "Prices of one model, in USD per million tokens."),
    StepTable: ("StepSettings", "Options of one step of the workflow."),
    EndpointTable: ("EndpointSettings", "One endpoint of your own, or a known one with changes."),
}
# Kinds that take more than their type says, because a validator reads a text first.
_WIDER = (
    (Seconds, "float | str"),
    (SecondsOrZero, "float | str"),
    (WholeOrOff, 'int | Literal["off"]'),
    (Texts, "str | list[str] | tuple[str, ...]"),
    (Overrides, "str | list[str] | tuple[str, ...]"),
    (LogLevels, "str | list[str] | tuple[str, ...]"),
)
_GIVEN_APART = "workflow"  # an argument of its own: `replay.run` also takes a function there
_LINE = 100


def keywords_module() -> str:
    """The text of harness/settings/keywords.py."""
    classes = [_class_of_table(table) for table in _TABLES]
    classes.append(
        _class_of_settings("CallSettings", "TypedDict", "Settings of one call.", CALL_SETTINGS)
    )
    others = [
        name for name in Settings.model_fields if name not in CALL_SETTINGS and name != _GIVEN_APART
    ]
    classes.append(
        _class_of_settings(
            "RunSettings", "CallSettings", "Settings of a run: all but its workflow.", others
        )
    )
    return "\n\n".join([_HEAD, *classes])


def _class_of_table(table: type[BaseModel]) -> str:
    """A table of a settings file as a class; only a field without a default must be there."""
    name, about = _TABLES[table]
    kinds = get_type_hints(table, include_extras=True)
    lines = [f"class {name}(TypedDict, total=False):", f'    """{about}"""', ""]
    for field_name, field in table.model_fields.items():
        kind = type_text(kinds[field_name])
        if field.is_required():
            kind = f"Required[{kind}]"
        lines += [*_field(field_name, kind), *_docstring(field.description)]
    return "\n".join([*lines, ""])


def _class_of_settings(name: str, base: str, about: str, fields: Iterable[str]) -> str:
    kinds = get_type_hints(Settings, include_extras=True)
    lines = [f"class {name}({base}, total=False):", f'    """{about}"""', ""]
    for field_name in fields:
        field = Settings.model_fields[field_name]
        kind = type_text(kinds[field_name])
        if not kind.endswith("| None"):
            kind += " | None"
        lines += [*_field(field.alias or field_name, kind), *_docstring(field.description)]
    return "\n".join([*lines, ""])


_PLAIN: Mapping[Any, str] = {
    Path: "str | Path",
    type(None): "None",
    Any: "Any",
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
}


def type_text(kind: Any) -> str:
    """Return the type of the values of a setting of this kind, as Python writes it."""
    for narrow, text in _WIDER:
        if kind == narrow:
            return text
    if kind in _TABLES:
        return _TABLES[kind][0]
    if kind in _PLAIN:
        return _PLAIN[kind]
    return _compound_text(kind)


def _compound_text(kind: Any) -> str:
    """The same for a kind that is made of others."""
    origin = get_origin(kind)
    if origin is Annotated:
        return type_text(get_args(kind)[0])
    if origin is Literal:
        return f"Literal[{', '.join(json.dumps(value) for value in get_args(kind))}]"
    if origin in (Union, UnionType):
        return " | ".join(type_text(part) for part in get_args(kind))
    if origin is dict:
        return f"dict[{', '.join(type_text(part) for part in get_args(kind))}]"
    raise TypeError(f"no type is known for a setting of kind {kind}: add it to {__name__}")


def _field(name: str, kind: str) -> Iterator[str]:
    """One field; a choice among many words is broken into lines as `ruff format` does it."""
    line = f"    {name}: {kind}"
    if len(line) <= _LINE:
        yield line
        return
    words = kind.removeprefix("Literal[").removesuffix("] | None").split(", ")
    yield f"    {name}: ("
    yield "        Literal["
    for word in words:
        yield f"            {word},"
    yield "        ]"
    yield "        | None"
    yield "    )"


def _docstring(description: str | None) -> Iterator[str]:
    """A text below a field, which an editor shows with its name."""
    if description is None:
        return
    text = " ".join(description.split())
    line = f'    """{text}"""'
    if len(line) <= _LINE:
        yield line
        return
    yield '    """'
    yield from textwrap.wrap(text, width=_LINE, initial_indent="    ", subsequent_indent="    ")
    yield '    """'


if __name__ == "__main__":
    click.echo(keywords_module(), nl=False)
