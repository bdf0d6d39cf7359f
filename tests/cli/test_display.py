"""What is shown while something happens: the pieces of an answer, the progress of a run, the
question before it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import pyte
import pytest
import wcwidth
from field_lines import lines_of
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.cli.ask import _Shown
from harness.cli.live.lines import (
    budget_warning,
    calls_words,
    endpoint_words,
    held_words,
    line_of,
    money_line,
    time_words,
    topics_words,
)
from harness.cli.live.painter import BEGIN, END, frame, styled
from harness.cli.live.picture import Line, column, fit, picture
from harness.cli.summary import failure_fields, time_fields
from harness.cli.terminal import can_be_painted
from harness.domain.completion import Delta
from harness.domain.remedies import IN_THE_CODE, REMEDIES
from harness.records.run_standing import FailedAlike
from harness.runs.snapshot import EndpointStanding, Failing, InFlight, Snapshot
from harness.settings import Settings
from harness.text.amounts import clock
from harness.text.safe import one_line
from harness.timing.outlook import Range


def a_glance(**values: Any) -> Snapshot:
    return Snapshot(
        **{
            "topics": 42,
            "finished": 17,
            "degraded": 0,
            "failed": 0,
            "open_topics": 8,
            "elapsed_s": 51.0,
            "in_flight": 5,
            "places": 64,
            "maximum": 64,
            "refusals": 0,
            "paused_s": 0.0,
            "calls": 123,
            "hit_rate": None,
            "tokens_per_s": None,
            "cost": 0.0123,
            "unknown_cost": 0.0,
            "tokens": 9000,
            **values,
        }
    )


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def test_each_endpoint_of_several_is_told_with_what_holds_it_up() -> None:
    idle = EndpointStanding(name="deepseek", in_flight=5, waiting=0, places=48, maximum=64)
    slow = EndpointStanding(
        name="local",
        in_flight=1,
        waiting=12,
        places=1,
        maximum=8,
        refusals=2,
        paused_s=3.0,
        works_on=1,
        down="local down since 03:12",
    )
    seen = a_glance(endpoints=(idle, slow))
    assert endpoint_words(seen) == [
        "deepseek 5 in flight of 48",
        (
            "local 1 in flight of 1, 12 waiting, pausing 3 s, limit 1 of 8 after 2 refusals (429),"
            " the server seems to work on 1 at a time; in_flight = 1 in [endpoints.local] avoids"
            " the queue, local down since 03:12"
        ),
    ]
    assert endpoint_words(a_glance()) == []
    painted = [
        "".join(text for text, _ in line)
        for line in picture(seen, settings(), width=120, height=30)
    ]
    assert "local down since 03:12" in painted
    assert any(line.startswith("at        deepseek 5 in flight of 48") for line in painted)
    assert "; local down since 03:12; 123 calls done" in line_of(seen, settings())


def test_the_pieces_of_an_answer_are_labelled_where_their_kind_changes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = _Shown()
    for kind, text in [("reasoning", "Let me "), ("reasoning", "see."), ("answer", "Blue.")]:
        shown.delta(Delta(kind=kind, text=text))  # type: ignore[arg-type]
    shown.end()
    assert _plain(capsys.readouterr().out) == "reasoning:\nLet me see.\n\nanswer:\nBlue.\n"


def test_an_attempt_that_is_made_again_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _Shown()
    for delta in (
        Delta(kind="answer", text="Re"),
        Delta(kind="restart"),
        Delta(kind="answer", text="Blue."),
    ):
        shown.delta(delta)
    assert (
        _plain(capsys.readouterr().out)
        == "answer:\nRe\n[the attempt failed and is made again; forget what stands"
        " above]\n\nanswer:\nBlue."
    )


def test_no_piece_of_an_answer_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _Shown().delta(Delta(kind="answer", text="\x1b]0;owned\x07\x9b2J\u202e"))
    assert _plain(capsys.readouterr().out) == "answer:\n\\x1b]0;owned\\x07\\x9b2J\\u202e"


def test_the_topics_are_told_by_how_they_ended() -> None:
    assert (
        topics_words(a_glance(degraded=2, failed=1))
        == "17 of 42 topics, 2 degraded, 1 failed, 8 open"
    )
    assert topics_words(a_glance(open_topics=0)) == "17 of 42 topics"
    assert topics_words(a_glance(topics=1, finished=0, open_topics=0)) == "0 of 1 topic"


def test_the_calls_are_told_with_the_hits_and_the_limit_as_it_was_learned() -> None:
    assert calls_words(a_glance()) == "123 calls done, 5 in flight of 64"
    seen = a_glance(hit_rate=0.31, waiting=12, places=5, refusals=3, paused_s=1.6)
    assert (
        calls_words(seen)
        == "123 calls done (31% from the cache), 5 in flight of 5, 12 waiting, limit 5 of 64 after"
        " 3 refusals (429)"
    )


def test_what_holds_back_all_calls_is_said_in_a_place_of_its_own() -> None:
    assert held_words(a_glance()) == []
    assert held_words(a_glance(paused_s=1.6)) == ["pausing 2 s"]
    assert "; pausing 2 s; " in line_of(a_glance(paused_s=1.6), settings())


def test_the_money_is_told_against_the_budget() -> None:
    assert money_line(a_glance(tokens_per_s=1234.4), settings()) == "$0.0123 spent, 1,234 tokens/s"
    assert money_line(a_glance(), settings(budget=2.5)) == "$0.012 of $2.50 spent"
    assert (
        money_line(a_glance(), settings(budget_tokens=10_000))
        == "$0.0123 spent, 9,000 of 10,000 tokens"
    )
    unknown = a_glance(cost=0.5, unknown_cost=0.25)
    assert (
        money_line(unknown, settings())
        == "$0.2500 spent, at most $0.2500 more for what was not told"
    )


def test_what_is_spent_not_told_and_to_come_adds_up_to_the_end() -> None:
    seen = a_glance(
        cost=0.4604,
        unknown_cost=0.0502,
        reserved_cost=0.1204,
        reserved_calls=3,
        to_come=Range(low=0.28, likely=0.3004, high=0.33),
    )
    assert (
        money_line(seen, settings(budget=1.0))
        == "$0.410 of $1.00 spent, at most $0.050 more for what was not told, $0.120 held for 3"
        " calls under way, about $0.300 to come ($0.280 to $0.330): about $0.760 in the end"
    )


@given(st.floats(0.0, 500.0), st.floats(0.0, 500.0), st.floats(0.0, 500.0), st.floats(0.01, 2000.0))
def test_the_numbers_add_up_as_they_are_read(
    spent: float, untold: float, to_come: float, budget: float
) -> None:
    seen = a_glance(
        cost=spent + untold, unknown_cost=untold, to_come=Range(low=0.0, likely=to_come, high=None)
    )
    words = money_line(seen, settings(budget=budget))
    read = {
        name: (
            float(found.group(1).replace(",", "")) if (found := re.search(pattern, words)) else 0.0
        )
        for name, pattern in {
            "spent": r"^\$([\d,.]+) of",
            "untold": r"at most \$([\d,.]+) more",
            "to come": r"about \$([\d,.]+) to come",
            "end": r"about \$([\d,.]+) in the end",
        }.items()
    }
    # What is too little to be said is no addend that a reader sees.
    assert read["end"] == pytest.approx(
        read["spent"] + read["untold"] + read["to come"], abs=0.00011
    )


def test_a_cost_that_nobody_knows_is_not_zero() -> None:
    assert money_line(a_glance(cost=0.0, unpriced=True), settings()) == "cost not known"
    assert (
        money_line(a_glance(unpriced=True), settings())
        == "$0.0123 spent, calls of unknown cost not counted"
    )
    untold = a_glance(cost=0.0, unpriced=True, tokens=9000, unknown_tokens=8000)
    assert (
        money_line(untold, settings(budget_tokens=10_000))
        == "cost not known, 9,000 of 10,000 tokens (8,000 of them not told, at most)"
    )


def test_the_money_to_come_is_a_range() -> None:
    seen = a_glance(to_come=Range(low=0.01, likely=0.5, high=1234.5))
    assert (
        money_line(seen, settings())
        == "$0.0123 spent, about $0.5000 to come ($0.0100 to $1,234.50)"
    )
    assert money_line(
        a_glance(to_come=Range(low=0.001, likely=2.0, high=None)), settings()
    ).endswith("($0.0010 to ?)")


@pytest.mark.parametrize(
    ("end", "warning"),
    [
        (Range(low=0.5, likely=0.8, high=0.9), None),
        (
            Range(low=0.5, likely=0.8, high=1.2),
            "the budget may not be enough: up to $1.20 in the end",
        ),
        (
            Range(low=0.5, likely=1.1, high=1.2),
            "the budget is likely not enough: about $1.10 in the end",
        ),
    ],
)
def test_a_budget_that_the_end_may_pass_is_warned_of(end: Range, warning: str | None) -> None:
    assert budget_warning(a_glance(likely_end=end), settings(budget=1.0)) == warning
    assert budget_warning(a_glance(likely_end=end), settings()) is None


def test_a_budget_of_tokens_is_warned_of_too() -> None:
    seen = a_glance(likely_tokens=Range(low=1.0, likely=12_000.0, high=13_000.0))
    warning = "the budget is likely not enough: about 12,000 tokens in the end"
    assert budget_warning(seen, settings(budget_tokens=10_000)) == warning


def test_the_time_left_is_a_range_or_it_is_said_why_not() -> None:
    assert time_words(a_glance()) == "00:51 so far, too early to say how much is left"
    assert time_words(a_glance(finished=42)) == "00:51 so far, nearly done"
    left = Range(low=160.0, likely=192.0, high=250.0)
    assert time_words(a_glance(left=left)) == "00:51 so far, about 03:12 left (02:40 to 04:10)"
    endless = Range(low=160.0, likely=192.0, high=None)
    assert time_words(a_glance(left=endless)) == "00:51 so far, about 03:12 left (02:40 or more)"


def test_a_plain_line_says_all_of_it() -> None:
    assert (
        line_of(a_glance(stopping="interrupted by Ctrl-C"), settings())
        == "17 of 42 topics, 8 open; 123 calls done, 5 in flight of 64; $0.0123 spent; "
        "00:51 so far, too early to say how much is left; interrupted by Ctrl-C"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (59.6, "01:00"), (3599, "59:59"), (90_061, "25:01:01")]
)
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


# The picture on a terminal

BUSY = a_glance(
    hit_rate=0.31,
    refusals=3,
    places=5,
    paused_s=1.6,
    tokens_per_s=5.0,
    left=Range(low=9.0, likely=12.0, high=19.0),
    to_come=Range(low=0.1, likely=0.2, high=0.3),
    likely_end=Range(low=1.0, likely=3.0, high=4.0),
    steps={"research": 4, "synthesize": 1},
    stages={"all": 10, "run": 2},
    oldest=[
        InFlight(
            topic_id=f"天空为什么是蓝色的？{number}",
            span_id=f"research.{number}/research",
            age_s=2.0,
            tokens=340,
        )
        for number in range(40)
    ],
    causes={"server 500": 2, "blank": 1},
    failures=[
        Failing(
            topic_id="evil\x1b]0;owned\x07\n",
            span_id="ask",
            cause="server 500",
            message="no\x9b2J",
            ago_s=61.0,
        )
        for _ in range(8)
    ],
    stopping="interrupted by Ctrl-C",
)


def words_of(lines: Sequence[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("height", [1, 2, 5, 9, 10, 23, 49, 200])
@pytest.mark.parametrize("width", [1, 10, 39, 40, 59, 60, 79, 119, 250])
def test_no_line_of_the_picture_is_too_long_and_none_is_too_many(width: int, height: int) -> None:
    words = words_of(picture(BUSY, settings(budget=2.5), width=width, height=height))
    assert 1 <= len(words) <= height
    assert all(wcwidth.wcswidth(line) <= width for line in words)


@given(st.text(), st.integers(min_value=2, max_value=30))
def test_a_column_has_its_width_whatever_is_in_it(text: str, width: int) -> None:
    assert cell_len(column(one_line(text), width)) == width


def test_what_was_cut_twice_has_one_ellipsis() -> None:
    assert fit(((column("abcdefgh", 5), ""), ("more", "")), 5) == (("abcd…", ""),)


def test_a_low_terminal_still_shows_a_call_and_the_failures() -> None:
    words = words_of(picture(BUSY, settings(budget=2.5), width=79, height=9))
    assert words[-2].startswith(
        "oldest       2 s     340 tokens  天空为什么是蓝色的？0  research.0/research"
    )
    assert words[-1] == "failures  3 requests: 2 server 500, 1 blank"


def test_the_picture_says_what_is_in_flight_what_waits_and_what_failed() -> None:
    words = "\n".join(words_of(picture(BUSY, settings(budget=2.5), width=120, height=40)))
    for line in (
        "stopping: interrupted by Ctrl-C",
        "time      00:51 so far, about 00:12 left (00:09 to 00:19)",
        "cost      $0.012 of $2.50 spent",
        "          about $0.200 to come ($0.100 to $0.300): about $0.212 in the end",
        "          the budget is likely not enough: about $3.00 in the end",
        "in flight 5 of 5: 4 research, 1 synthesize",
        "waiting   12: 2 for a slot in their run, 10 for a slot",
        "all wait  pausing 2 s",
        "limits    5 of 64 after 3 refusals (429)",
        "calls     123 done, 31% from the cache, 5 tokens/s",
        "          01:01 ago  server 500  evil\\x1b]0;owned\\x07 ask  no\\x9b2J",
    ):
        assert line in words


def test_a_topic_that_failed_is_shown_with_its_line_of_code_and_what_helps() -> None:
    topics = [
        Failing(
            topic_id=f"t{number}",
            span_id=None,
            cause="IndexError",
            message="list index out of range",
            ago_s=4.0,
            where="flow.py:12",
            remedy="mend it",
        )
        for number in range(3)
    ]
    words = words_of(picture(a_glance(failures=topics), settings(), width=100, height=40))
    first = words.index(
        "failures  00:04 ago  topic failed: IndexError at flow.py:12  t0  list index out of range"
    )
    assert words[first + 1] == "            → mend it"
    assert [line for line in words if "→" in line] == [words[first + 1]]


def test_what_waits_for_the_pace_is_told_apart() -> None:
    assert "waiting   10 for the pace" in words_of(
        picture(a_glance(stages={"all": 10}, paced=True), settings(), width=80, height=20)
    )


DOWN = a_glance(
    down=(
        "provider down since 03:12, 9 probes, next look in 40 s (waits up to 5 h 12 more):"
        " refused\x1b[2J"
    ),
    stages={"all": 10, "run": 2},
    paused_s=30.0,
    left=Range(low=9.0, likely=12.0, high=19.0),
)


def test_that_the_provider_is_away_stands_in_red_right_under_the_topics() -> None:
    lines = picture(DOWN, settings(), width=120, height=40)
    assert (
        words_of(lines)[1]
        == "provider down since 03:12, 9 probes, next look in 40 s (waits up to 5 h 12 more):"
        " refused\\x1b[2J"
    )
    assert [style for _, style in lines[1]] == ["red"]


def test_while_the_provider_is_away_calls_wait_for_it_and_no_time_left_is_told() -> None:
    words = words_of(picture(DOWN, settings(), width=120, height=40))
    assert "waiting   12: 2 for a slot in their run, 10 for the provider" in words
    assert "time      00:51 so far, goes on when the provider is back" in words
    # The pause is a part of the outage, and is not told twice.
    assert not [line for line in words if "pausing" in line]


def test_a_narrow_terminal_still_says_since_when_the_provider_is_away() -> None:
    words = words_of(picture(DOWN, settings(), width=39, height=20))
    assert words[1] == "provider down since 03:12, 9 probes, n…"
    assert "time   00:51, then when the provider i…" in words


def test_a_plain_line_says_that_the_provider_is_away() -> None:
    line = line_of(DOWN, settings())
    assert line.startswith(
        "17 of 42 topics, 8 open; provider down since 03:12, 9 probes, next look in 40 s (waits"
    )
    assert line.endswith("; 00:51 so far, goes on when the provider is back")


def test_a_server_that_queues_calls_is_told_of_with_what_avoids_it() -> None:
    hint = "the server seems to work on 4 at a time; --in-flight 4 avoids the queue"
    assert f"limits    {hint}" in words_of(
        picture(a_glance(works_on=4), settings(), width=120, height=40)
    )
    assert hint in line_of(a_glance(works_on=4), settings())
    assert not [
        line
        for line in words_of(picture(a_glance(), settings(), width=120, height=40))
        if "limits" in line
    ]


def test_a_narrow_terminal_gets_shorter_words() -> None:
    words = words_of(picture(BUSY, settings(budget=2.5), width=39, height=20))
    assert "time   00:51, 00:12 left (00:09–00:19)" in words
    assert "cost   $0.012 of $2.50 spent" in words
    assert "       $0.200 to come ($0.100–$0.300):…" in words


# What is written for it


def on_a_screen(pieces: Sequence[str], *, columns: int = 20, lines: int = 6) -> list[str]:
    """What a terminal shows after these."""
    screen = pyte.Screen(columns, lines)
    stream = pyte.Stream(screen)
    for piece in pieces:
        stream.feed(piece.replace("\n", "\r\n"))
    return [line.rstrip() for line in screen.display]


def test_a_frame_writes_only_what_changed_and_erases_nothing_before() -> None:
    written = frame(["a", "b", "c"], ["a", "B", "c"])
    assert written == f"{BEGIN}\x1b[1B\rB\x1b[K\x1b[1A\r{END}"
    assert frame(["a"], ["a"]) == ""


def test_no_frame_clears_the_screen() -> None:
    frames = [frame(None, ["a"]), frame(["a"], ["b", "c"]), frame(["b", "c"], ["d"])]
    assert not any("\x1b[2J" in written or "\x1b[H" in written for written in frames)


@given(
    st.lists(
        st.lists(st.sampled_from(["", "a", "bb", "ccc"]), min_size=1, max_size=5),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_the_pictures_the_last_is_what_is_seen(pictures: list[list[str]]) -> None:
    befores: list[list[str] | None] = [None, *pictures[:-1]]
    frames = [frame(before, after) for before, after in zip(befores, pictures, strict=True)]
    shown = on_a_screen(["$ run\n", *frames])
    begin = shown.index("$ run") + 1 if "$ run" in shown else 0
    assert [line for line in shown[begin:] if line] == [line for line in pictures[-1] if line]
    assert shown[begin : begin + len(pictures[-1])] == pictures[-1]


def test_a_line_that_is_wider_than_was_thought_does_not_wrap() -> None:
    assert on_a_screen([frame(None, ["x" * 30, "second"])])[1] == "second"


class TerminalStream(io.TextIOWrapper):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("term", "encoding", "painted"),
    [
        ("xterm", "utf-8", True),
        ("xterm", "UTF8", True),
        ("xterm", "latin-1", False),
        ("dumb", "utf-8", False),
    ],
)
def test_only_a_terminal_that_can_show_it_is_painted(
    term: str, encoding: str, painted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    assert can_be_painted(TerminalStream(io.BytesIO(), encoding=encoding)) is painted
    assert not can_be_painted(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))


def test_without_colour_only_bold_and_dim_are_left() -> None:
    line: Line = (("a", "red"), ("b", "bold"), ("", "green"), ("c", ""))
    assert styled(line, color=False) == "a\x1b[1mb\x1b[0mc"
    assert styled(line, color=True) == "\x1b[31ma\x1b[0m\x1b[1mb\x1b[0mc"


# The summary


def alike(topics: int, **values: Any) -> FailedAlike:
    told = {
        "cause": "server 500",
        "kind": "server",
        "type": "TransientError",
        "topic_id": "tea",
        "message": "no",
    }
    return FailedAlike(topics=topics, **{**told, **values})


def test_nothing_is_said_of_failures_where_there_are_none() -> None:
    assert lines_of(failure_fields(())) == []


def test_failures_are_told_whole_by_cause_with_what_helps() -> None:
    long = " ".join(["cut"] * 200)
    found = lines_of(
        failure_fields((alike(1200), alike(3, cause="length", kind="length", message=long)))
    )
    assert found == [
        "failed    1,200 × server 500 – no (tea)",
        f"            → {REMEDIES['server']}",
        f"          3 × length – {long} (tea)",
        "            → the cap on tokens cut the answer: raise max_tokens for the step, and resume",
    ]


def test_an_exception_of_the_workflow_is_told_with_its_line_of_code() -> None:
    of_code = {
        "cause": "IndexError",
        "kind": None,
        "type": "IndexError",
        "message": "list index out of range",
    }
    assert lines_of(
        failure_fields((alike(5, **of_code, where="flow.py:12", code="return words[9]"),))
    ) == [
        "failed    5 × IndexError – list index out of range (tea)",
        "            flow.py:12: return words[9]",
        f"            → {IN_THE_CODE}",
    ]
    _, line, _ = lines_of(failure_fields((alike(5, **of_code, where="flow.py:12"),)))
    assert line == "            flow.py:12"


def test_an_exception_without_words_is_told_by_its_type() -> None:
    of_code = {"cause": "AssertionError", "kind": None, "type": "AssertionError", "message": ""}
    assert (
        lines_of(failure_fields((alike(1, **of_code),)))[0] == "failed    1 × AssertionError (tea)"
    )


def test_a_bad_line_is_named_once() -> None:
    of_data = {
        "cause": "DatasetError",
        "kind": None,
        "type": "DatasetError",
        "topic_id": "bad.jsonl:1",
    }
    said, _ = lines_of(
        failure_fields((alike(1, **of_data, message="bad.jsonl:1: no field 'topic'"),))
    )
    assert said == "failed    1 × DatasetError – bad.jsonl:1: no field 'topic'"


def test_rare_causes_are_summed_up() -> None:
    found = lines_of(
        failure_fields(
            [alike(number, cause=f"server {number}") for number in (9, 8, 7, 6, 5, 4, 3)]
        )
    )
    assert len([line for line in found if "×" in line]) == 6
    assert found[-1] == "          7 × other causes"


def test_the_time_is_told_against_one_call_after_another() -> None:
    assert lines_of(time_fields(5.5, 111.8, 0.09, verbose=False)) == [
        "time      5.5 s, 20.3 × faster than one after another (111.8 s)"
    ]
    assert lines_of(time_fields(5.5, 4.0, 0.0, verbose=True)) == ["time      5.5 s"]
    # The server worked on one call at a time, and each call's time holds that of those before it.
    assert lines_of(time_fields(5.5, 111.8, 0.09, queued=True, verbose=False)) == [
        "time      5.5 s"
    ]
    assert lines_of(time_fields(0.0, 0.0, 0.0, verbose=False)) == ["time      0.0 s"]


def test_the_start_up_is_a_line_of_its_own_and_no_part_of_the_time() -> None:
    assert lines_of(time_fields(8.4, 64.0, 0.0, startup_s=1.73, verbose=False)) == [
        "time      8.4 s, 7.6 × faster than one after another (64.0 s)",
        "start-up  1.7 s before the first call, not in that time",
    ]
    assert lines_of(time_fields(8.4, 0.0, 0.0, startup_s=0.02, verbose=False)) == [
        "time      8.4 s"
    ]


def test_a_loop_that_was_held_up_is_told_to_who_asks_or_where_it_matters() -> None:
    assert lines_of(time_fields(5.5, 0.0, 1.157, verbose=False)) == ["time      5.5 s"]
    assert lines_of(time_fields(5.5, 0.0, 1.157, verbose=True))[1:] == [
        "loop      the event loop was held up for 1157 ms at the longest"
    ]
    (large,) = lines_of(time_fields(5.5, 0.0, 5.0, verbose=False))[1:]
    assert large.startswith("loop      everything stood still for 5.0 s: ")
    assert lines_of(time_fields(5.5, 0.0, 5.0, verbose=True))[1:] == [large]


# The question before money is spent


def _plain(text: str) -> str:
    """Without the styles that click and rich put around words."""
    return re.sub("\x1b\\[[0-9;]*m", "", text)
