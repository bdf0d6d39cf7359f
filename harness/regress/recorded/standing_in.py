"""Going on after a request that nobody recorded, to find all that changed in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.diffs.misses import Explanation
from harness.domain.call import Call
from harness.domain.completion import Completion, Request, Served
from harness.domain.failures import CacheMiss
from harness.domain.recorded_call import step_of
from harness.domain.run import topic_of_drawn
from harness.ports import Completer


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A request that the recording does not know, and why.

    `topic_id` is the dataset's, `sample` the draw. `stood_in`: the recorded answer to the same call
    was used in its place, so that later calls could be made as they were recorded.
    """

    topic_id: str
    sample: int
    span_id: str
    explanation: Explanation
    stood_in: bool

    @property
    def step(self) -> str:
        return step_of(self.span_id)

    @property
    def verdict(self) -> str:
        return self.explanation.verdict

    @property
    def text(self) -> str:
        return self.explanation.text()


class StandIns:
    """A Completer over a replay: where a request is unknown, the recorded answer to the same call
    stands in for it.

    So a prompt that changed is found whatever else changed before it, and the calls after it are
    asked what they would be asked if nothing had changed. `misses` are all unknown requests; what
    comes out of a topic that has some is no result.
    """

    def __init__(self, replay: Completer, *, samples: int) -> None:
        self.misses: list[Miss] = []
        self._replay = replay
        self._samples = samples

    async def complete(self, request: Request, call: Call) -> Completion:
        try:
            return await self._replay.complete(request, call)
        except CacheMiss as unknown:
            explanation = unknown.explanation
            if not isinstance(explanation, Explanation):
                raise
            nearest = explanation.nearest
            same_call = nearest is not None and nearest.span_id == call.span_id
            sample = call.priority % self._samples
            self.misses.append(
                Miss(
                    topic_id=topic_of_drawn(call.topic_id, sample),
                    sample=sample,
                    span_id=call.span_id,
                    explanation=explanation,
                    stood_in=same_call,
                )
            )
            if nearest is None or not same_call:
                raise
            return replace(nearest.completion, served=Served(source="replay", attempts=0))
