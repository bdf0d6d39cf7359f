"""Lines of a cassette as people really have them: each is taken, or refused with its reason."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.adapters.cache_entry import Entry, entry_of
from harness.adapters.cassette import entry_of_line, line_of, lines
from harness.domain.completion import Completion, Message, Request, Usage
from harness.domain.key import cache_key

REQUEST = Request(endpoint="mock", model="m", messages=(Message(role="user", content="a"),))
COMPLETION = Completion(model="m", content="b", finish_reason="stop", usage=Usage())


def an_entry() -> Entry:
    moment = datetime(2026, 11, 20, 12, tzinfo=UTC)
    return entry_of(cache_key(REQUEST), REQUEST, COMPLETION, run_id='run "1"', created_at=moment)


def test_a_line_is_stable_and_readable() -> None:
    entry = an_entry()
    assert line_of(entry) == (
        f'{{"cassette":1,"key":"{entry.key}","request":{{"endpoint":"mock","messages":[{{"content":"a","role":"user"}}],'
        '"model":"m"},"completion":{"model":"m","content":"b","finish_reason":"stop","usage":{"input_tokens":0,'
        '"output_tokens":0,"reasoning_tokens":0,"cached_tokens":0},"served":{"attempts":1,"latency_s":0.0}},'
        f'"run_id":"run \\"1\\"","created_at":"2026-11-20T12:00:00.000000Z","digest":"{entry.digest}"}}'
    )


def test_a_line_that_was_only_laid_out_anew_is_taken() -> None:
    again = json.dumps(json.loads(line_of(an_entry())), indent=1, ensure_ascii=True).replace("\n", " ")
    assert entry_of_line(again.encode()) == an_entry()


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(line_of(an_entry())) | changes).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"x", "not JSON"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "version 1"),
        (b"NaN", "NaN is no number"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "digits"),
        (changed(cassette=2), "version 1"),
        (changed(cassette="1"), "version 1"),
        (changed(key=None), "'key' must be a text"),
        (changed(run_id=1), "'run_id' must be a text"),
        (changed(request=None), "request must be a JSON object"),
        (changed(request={"endpoint": "mock"}), "'model'"),
        (changed(request={"endpoint": "mock", "model": "n", "messages": []}), "key is not that of the request"),
        (changed(key="0" * 64), "key is not that of the request"),
        (changed(completion={"model": "m"}), "'content' of completion"),
        (changed(completion=json.loads(an_entry().value) | {"content": "edited"}), "digest does not match"),
        (changed(created_at="2026-11-20T12:00:00.000001Z"), "digest does not match"),
        (changed(digest=""), "digest does not match"),
    ],
)
def test_a_line_that_a_cache_must_not_believe_is_refused_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        entry_of_line(line)


@pytest.mark.parametrize("stamp", ["yesterday", "2026-11-20T12:00:00", "2026-11-20T13:00:00.000000+01:00", ""])
def test_a_time_in_another_form_is_refused_although_its_digest_is_right(stamp: str) -> None:
    entry = an_entry()
    other = Entry(**{name: getattr(entry, name) for name in Entry.__slots__} | {"created_at": stamp})
    with pytest.raises(ValueError, match=r"created_at|isoformat|time zone"):
        entry_of_line(line_of(other).encode())


@given(st.binary())
@example(b'{"cassette":1,"key":"","run_id":"","created_at":"","digest":"","request":{}}')
def test_any_bytes_are_an_entry_or_a_reason(line: bytes) -> None:
    with pytest.raises(ValueError):
        entry_of_line(line)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["request", "completion", "key", "run_id", "created_at", "digest"]), json_values)
def test_any_value_in_any_field_is_refused_with_a_reason(name: str, value: Any) -> None:
    with pytest.raises(ValueError):
        entry_of_line(changed(**{name: value}))


def test_lines_are_numbered_as_an_editor_does_and_blank_ones_passed_over() -> None:
    text = 'a\r\n\n  \n"\u2028"\nb'.encode()
    assert list(lines(io.BytesIO(text))) == [(1, b"a"), (4, '"\u2028"'.encode()), (5, b"b")]
