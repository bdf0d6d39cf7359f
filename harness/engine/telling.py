"""Adds a layer's waits to what a completion, or the error in its place, tells of itself."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

from harness.domain.completion import Completion, Served
from harness.domain.failures import CompletionError


async def telling(answer: Awaitable[Completion], **waits: float) -> Completion:
    """The answer, or its error, with these waits (see `Served.waited`) added to what it tells."""
    try:
        completion = await answer
    except CompletionError as error:
        error.served = (error.served or Served()).waited(**waits)
        raise
    served = completion.served.waited(**waits)
    return completion if served is completion.served else replace(completion, served=served)
