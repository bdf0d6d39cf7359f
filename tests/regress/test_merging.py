"""What a new recording makes of a cassette."""

from __future__ import annotations

from harness.cache.cassette import Recording
from harness.regress.recorded.merging import merge


def a_recording(
    key: str, answer: str = "yes", *, topic: str = "t", day: str = "2026-11-20"
) -> Recording:
    return Recording(
        topic_id=topic,
        span_id="s",
        key=key,
        request="{}",
        completion=answer,
        recorded=day,
        harness="1.0",
    )


def test_an_answer_that_is_found_again_keeps_its_line_and_its_day() -> None:
    known = a_recording("a")
    merged = merge([known], [a_recording("a", day="2026-12-24", topic="another")], prune=True)
    assert merged.recordings == (known,)
    assert (merged.added, merged.replaced, merged.unchanged) == (0, 0, 1)


def test_another_answer_to_the_same_request_replaces_the_line() -> None:
    fresh = a_recording("a", "no", day="2026-12-24")
    merged = merge([a_recording("a")], [fresh], prune=False)
    assert merged.recordings == (fresh,)
    assert (merged.added, merged.replaced, merged.unchanged, merged.stale) == (0, 1, 0, ())


def test_what_nothing_asked_for_is_stale_and_goes_only_where_it_shall() -> None:
    known, fresh = [a_recording("a"), a_recording("old")], [a_recording("a"), a_recording("new")]
    kept, pruned = merge(known, fresh, prune=False), merge(known, fresh, prune=True)
    assert kept.stale == pruned.stale == (known[1],)
    assert set(kept.recordings) == {*known, fresh[1]}
    assert set(pruned.recordings) == set(fresh)
    assert kept.added == pruned.added == 1


def test_an_answer_that_topics_share_stands_at_the_first_of_them_whoever_asked_first() -> None:
    shared = [a_recording("a", topic="one"), a_recording("a", topic="two")]
    for asked in (shared, shared[::-1]):
        merged = merge([], asked, prune=False)
        assert [one.topic_id for one in merged.recordings] == ["one"]
        assert merged.added == 1
