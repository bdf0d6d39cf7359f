"""What may be chosen for a step without changing what it asks: model, thinking, caps, sampling, streaming."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from harness.domain.completion import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """None means: not chosen here. `stream` is how the answer travels; all others are part of the request."""

    model: str | None = None
    thinking: bool | None = None
    effort: Effort | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = None

    def over(self, base: StepOptions) -> StepOptions:
        """These options where they are chosen, else those of `base`."""
        chosen = {name: value for name in _NAMES if (value := getattr(self, name)) is not None}
        return replace(base, **chosen) if chosen else base


_NAMES = tuple(field.name for field in fields(StepOptions))
