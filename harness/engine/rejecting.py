"""A workflow that ends its topic over a text which it could not read: the answer with that text is
rejected.
"""

from __future__ import annotations

from harness.domain.completion import Json
from harness.domain.run import Output, Topic
from harness.engine.runner import Workflow
from harness.engine.step import Step


def rejecting(workflow: Workflow) -> Workflow:
    """The workflow; what it raises is raised, once the answers that it blames are marked, so that
    `resume` asks anew.

    Workflows that use `accept`, or catch what they can mend, never come here: this is for those
    that parse an answer and let the error pass.
    """

    async def work(step: Step, topic: Topic) -> Json | Output:
        try:
            return await workflow(step, topic)
        except Exception as error:
            await step.reject_blamed(error)
            raise

    return work
