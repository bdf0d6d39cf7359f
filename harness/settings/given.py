"""A value and who gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.settings.toml_tables import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value and who gave it.

    `where` begins a message about it; `origin` is what `harness config` shows. `rank` is the
    source's: the greater rules. `said` is the value as it was written in a flag or a variable;
    `raw` the text of the file, to find lines in.
    """

    name: str
    value: Any
    origin: str
    where: str
    rank: int
    said: str | None = None
    raw: str | None = None

    def told(self, value: object) -> str:
        """Return the source and the value in words.

        Such as `--endpoint x`, or `harness.toml:3: endpoint = 'x'`.
        """
        if self.said is not None:
            return f"{self.where}{cut(self.said)}"
        return f"{self.where}: {self.name} = {shown(value)}"


def cut(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
