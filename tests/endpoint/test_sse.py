from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.endpoint.sse import Event, EventTooLongError, SSEParser


def parsed(*pieces: bytes) -> list[Event]:
    parser = SSEParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.close()


def test_an_event_is_its_data() -> None:
    assert parsed(b'data: {"a": 1}\n\ndata: [DONE]\n\n') == [Event(b'{"a": 1}'), Event(b"[DONE]")]


def test_an_event_is_handed_out_as_soon_as_its_blank_line_is_there() -> None:
    parser = SSEParser()
    assert parser.feed(b"data: 1\n") == []
    assert parser.feed(b"\n") == [Event(b"1")]


def test_at_most_one_space_after_the_colon_is_dropped() -> None:
    assert parsed(b"data:1\n\ndata:  2\n\n") == [Event(b"1"), Event(b" 2")]


def test_lines_of_data_are_joined_by_newlines() -> None:
    assert parsed(b"data: 1\ndata\ndata: 3\n\n") == [Event(b"1\n\n3")]


def test_an_event_carries_its_name_and_the_next_does_not() -> None:
    assert parsed(b"event: error\ndata: 1\n\ndata: 2\n\n") == [Event(b"1", b"error"), Event(b"2")]


def test_comments_ids_retries_and_unknown_fields_say_nothing() -> None:
    assert parsed(b": keep-alive\n\nid: 7\nretry: 10\nfoo: bar\n\n: again\n\n\n\n") == []


def test_an_id_before_a_comment_makes_no_event() -> None:
    assert parsed(b"id: 7\n\n: keep-alive\n\ndata: 1\n\n") == [Event(b"1")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_of_the_standard_ends_a_line(end: bytes) -> None:
    assert parsed(b"data: 1" + end + b"data: 2" + end + end) == [Event(b"1\n2")]


def test_a_line_end_cut_in_two_is_one_line_end() -> None:
    assert parsed(b"data: 1\r", b"\ndata: 2\r", b"\n\r", b"\n") == [Event(b"1\n2")]


def test_a_byte_order_mark_at_the_start_is_skipped() -> None:
    assert parsed(b"\xef", b"\xbb\xbfdata: 1\n\n") == [Event(b"1")]


def test_a_byte_order_mark_inside_the_data_stays() -> None:
    assert parsed(b"data: \xef\xbb\xbf1\n\n") == [Event(b"\xef\xbb\xbf1")]


@pytest.mark.parametrize("rest", [b"data: 1", b"data: 1\n", b"data: 1\r"])
def test_the_last_event_needs_no_blank_line(rest: bytes) -> None:
    assert parsed(rest) == [Event(b"1")]


def test_a_bare_line_of_json_or_html_is_handed_on_without_a_name() -> None:
    assert parsed(b'{"error": 1}\n<html>\n') == [
        Event(b'{"error": 1}', None),
        Event(b"<html>", None),
    ]


def test_a_line_without_end_is_refused() -> None:
    parser = SSEParser(max_event_bytes=100)
    for _ in range(10):
        parser.feed(b"x" * 10)
    with pytest.raises(EventTooLongError, match="more than 100 bytes"):
        parser.feed(b"x")


def test_an_event_without_end_is_refused() -> None:
    parser = SSEParser(max_event_bytes=100)
    for _ in range(10):
        parser.feed(b"data: 0123456789\n")
    with pytest.raises(EventTooLongError):
        parser.feed(b"data: 0\n")


def test_many_events_are_together_longer_than_the_limit_of_one() -> None:
    parser = SSEParser(max_event_bytes=100)
    assert sum(len(parser.feed(b"data: 0123456789\n\n")) for _ in range(50)) == 50


LINES = st.lists(
    st.sampled_from(
        [
            b"data: \xe7\x91\x9e",
            b"data:x",
            b"data",
            b"event: error",
            b": c",
            b"id: 1",
            b"",
            b"",
            b"{}",
            b"\xef\xbb\xbf",
        ]
    ),
    max_size=12,
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    whole = b"".join(line + draw(ENDS) for line in draw(LINES)) + draw(
        st.sampled_from([b"", b"data: z", b"\r"])
    )
    cuts = sorted(draw(st.sets(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    return whole, pieces


@given(cut_streams())
def test_however_the_bytes_are_cut_the_events_are_the_same(case: tuple[bytes, list[bytes]]) -> None:
    whole, pieces = case
    assert parsed(*pieces) == parsed(whole)


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_give_events_and_never_an_exception(pieces: list[bytes]) -> None:
    assert all(isinstance(event, Event) for event in parsed(*pieces))


@given(st.lists(st.text(st.characters(exclude_characters="\r\n"), min_size=1), max_size=5))
def test_what_was_framed_comes_out(texts: list[str]) -> None:
    stream = b"".join(b"data: " + text.encode(errors="replace") + b"\n\n" for text in texts)
    assert [event.data for event in parsed(stream)] == [
        text.encode(errors="replace") for text in texts
    ]
