"""A workflow of one call, for measurements of what a call costs."""

from __future__ import annotations

from harness import Step, Topic


async def ask(step: Step, topic: Topic) -> str:
    """Ask the topic's text, and return the answer."""
    return (await step.complete("ask", topic.text)).content
