"""Cases, calls, suites and misses, for tests of what is checked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records import a_failed_result, a_result, a_span

from harness.domain.completion import Message, Request, Usage
from harness.domain.pricing import DEEPSEEK_PRICES, Pricing
from harness.domain.run import Failure
from harness.records.stored import StoredSpan, stored_result, stored_span
from harness.regress.case import Case
from harness.regress.checks.checks import Draw, Evidence, look
from harness.regress.checks.golden import Golden
from harness.regress.suites.suite import Suite
from harness.regress.suites.suite_file import load_suite

HEAD = 'dataset = "topics.jsonl"\ncassette = "research.jsonl"\n[settings]\nendpoint = "mock"\n'


def a_call(span_id: str = "ask", content: str = "because", **fields: Any) -> StoredSpan:
    """A call out of traces.jsonl. Its step is the last part of its id; `tokens` are (input, output,
    reasoning).
    """
    step = span_id.rpartition("/")[2].partition("#")[0]
    parent = span_id.rpartition("/")[0] or None
    given, out, reasoning = fields.pop("tokens", (10, 20, 5))
    model, error = fields.pop("model", "deepseek-flash"), fields.pop("error", None)
    span = a_span(
        span_id=span_id,
        step=step,
        parent=parent,
        content=content,
        model=model,
        usage=Usage(input_tokens=given, output_tokens=out, reasoning_tokens=reasoning),
        request=Request(
            endpoint="mock", model=model, messages=(Message(role="user", content="why?"),)
        ),
        error=Failure(type=error, message=f"it was a {error}") if error else None,
        **fields,
    )
    return stored_span(span, index=0, session=1)


def a_case(
    output: Any = "because",
    *,
    topic_id: str = "t",
    sample: int = 0,
    calls: Sequence[StoredSpan] = (),
    sections: Sequence[Mapping[str, Any]] = (),
    failed: str | None = None,
    status: str = "ok",
) -> Case:
    """A draw of a topic. `failed` is the type of the error that it failed with."""
    if failed is not None:
        error = Failure(type=failed, message=f"it was a {failed}")
        result = a_failed_result(topic_id=topic_id, error=error)
    else:
        missing = (
            Failure(type="Degraded", message="a part is missing") if status == "degraded" else None
        )
        result = a_result(
            topic_id=topic_id, output=output, sections=tuple(sections), status=status, error=missing
        )
    return Case(
        topic_id=topic_id, sample=sample, row=stored_result(result, session=1), calls=tuple(calls)
    )


def sections(*cited: bool | None, failed: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Sections of `research`; where `cited` is None the workflow says nothing of it."""
    found = []
    for number, one in enumerate(cited, start=1):
        section = {
            "number": number,
            "question": "why?",
            "status": "failed" if number in failed else "ok",
        }
        found.append(section if one is None else {**section, "cited": one})
    return found


def a_suite(directory: Path, checks: str, *, head: str = HEAD, name: str = "suite.toml") -> Suite:
    """A suite read from its text. Its dataset is there and says nothing."""
    (directory / "topics.jsonl").write_text('{"id": "t", "topic": "why?"}\n')
    path = directory / name
    path.write_text(f"{head}{checks}")
    return load_suite(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMiss:
    """A request that is not recorded."""

    topic_id: str = "t"
    sample: int = 0
    span_id: str = "ask"
    step: str = "ask"
    text: str = "step 'ask' of topic 't': not recorded\n  nearest: ask"
    verdict: str = "changed"


PRICING = Pricing(prices=DEEPSEEK_PRICES)


def checked(directory: Path, line: str, case: Case, *, golden: Golden | None = None) -> Draw:
    """What becomes of `[[check]]` with this line."""
    suite = a_suite(directory, f"[[check]]\n{line}\n")
    return look(suite.checks[-1], case, Evidence(golden=golden or Golden(), pricing=PRICING))


def message_of(draw: Draw) -> str:
    assert draw.state == "failed"
    return draw.failing[0].shortfall.message
