"""Every value comes back from its JSON as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from made_up import completions, moments, requests, serveds, texts

from harness.cache.cassette import (
    entry_of_recording,
    line_of,
    recording_of_entry,
    recording_of_line,
)
from harness.cache.entry import entry_of, instant, stamp
from harness.domain.completion import (
    Completion,
    Request,
    Served,
)
from harness.domain.key import cache_key, canonical_request
from harness.records import codec
from harness.records.json_text import storable, to_text
from harness.records.request_codec import request_from_canonical
from harness.records.typed import TypedReader


@given(completions)
def test_a_completion_round_trips_as_it_is_kept(completion: Completion) -> None:
    text = to_text(codec.completion_to_json(completion))
    assert codec.completion_of_text(text.encode()) == codec.kept(completion)
    assert codec.completion_from_json(json.loads(text.encode())) == codec.kept(completion)


@given(completions)
def test_equal_completions_have_equal_texts(completion: Completion) -> None:
    text = to_text(codec.completion_to_json(completion))
    again = codec.completion_from_json(json.loads(text))
    assert to_text(codec.completion_to_json(again)) == text


@given(serveds)
def test_served_round_trips_with_all_its_failures(served: Served) -> None:
    text = to_text(codec.served_to_json(served))
    assert TypedReader(Served).of_value(json.loads(text.encode())) == served


@given(requests)
def test_a_request_comes_back_from_its_canonical_form_with_its_key(request: Request) -> None:
    again = request_from_canonical(storable(canonical_request(request)))
    assert canonical_request(again) == canonical_request(request)
    assert cache_key(again) == cache_key(request)


@given(requests, completions, texts, texts, moments)
def test_a_recording_round_trips_through_its_line_and_through_a_cache(
    request: Request, completion: Completion, topic_id: str, span_id: str, moment: datetime
) -> None:
    key = cache_key(request)
    entry = entry_of(
        key, request, completion, run_id="r", created_at=moment, topic_id=topic_id, span_id=span_id
    )
    recording = recording_of_entry(entry, harness="1.2")
    line = line_of(recording).encode()
    assert b"\n" not in line
    assert recording_of_line(line) == recording
    assert recording_of_entry(entry_of_recording(recording), harness="1.2") == recording


@given(moments, moments)
def test_stamps_sort_as_their_instants_do(one: datetime, other: datetime) -> None:
    assert instant(stamp(one)) == one.astimezone(UTC)
    assert (stamp(one) < stamp(other)) == (one.astimezone(UTC) < other.astimezone(UTC))
