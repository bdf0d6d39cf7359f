"""The workflows of the nights. What they return is a function of the topic and of the answers, of
nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence

from harness.domain.run import Failed, Ok, Outcome, Output, Topic
from harness.engine.runner import Workflow
from harness.engine.step import Step
from harness.errors import TopicFailed
from simulation.world import World

HOPELESS_KINDS = frozenset({"length", "content_filter", "bad_request"})


def workflow_of(world: World) -> Workflow:
    """The workflow of a world."""
    hand = _Hand(world)
    shapes: dict[str, Callable[[Step, Topic], Awaitable[str | Output]]] = {
        "single": hand.single,
        "chain": hand.chain,
        "fan": hand.fan,
        "nested": hand.nested,
        "own group": hand.own_group,
    }
    work = shapes[world.shape]

    async def workflow(step: Step, topic: Topic) -> str | Output:
        if share_of(f"broken {world.seed} {topic.id}") < world.broken_topics:
            await hand.ask(step, topic, "ask", "before it breaks")
            raise KeyError("a mistake of the workflow's author")
        return await work(step, topic)

    return workflow


def share_of(text: str) -> float:
    """A number in [0, 1) that is a function of the text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big") / (1 << 48)


class _Hand:
    def __init__(self, world: World) -> None:
        self._world = world

    async def ask(self, step: Step, topic: Topic, name: str, about: str) -> str:
        """Ask; prompts are drawn from the vocabulary, so that several calls ask the same."""
        word = int(share_of(f"{topic.id}/{about}") * self._world.vocabulary)
        completion = await step.complete(name, f"{name} {word}", sample=word % 2)
        return completion.content

    async def single(self, step: Step, topic: Topic) -> str:
        return await self.ask(step, topic, "ask", "it")

    async def chain(self, step: Step, topic: Topic) -> str:
        told = ""
        for link in range(self._world.depth):
            told = await self.ask(step, topic, f"link {link}", told)
        return told

    async def fan(self, step: Step, topic: Topic) -> Output:
        plan = await self.ask(step, topic, "plan", "")

        async def part(child: Step, number: int) -> str:
            return await self.ask(child, topic, "part", f"{plan} {number}")

        parts = await step.fan_out("part", range(self._world.width), part)
        texts, missing = _usable(parts)
        report = await self.ask(step, topic, "report", " ".join(texts))
        return Output(value=report, degraded=f"without {missing}" if missing else None)

    async def nested(self, step: Step, topic: Topic) -> Output:
        async def leaf(child: Step, number: int) -> str:
            return await self.ask(child, topic, "leaf", f"{child.path} {number}")

        async def branch(child: Step, number: int) -> str:
            texts, missing = _usable(await child.fan_out("leaf", range(self._world.depth), leaf))
            return await self.ask(child, topic, "branch", " ".join([*texts, *map(str, missing)]))

        texts, missing = _usable(await step.fan_out("branch", range(self._world.width), branch))
        return Output(value=list(texts), degraded=f"without {missing}" if missing else None)

    async def own_group(self, step: Step, topic: Topic) -> Output:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.ask(step, topic, "ask", f"{number}"))
                for number in range(self._world.width)
            ]
        return Output(value=[task.result() for task in tasks])


def _usable(parts: Sequence[Outcome[str]]) -> tuple[list[str], list[int]]:
    """The texts, and the numbers of the parts that can never be had. Raises TopicFailed for others
    that are missing.
    """
    texts, missing = [], []
    for number, part in enumerate(parts):
        match part:
            case Ok(value=text):
                texts.append(text)
            case Failed(error=error) if error.kind in HOPELESS_KINDS:
                missing.append(number)
            case Failed(error=error):
                raise TopicFailed(f"part {number}: {error.message}")
    return texts, missing
