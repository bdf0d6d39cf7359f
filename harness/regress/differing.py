"""How two texts differ, in words: the one place that decides how a difference is drawn."""

from __future__ import annotations

import difflib
import re

CONTEXT = 60
"""Characters that are shown of an equal stretch on either side of a change."""


def diff_text(expected: str, got: str) -> str:
    """The texts as one: `[-what was expected-]{+what came+}`, with a little of what stayed around it."""
    before, after = (re.findall(r"\w+\s*|[^\w]", text) for text in (expected, got))
    parts = []
    for kind, start, end, other_start, other_end in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        went, came = "".join(before[start:end]), "".join(after[other_start:other_end])
        if kind == "equal":
            parts.append(went if len(went) <= 2 * CONTEXT else f"{went[:CONTEXT]} […] {went[-CONTEXT:]}")
        else:
            parts.append((f"[-{went}-]" if went else "") + (f"{{+{came}+}}" if came else ""))
    return "".join(parts)
