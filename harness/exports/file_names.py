"""Names of files made from ids that anybody may have chosen."""

from __future__ import annotations

import re
import unicodedata

_LONGEST_BYTES = 80
_NOT_IN_NAMES = re.compile(r"[^\w.]+")


def report_name(topic_index: int, topic_id: str, *, topics: int) -> str:
    """`007-tea.md`: the place in the dataset of `topics` topics, and what of the id a file name can
    hold.

    The number leads, so that no two names are equal, also where a file system ignores case, they
    sort as the dataset does, and none is reserved (`CON`), hidden, empty or a path. The id keeps
    the letters and digits of any script.
    """
    width = max(3, len(str(max(0, topics - 1))))
    number = f"{topic_index:0{width}d}"
    slug = _NOT_IN_NAMES.sub("-", unicodedata.normalize("NFC", topic_id))
    slug = _cut(re.sub(r"\.{2,}", ".", slug)).strip("-._")
    return f"{number}-{slug}.md" if slug else f"{number}.md"


def _cut(text: str) -> str:
    """So much of a text as fits into the name, whole characters; Linux and macOS allow 255 bytes
    for all of it.
    """
    return text.encode("utf-8", "replace")[:_LONGEST_BYTES].decode("utf-8", "ignore")
