"""What is written of a run is read again as it was, and written once more it is the same text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import answerers, costs, json_values, requests, serveds, texts, tool_calls, usages
from records import a_result, a_span

from harness.domain.logprobs import Alternative, TokenLogprob
from harness.domain.run import Failure, Span, TopicResult
from harness.errors import ResultsError
from harness.records.json_text import to_text
from harness.records.rows import result_to_row, span_to_row
from harness.records.stored import result_of, result_row, results_in, span_of, span_row, spans_in

FROZEN = Path(__file__).parent.parent / "data" / "runs"
HERE = Path("rows.jsonl")

maybe_texts = st.none() | texts
failures = st.none() | st.builds(
    Failure, type=texts, message=texts, kind=maybe_texts, step=maybe_texts, status=st.none() | st.integers(0, 999),
    where=maybe_texts, code=maybe_texts,
)  # fmt: skip
likelihoods = st.lists(
    st.builds(
        TokenLogprob, token=texts, logprob=st.floats(-1e4, 0), raw=st.none() | st.binary(min_size=1, max_size=3),
        top=st.lists(st.builds(Alternative, texts, st.floats(-1e4, 0)), max_size=2).map(tuple),
    ),
    max_size=2,
).map(tuple)  # fmt: skip
# Rows tell times to the microsecond: less than half of one is no wait for the provider, and is not
# told.
told_serveds = serveds.map(lambda served: replace(served, outage_s=round(served.outage_s, 6)))
spans = st.builds(
    a_span,
    request=requests, content=texts, reasoning=texts, tool_calls=tool_calls, finish_reason=maybe_texts, usage=usages,
    cost=costs | st.just(0), served=told_serveds, model=maybe_texts, fingerprint=maybe_texts, trace_id=maybe_texts,
    error=failures, rejected=maybe_texts, logprobs=likelihoods, endpoint=maybe_texts, earlier=answerers,
)  # fmt: skip
results = st.builds(
    a_result,
    topic_id=texts, status=st.sampled_from(["ok", "degraded", "failed"]), topic=texts, output=json_values,
    sections=st.lists(st.dictionaries(texts, json_values, max_size=2), max_size=2).map(tuple), error=failures,
    usage=usages, cost=costs, metadata=st.dictionaries(texts, json_values, max_size=2),
)  # fmt: skip


@given(spans, st.integers(0, 2**40), st.integers(1, 2**20))
def test_a_call_that_is_read_and_written_again_is_the_same_text(
    span: Span, index: int, session: int
) -> None:
    text = to_text(span_to_row(span, index=index, session=session))

    read = span_of(text.encode(), HERE, 0)

    assert to_text(span_row(read)) == text
    assert (read.index, read.session, read.request) == (index, session, span.request)


@given(results, st.integers(1, 2**20))
def test_a_topic_that_is_read_and_written_again_is_the_same_text(
    result: TopicResult, session: int
) -> None:
    text = to_text(result_to_row(result, session=session))

    assert to_text(result_row(result_of(text.encode(), HERE, 0))) == text


def test_the_rows_of_a_run_of_today_are_written_again_byte_for_byte() -> None:
    for _, result in results_in(FROZEN / "today" / "results.jsonl"):
        assert (
            f"{to_text(result_row(result))}\n".encode()
            in (FROZEN / "today" / "results.jsonl").read_bytes()
        )
    for _, span in spans_in(FROZEN / "today" / "traces.jsonl"):
        assert (
            f"{to_text(span_row(span))}\n".encode()
            in (FROZEN / "today" / "traces.jsonl").read_bytes()
        )


@pytest.mark.parametrize("age", ["first", "second"])
def test_what_an_earlier_version_wrote_says_the_same_when_it_is_written_again(age: str) -> None:
    lines = (FROZEN / age / "traces.jsonl").read_bytes().splitlines(keepends=True)
    for line, (_, span) in zip(lines, spans_in(FROZEN / age / "traces.jsonl"), strict=True):
        assert says_all_of(span_row(span), json.loads(line))


def says_all_of(new: object, old: object) -> bool:
    """Whether all that was said is said again; fields may have been added."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(
            says_all_of(new.get(name), value) for name, value in old.items()
        )
    if isinstance(old, list):
        return isinstance(new, list) and len(new) == len(old) and all(map(says_all_of, new, old))
    return new == old


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version"),
        ({"session": 0}, "session 0"),
        ({"served": None}, "served: must be an object"),
        ({"tool_calls": 7}, "tool_calls: must be a list"),
        ({"start_s": True}, "start_s"),
        ({"earlier": [{"fingerprint": None}]}, "earlier.0"),
    ],
)
def test_a_row_that_is_wrong_is_named_by_its_topic_and_field(
    change: dict[str, object], said: str
) -> None:
    row = {**span_to_row(a_span(), index=0, session=1), **change}

    with pytest.raises(
        ResultsError,
        match=f"a call of topic 't0' is damaged: .*{said}.*; restore or remove the line",
    ):
        span_of(json.dumps(row).encode(), HERE, 0)


def test_a_field_that_a_later_version_added_is_passed_over() -> None:
    row = {**span_to_row(a_span(), index=0, session=1), "of_tomorrow": {"x": 1}}

    assert span_of(json.dumps(row).encode(), HERE, 0).id == "ask"
