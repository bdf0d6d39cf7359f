"""Cassettes as people really have them: each line is taken, or refused with its reason; files are
stable.
"""

from __future__ import annotations

import gzip
import io
import json
import stat
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.cache.cassette import (
    Recording,
    call_of_recording,
    line_of,
    recording_of_line,
    recording_of_row,
)
from harness.cache.cassette_file import lines, prepare_place, read_cassette, write_cassette
from harness.domain.completion import Completion, Message, Request, Usage
from harness.domain.key import cache_key, canonical_request, request_fields
from harness.domain.logprobs import TokenLogprob
from harness.errors import CacheError, StorageError
from harness.records.json_text import to_text

REQUEST = Request(endpoint="mock", model="m", messages=(Message(role="user", content="a"),))
COMPLETION: dict[str, Any] = {
    "model": "m",
    "fingerprint": "fp",
    "reasoning": "hm",
    "content": "b",
    "finish_reason": "stop",
    "usage": {"input_tokens": 1, "output_tokens": 2, "reasoning_tokens": 1},
}


def a_recording(
    text: str = "a", *, topic: str = 'topic "1"', call: str = "ask", answer: str = "b"
) -> Recording:
    request = Request(endpoint="mock", model="m", messages=(Message(role="user", content=text),))
    return Recording(
        topic_id=topic,
        span_id=call,
        key=cache_key(request),
        request=canonical_request(request),
        completion=to_text({**COMPLETION, "content": answer}),
        recorded="2026-11-20",
        harness="1.0",
    )


def test_a_line_is_stable_and_readable() -> None:
    recording = a_recording()
    assert (
        line_of(recording)
        == f'{{"cassette":2,"topic":"topic \\"1\\"","call":"ask","key":"{recording.key}",'
        '"request":{"endpoint":"mock","messages":[{"content":"a","role":"user"}],"model":"m"},'
        '"completion":{"model":"m","fingerprint":"fp","reasoning":"hm","content":"b","finish_reason":"stop",'
        '"usage":{"input_tokens":1,"output_tokens":2,"reasoning_tokens":1}},'
        f'"recorded":"2026-11-20","harness":"1.0","digest":"{recording.digest}"}}'
    )


def test_a_line_that_was_only_laid_out_anew_is_taken() -> None:
    again = json.dumps(json.loads(line_of(a_recording())), indent=1, ensure_ascii=True).replace(
        "\n", " "
    )
    assert recording_of_line(again.encode()) == a_recording()


def test_a_recording_as_a_call_is_what_was_answered_and_what_is_not_kept_is_nothing() -> None:
    call = call_of_recording(a_recording())
    assert (call.topic_id, call.span_id, call.run_id, call.request) == (
        'topic "1"',
        "ask",
        "cassette",
        REQUEST,
    )
    assert call.created_at == datetime(2026, 11, 20, tzinfo=UTC)
    assert call.completion == Completion(
        model="m",
        fingerprint="fp",
        reasoning="hm",
        content="b",
        finish_reason="stop",
        usage=Usage(input_tokens=1, output_tokens=2, reasoning_tokens=1),
    )


def a_row(**changes: Any) -> dict[str, Any]:
    return {
        "topic_id": 'topic "1"',
        "id": "ask",
        "key": cache_key(REQUEST),
        "request": request_fields(REQUEST),
        **COMPLETION,
        "usage": {**COMPLETION["usage"], "cached_tokens": 1},
        "tool_calls": [],
        "cost": 0.25,
        "trace_id": "t-1",
        "served": {"latency_s": 3.0},
        **changes,
    }


def test_nothing_of_a_call_is_recorded_that_changes_from_run_to_run() -> None:
    day = date(2026, 11, 20)
    first = recording_of_row(a_row(), day=day, harness="1.0")
    other = recording_of_row(
        a_row(cost=1.0, trace_id="t-2", served={}, run_id="r2"), day=day, harness="1.0"
    )
    assert first == other == a_recording()


def test_likelihoods_are_recorded_where_there_are_any_and_played_again() -> None:
    likely = [{"token": "b", "logprob": -0.5}]
    recording = recording_of_row(a_row(logprobs=likely), day=date(2026, 11, 20), harness="1.0")
    assert json.loads(recording.completion)["logprobs"] == likely
    assert call_of_recording(recording).completion.logprobs == (
        TokenLogprob(token="b", logprob=-0.5),
    )


def test_a_row_whose_key_is_not_its_requests_is_refused() -> None:
    with pytest.raises(ValueError, match="call 'ask' has a key that is not its request's"):
        recording_of_row(a_row(key="0" * 64), day=date(2026, 11, 20), harness="1.0")


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(line_of(a_recording())) | changes).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"x", "not JSON"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"[]", "must be a JSON object"),
        (
            b"{}",
            "not a cassette: it has no field 'cassette'; name the file that `harness record` wrote",
        ),
        (b"<<<<<<< HEAD", "a conflict that a merge left; keep one side of it"),
        (b"=======", "a conflict that a merge left"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "a pointer of Git LFS, not the file itself",
        ),
        (b"NaN", "NaN is no number"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "digits"),
        (line_of(a_recording()).encode()[:-20], "cut off"),
        (
            changed(cassette=1),
            (
                "of version 1, written by harness 1.0, and this is for version 2; remove the file"
                " and record"
            ),
        ),
        (
            changed(cassette=3),
            (
                "of version 3, written by harness 1.0, and this is for version 2; use that version"
                " of harness"
            ),
        ),
        (changed(cassette="2", harness=None), "of version '2' and this is for version 2; remove"),
        (changed(key=None), "'key' must be a text"),
        (changed(topic=1), "'topic' must be a text"),
        (changed(request=None), "request: must be an object"),
        (changed(request={"endpoint": "mock"}), "request: model: is missing"),
        (
            changed(request={"endpoint": "mock", "model": "n", "messages": []}),
            "key is not that of the request",
        ),
        (changed(key="0" * 64), "key is not that of the request"),
        (changed(completion=None), "completion: must be an object"),
        (changed(completion={"model": "m"}), "completion: content: is missing"),
        (changed(completion={**COMPLETION, "content": "edited"}), "digest does not match"),
        (changed(call="other"), "digest does not match"),
        (changed(recorded="2026-11-21"), "digest does not match"),
        (changed(digest=""), "digest does not match"),
    ],
)
def test_a_line_that_must_not_be_believed_is_refused_with_the_reason(
    line: bytes, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        recording_of_line(line)


@pytest.mark.parametrize(
    "day", ["yesterday", "2026-11-20T12:00:00", "20261120", "2026-13-01", "0000-01-01", ""]
)
def test_a_day_in_another_form_is_refused_although_its_digest_is_right(day: str) -> None:
    recording = a_recording()
    other = Recording(
        **{name: getattr(recording, name) for name in Recording.__slots__} | {"recorded": day}
    )
    with pytest.raises(ValueError, match="must be a day like 2026-11-20"):
        recording_of_line(line_of(other).encode())


@given(st.binary())
@example(
    b'{"cassette":2,"topic":"","call":"","key":"","recorded":"","harness":"","digest":"","request":{}}'
)
def test_any_bytes_are_a_recording_or_a_reason(line: bytes) -> None:
    with pytest.raises(ValueError):
        recording_of_line(line)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(
        ["topic", "call", "request", "completion", "key", "recorded", "harness", "digest"]
    ),
    json_values,
)
def test_any_value_in_any_field_is_refused_with_a_reason(name: str, value: Any) -> None:
    with pytest.raises(ValueError):
        recording_of_line(changed(**{name: value}))


def test_lines_are_numbered_as_an_editor_does_and_blank_ones_passed_over() -> None:
    text = 'a\r\n\n  \n"\u2028"\nb'.encode()
    assert list(lines(io.BytesIO(text))) == [(1, b"a"), (4, '"\u2028"'.encode()), (5, b"b")]


# --- files


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz"])
def test_a_file_is_sorted_by_topic_and_call_and_the_same_whatever_the_order(
    name: str, tmp_path: Path
) -> None:
    found = [
        a_recording(text, topic=topic, call=call)
        for text, topic, call in (("1", "b", "x"), ("2", "a", "y"))
    ]
    assert write_cassette(tmp_path / name, found)
    once = (tmp_path / name).read_bytes()
    assert not write_cassette(tmp_path / name, reversed(found))
    assert (tmp_path / name).read_bytes() == once
    assert [recording.topic_id for recording in read_cassette(tmp_path / name)] == ["a", "b"]


def test_only_a_name_that_says_so_is_gzipped_and_either_is_read(tmp_path: Path) -> None:
    write_cassette(tmp_path / "c.jsonl.gz", [a_recording()])
    packed = (tmp_path / "c.jsonl.gz").read_bytes()
    (tmp_path / "renamed.jsonl").write_bytes(packed)
    assert gzip.decompress(packed).decode() == line_of(a_recording()) + "\n"
    assert read_cassette(tmp_path / "renamed.jsonl") == (a_recording(),)


def test_a_cassette_may_be_read_by_others_as_the_umask_has_it(tmp_path: Path) -> None:
    write_cassette(tmp_path / "new" / "c.jsonl", [a_recording()])
    (tmp_path / "plain").touch()
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "new" / "c.jsonl", tmp_path / "plain")
    ]
    assert modes[0] == modes[1]


def test_every_bad_line_is_named_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    once, twice = line_of(a_recording()), line_of(a_recording(answer="another"))
    path.write_text(f"{once}\n\n{twice}\n{once}\n>>>>>>> theirs\n{once[:-9]}")
    with pytest.raises(CacheError) as caught:
        read_cassette(path)
    assert str(caught.value).splitlines() == [
        f"{path}: not a sound cassette, because of 4 bad lines",
        f"{path}:3: the key stands already in line 1 with another answer; remove one of them",
        f"{path}:4: the key stands already in line 1; remove one of them",
        (
            f"{path}:5: a conflict that a merge left; keep one side of it and remove the marks, or"
            " record again"
        ),
        (
            f"{path}:6: not JSON: Unterminated string starting at (column"
            f" {once.rindex(chr(58)) + 2}); a line that was cut off, or edited"
        ),
    ]


def test_a_file_that_is_something_else_is_one_error_whatever_the_number_of_its_lines(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(
        b"\n".join([line_of(a_recording()).encode(), changed(cassette=1), changed(cassette=1)])
    )
    with pytest.raises(CacheError) as caught:
        read_cassette(path)
    first, second = str(caught.value).splitlines()
    assert first == f"{path}: not a sound cassette, because of 1 bad line"
    assert second.startswith(f"{path}:2: a cassette of version 1, written by harness 1.0,")


def test_a_byte_order_mark_and_other_line_ends_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + line_of(a_recording()).encode() + b"\r\n")
    assert read_cassette(path) == (a_recording(),)


def test_a_gzipped_cassette_that_was_cut_off_is_named(tmp_path: Path) -> None:
    write_cassette(tmp_path / "c.jsonl.gz", [a_recording()])
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes((tmp_path / "c.jsonl.gz").read_bytes()[:-12])
    with pytest.raises(CacheError, match=r"cut\.jsonl\.gz:\d+: the gzipped data is torn"):
        read_cassette(path)


def test_a_place_where_no_cassette_can_be_is_told_before_it_is_needed(tmp_path: Path) -> None:
    prepare_place(tmp_path / "new" / "c.jsonl")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(
        CacheError, match=r"file/c\.jsonl: no cassette can be written there: File exists"
    ):
        prepare_place(tmp_path / "file" / "c.jsonl")
    with pytest.raises(
        CacheError,
        match=r"no cassette can be written there: nothing may be written into /proc/self",
    ):
        prepare_place(Path("/proc/self/c.jsonl"))


def test_a_cassette_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        CacheError, match=r"none\.jsonl: the cassette cannot be read \(No such file"
    ):
        read_cassette(tmp_path / "none.jsonl")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        write_cassette(tmp_path / "file" / "c.jsonl", [a_recording()])
