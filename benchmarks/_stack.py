"""The whole stack as a contestant: step, key, cache, budget, retry, limits, journal, endpoint,
trace row.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from _contest import MODEL, Ask, Contestant, prompt

from harness.compose import open_stack
from harness.domain.endpoint import endpoint_identity
from harness.domain.run import Span, Topic
from harness.domain.step_options import StepOptions
from harness.engine.step import RunContext, Step
from harness.engine.stopping import Stop
from harness.engine.trace import Trace
from harness.records.rows import span_to_row
from harness.settings import load_settings


@asynccontextmanager
async def _our_stack(base_url: str, stream: bool) -> AsyncIterator[Ask]:
    with tempfile.TemporaryDirectory() as directory:
        loaded = load_settings(
            {
                "base_url": base_url,
                "model": MODEL,
                "cache": Path(directory) / "cache.db",
                "in_flight": 10_000,
                "per_run": 10_000,
                "stream": stream,
            },
            environ={},
        )
        stop = Stop()
        async with open_stack(loaded, run_id="benchmark", stop=stop) as stack:
            context = RunContext(
                run_id="benchmark",
                endpoint=endpoint_identity(base_url),
                workflow="benchmark",
                defaults=replace(loaded.settings.defaults(), model=MODEL),
            )

            async def ask(number: int) -> object:
                rows: list[str] = []

                def keep(span: Span) -> None:
                    rows.append(
                        json.dumps(span_to_row(span, index=number, session=1), ensure_ascii=False)
                    )

                topic = Topic(id=str(number), text="", index=number)
                trace = Trace(on_span=keep, stop=stop)
                step = Step(topic=topic, context=context, completer=stack.completer, trace=trace)
                await step.complete("ask", prompt(number), options=StepOptions())
                return rows

            yield ask


OUR_STACK = Contestant("harness, the whole stack", _our_stack)
