"""Equal requests of several processes on one cache: one asks, the others wait for what it
brings.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from harness.domain.completion import Completion
from harness.domain.policy import CachePolicy, Patience
from harness.engine.clock import now
from harness.engine.stopping import Stop
from harness.ports import Claim, Leases

log = logging.getLogger("harness.cache")

Look: TypeAlias = Callable[[], Awaitable[Completion | None]]
"""Finds what answers by now, if anything does."""


class LeasedKeys:
    """The lease is held around all that is done for an answer, backoff included, and by one who
    waits for nobody.

    Who waits holds no slot, no money and no other lease, so processes cannot wait for each other in
    a circle. In mode `refresh` nobody waits, because nothing that another run brings would answer,
    but others may wait for this one.
    """

    def __init__(
        self,
        leases: Leases,
        policy: CachePolicy,
        stop: Stop,
        rng: random.Random,
        patience: Patience | None = None,
    ) -> None:
        self._leases = leases
        self._policy = policy
        self._stop = stop
        self._rng = rng
        self._patience = patience or Patience()

    @asynccontextmanager
    async def asking(self, key: str, look: Look) -> AsyncIterator[Completion | None]:
        """Enter when nobody else asks: with what another brought meanwhile, or with None, and then
        it is ours to ask.

        An owner that lives and brings nothing, as one that is suspended, is waited for as long as
        the patience lasts; after that several may ask. Raises RunStopped as soon as the run ends.
        """
        claim: Claim = "held"
        brought: Completion | None = None
        started, looks = now(), 0
        try:
            while (
                brought is None
                and (claim := await self._leases.claim(key)) == "held"
                and self._policy.waits
            ):
                if now() - started >= self._patience.total_s:
                    log.warning(
                        "key %s: whoever is asking lives and brings nothing, so it is asked"
                        " here, too",
                        key,
                    )
                    break
                await self._stop.sleep(self._patience.pause_s(looks=looks, draw=self._rng.random()))
                looks += 1
                brought = await look()
            if claim == "found":
                brought = await look()
            yield brought
        finally:
            if claim != "held":
                self._leases.release(key)
