"""The time that a call of a step takes, as a function of its output tokens: fitted to recorded
calls.

An ordinary least-squares line, and around it what the line leaves over: a draw takes the residual
of a recorded call of a similar length, so that long answers may scatter more than short ones. No
more is assumed of the distribution.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

NEIGHBOURS = 50
"""The number of recorded calls of a similar length from which a residual is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A recorded call with a known time: from its sending to its being stored, in seconds."""

    step: str
    output_tokens: int
    duration_s: float
    ttft_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFit:
    """`base_s + per_token_s * output_tokens`, plus a residual. `tokens` are sorted, `residuals_s`
    go with them.

    `ttft_s` is the median time to the first token, of reasoning or answer; None where no call told
    it.
    """

    step: str
    base_s: float
    per_token_s: float
    tokens: Sequence[int]
    residuals_s: Sequence[float]
    shortest_s: float
    mean_s: float
    ttft_s: float | None

    @property
    def calls(self) -> int:
        return len(self.tokens)

    def line_s(self, output_tokens: int) -> float:
        """The expected seconds of a call with so many output tokens."""
        return self.base_s + self.per_token_s * output_tokens

    def draw_s(self, output_tokens: int, draw: float) -> float:
        """Seconds that a call may take; `draw` is uniform in [0, 1). Never less than the shortest
        recorded one.
        """
        width = min(NEIGHBOURS, self.calls)
        first = bisect_left(self.tokens, output_tokens) - width // 2
        first = min(max(first, 0), self.calls - width)
        return max(
            self.shortest_s,
            self.line_s(output_tokens) + self.residuals_s[first + int(draw * width)],
        )


def fit_steps(samples: Iterable[Sample]) -> Mapping[str, StepFit]:
    """A fit for each step that has samples."""
    steps: dict[str, list[Sample]] = {}
    for sample in samples:
        steps.setdefault(sample.step, []).append(sample)
    return {
        step: _fit(step, sorted(group, key=lambda sample: sample.output_tokens))
        for step, group in steps.items()
    }


def _fit(step: str, samples: Sequence[Sample]) -> StepFit:
    tokens = [sample.output_tokens for sample in samples]
    durations = [sample.duration_s for sample in samples]
    mean_tokens, mean_s = fmean(tokens), fmean(durations)
    spread = sum((count - mean_tokens) ** 2 for count in tokens)
    together = sum(
        (count - mean_tokens) * (took - mean_s)
        for count, took in zip(tokens, durations, strict=True)
    )
    # No token is written in less than no time: a falling line is chance, or another cause.
    per_token_s = max(0.0, together / spread) if spread else 0.0
    base_s = mean_s - per_token_s * mean_tokens
    known = [sample.ttft_s for sample in samples if sample.ttft_s is not None]
    return StepFit(
        step=step,
        base_s=base_s,
        per_token_s=per_token_s,
        tokens=tuple(tokens),
        residuals_s=tuple(
            took - base_s - per_token_s * count
            for count, took in zip(tokens, durations, strict=True)
        ),
        shortest_s=min(durations),
        mean_s=mean_s,
        ttft_s=median(known) if known else None,
    )
