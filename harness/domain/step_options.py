"""Options of a step that do not change its prompt: model, thinking, caps, sampling, streaming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from harness.domain.completion import Effort, Json
from harness.domain.extras import check_extra_body, merged


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """None means: not chosen here.

    `stream` is how the answer travels; all others are part of the request. `endpoint` is the name
    of who is asked. A model is one of the endpoint that it was chosen for.

    `extra_body` are fields that are added to the body as they are; those of several sources are put
    together. Raises ValueError where one of them is said by another option, or by none that JSON
    knows.
    """

    endpoint: str | None = None
    model: str | None = None
    thinking: bool | None = None
    effort: Effort | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = None
    seed: int | None = None
    logprobs: int | None = None
    service_tier: str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    extra_body: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_extra_body(self.extra_body)

    def over(self, base: StepOptions) -> StepOptions:
        """These options where they are chosen, else those of `base`.

        From another endpoint no model is taken over.
        """
        chosen = {}
        if self.endpoint is not None and base.endpoint not in (None, self.endpoint):
            base = replace(base, model=None)
        for name in _NAMES:
            own = getattr(self, name)
            chosen[name] = getattr(base, name) if own is None else own
        return StepOptions(**{**chosen, "extra_body": merged(base.extra_body, self.extra_body)})


_NAMES = tuple(one.name for one in fields(StepOptions))
