"""Help that can be read: options under the headings they belong to, choices written out."""

from __future__ import annotations

from typing import Any

import click
from click.formatting import join_options

OWN = "Options"
GENERAL = "General"
_COLUMN = 24


class SectionedOption(click.Option):
    """An option that knows its heading. Of a pair `--x/--no-x` the help shows only the one that
    changes something.
    """

    def __init__(
        self, *args: Any, section: str = OWN, shows_negation: bool = False, **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self.section = section
        self.shows_negation = shows_negation

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None or not self.secondary_opts:
            return record
        return join_options(self.secondary_opts if self.shows_negation else self.opts)[0], record[1]


class SectionedCommand(click.Command):
    """A command whose help lists its options by section, in the order in which they were
    declared.
    """

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                # Padded, so that the columns of all sections stand under each other.
                sections.setdefault(_section(parameter), []).append(
                    (f"{record[0]:<{_COLUMN}}", record[1])
                )
        general = sections.pop(GENERAL, [])
        for title, records in [*sections.items(), (GENERAL, general)]:
            if records:
                with formatter.section(title):
                    formatter.write_dl(records, col_max=_COLUMN)


def _section(parameter: click.Parameter) -> str:
    if isinstance(parameter, SectionedOption):
        return parameter.section
    return GENERAL if "--help" in parameter.opts else OWN
