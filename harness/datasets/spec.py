"""The choice of topics by a user, as a value, and the order that a shuffle gives them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from harness.domain.filters import Filter
from harness.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """The choice of topics, and the file that holds them.

    `path` is a file, or `-` for standard input; `name` is what messages call it (None: the path).
    Filters select first, then `shuffle_seed` orders, then `limit` takes the first, and each of
    these is drawn `samples` times. Raises SettingsError for what can mean nothing.
    """

    path: str
    topic_field: str = "topic"
    id_field: str = "id"
    limit: int | None = None
    shuffle_seed: int | None = None
    filters: tuple[Filter, ...] = ()
    samples: int = 1
    name: str | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise SettingsError(f"--limit {self.limit}: at least 1 topic is needed")
        if self.topic_field == self.id_field:
            raise SettingsError(
                f"--topic-field and --id-field are both {self.id_field!r}; they are two fields"
            )

    @property
    def shown_name(self) -> str:
        return self.name or ("<stdin>" if self.path == "-" else self.path)


def shuffled_rank(seed: int, number: int) -> int:
    """Return the sort key of a line in a shuffled dataset: the SHA-256 of `seed:line number`.

    So the order is the same on every machine and in every version, and lines added at the end of a
    file do not change the order of those before.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:8], "big") >> 1
