"""What is shown while something happens: the pieces of an answer, the progress of a run, the question before it."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from harness.cli.ask import _Shown
from harness.cli.consent import asks, question_of
from harness.cli.glance import Glance, calls_words, clock, line_of, money_words, topics_words
from harness.cli.progress import picture
from harness.domain.completion import Delta
from harness.estimating import Estimate, StepEstimate
from harness.settings import Settings


def a_glance(**values: Any) -> Glance:
    return Glance(
        **{
            "topics": 42,
            "finished": 17,
            "degraded": 0,
            "failed": 0,
            "open_topics": 8,
            "in_flight": 5,
            "waiting": 0,
            "places": 64,
            "maximum": 64,
            "refusals": 0,
            "paused_s": 0.0,
            "calls": 123,
            "hit_rate": None,
            "tokens_per_s": None,
            "cost": 0.0123,
            "tokens": 9000,
            "left_s": None,
            **values,
        }
    )


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def test_the_pieces_of_an_answer_are_labelled_where_their_kind_changes(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _Shown()
    for kind, text in [("reasoning", "Let me "), ("reasoning", "see."), ("answer", "Blue.")]:
        shown.delta(Delta(kind=kind, text=text))  # type: ignore[arg-type]
    shown.end()
    assert _plain(capsys.readouterr().out) == "reasoning:\nLet me see.\n\nanswer:\nBlue.\n"


def test_an_attempt_that_is_made_again_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _Shown()
    for delta in (Delta(kind="answer", text="Re"), Delta(kind="restart"), Delta(kind="answer", text="Blue.")):
        shown.delta(delta)
    assert _plain(capsys.readouterr().out) == (
        "answer:\nRe\n[the attempt failed and is made again; forget what stands above]\n\nanswer:\nBlue."
    )


def test_no_piece_of_an_answer_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _Shown().delta(Delta(kind="answer", text="\x1b]0;owned\x07\x9b2J\u202e"))
    assert _plain(capsys.readouterr().out) == "answer:\n\\x1b]0;owned\\x07\\x9b2J\\u202e"


def test_the_topics_are_told_by_how_they_ended() -> None:
    assert topics_words(a_glance(degraded=2, failed=1)) == "17 of 42 topics, 2 degraded, 1 failed, 8 open"
    assert topics_words(a_glance(open_topics=0)) == "17 of 42 topics"


def test_the_calls_are_told_with_the_hits_and_the_limit_as_it_was_learned() -> None:
    assert calls_words(a_glance()) == "123 calls done, 5 in flight of 64"
    seen = a_glance(hit_rate=0.31, waiting=12, places=5, refusals=3, paused_s=1.6)
    assert calls_words(seen) == (
        "123 calls done (31% from the cache), 5 in flight of 5, 12 waiting, limit 5 of 64 after 3 refusals (429), "
        "pausing 2 s"
    )


def test_the_money_is_told_against_the_budget_and_the_time_that_is_left() -> None:
    seen = a_glance(tokens_per_s=1234.4, left_s=192.0)
    assert money_words(seen, settings()) == "$0.0123, 1,234 tokens/s, about 03:12 left"
    assert money_words(a_glance(), settings(budget=2.5)) == "$0.0123 of $2.50"
    assert money_words(a_glance(), settings(budget_tokens=10_000)) == "$0.0123, 9,000 of 10,000 tokens"


def test_a_plain_line_says_all_of_it() -> None:
    assert line_of(a_glance(), settings()) == "17 of 42 topics, 8 open; 123 calls done, 5 in flight of 64; $0.0123"


@pytest.mark.parametrize(("seconds", "text"), [(0, "00:00"), (59.6, "01:00"), (3599, "59:59"), (90_061, "25:01:01")])
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_the_live_picture_has_three_lines_on_any_terminal(width: int) -> None:
    out = io.StringIO()
    seen = a_glance(hit_rate=0.31, waiting=12, places=5, refusals=3, paused_s=1.6, tokens_per_s=5.0, left_s=9.0)
    Console(file=out, width=width, force_terminal=True).print(picture(seen, settings(budget=2.5)))
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert all(len(_plain(line)) <= width for line in lines)


# The question before money is spent


def test_a_person_is_asked_before_a_paid_run_without_a_budget() -> None:
    assert asks(settings(), someone_there=True)


@pytest.mark.parametrize(
    "chosen",
    [
        {"yes": True},
        {"endpoint": "mock"},
        {"budget": 1.0},
        {"budget_tokens": 5},
        {"cache_mode": "replay"},
        {"json": True},
        {"quiet": True},
    ],
    ids=lambda chosen: next(iter(chosen)),
)
def test_nobody_is_asked_where_the_settings_say_enough(chosen: dict[str, Any]) -> None:
    assert not asks(settings(**chosen), someone_there=True)


def test_nobody_is_asked_where_nobody_is() -> None:
    assert not asks(settings(), someone_there=False)


def test_the_question_names_the_money() -> None:
    step = StepEstimate(step="a", calls=250, input_tokens=1, output_tokens=1, cost=1.5, cost_at_most=20.0)
    found = Estimate(topics=50, bad_lines=0, sample=50, steps=(step,), wall_s=1.0, latency="none")
    question = question_of(found)
    assert question is not None
    assert "50 topics, about 250 calls: likely some $1.50, $20.00 if each answer were as long as it may be" in question


def test_there_is_no_question_where_no_price_is_known() -> None:
    step = StepEstimate(step="a", calls=250, input_tokens=1, output_tokens=1, cost=None, cost_at_most=None)
    found = Estimate(topics=50, bad_lines=0, sample=50, steps=(step,), wall_s=1.0, latency="none")
    assert question_of(found) is None


def _plain(text: str) -> str:
    """Without the styles that click and rich put around words."""
    return re.sub("\x1b\\[[0-9;]*m", "", text)
