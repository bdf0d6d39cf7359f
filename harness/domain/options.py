"""What may be chosen for a step without changing what it asks: model, thinking, caps, sampling, streaming."""

from __future__ import annotations

from dataclasses import dataclass

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
        return StepOptions(
            model=base.model if self.model is None else self.model,
            thinking=base.thinking if self.thinking is None else self.thinking,
            effort=base.effort if self.effort is None else self.effort,
            max_tokens=base.max_tokens if self.max_tokens is None else self.max_tokens,
            temperature=base.temperature if self.temperature is None else self.temperature,
            top_p=base.top_p if self.top_p is None else self.top_p,
            stream=base.stream if self.stream is None else self.stream,
        )
