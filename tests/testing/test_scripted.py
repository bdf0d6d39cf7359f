"""What a test scripts is what the fake says, to the call that it was meant for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness import Usage
from harness.errors import SettingsError
from harness.testing import MockDeepSeek, ReceivedCall

Ask = Callable[..., Any]


@pytest.fixture
def mock() -> MockDeepSeek:
    return MockDeepSeek()


def test_lines_are_taken_in_their_order_and_then_the_fake_invents(
    mock: MockDeepSeek, ask: Ask
) -> None:
    mock.reply("one").fail(503).reply("two")
    heard = [ask(mock) for _ in range(4)]
    assert [one.status for one in heard] == [200, 503, 200, 200]
    assert [heard[0].content, heard[2].content] == ["one", "two"]
    assert len(heard[3].content) > 50


def test_a_line_for_certain_calls_rules_over_one_for_any(mock: MockDeepSeek, ask: Ask) -> None:
    mock.reply("any").when("verdict").reply("guilty")
    assert ask(mock, "The verdict?").content == "guilty"
    assert ask(mock, "The verdict?").content == "any"


def test_the_text_is_looked_for_in_every_message(mock: MockDeepSeek, ask: Ask) -> None:
    mock.when("You are a judge").reply("guilty")
    system = [
        {"role": "system", "content": "You are a judge."},
        {"role": "user", "content": "Well?"},
    ]
    assert ask(mock, system).content == "guilty"


def test_a_function_of_the_call_may_choose(mock: MockDeepSeek, ask: Ask) -> None:
    mock.when(lambda call: call.stream and call.model == "deepseek-v4-pro").fail(500)
    assert ask(mock).status == 200
    assert ask(mock, model="deepseek-v4-pro").status == 200
    assert ask(mock, model="deepseek-v4-pro", stream=True).status == 500


def test_a_line_may_be_for_several_calls_or_for_all(mock: MockDeepSeek, ask: Ask) -> None:
    mock.fail(429, times=2).reply("for ever", times=None).reply("never")
    assert [ask(mock).status for _ in range(3)] == [429, 429, 200]
    assert {ask(mock).content for _ in range(5)} == {"for ever"}


def test_json_is_sent_as_it_is_read(mock: MockDeepSeek, ask: Ask) -> None:
    mock.reply_json({"stadt": "Köln", "tage": 2})
    assert ask(mock).content == '{"stadt": "Köln", "tage": 2}'


def test_a_function_can_be_called(mock: MockDeepSeek, ask: Ask) -> None:
    mock.call_tool("weather", {"city": "Paris"})
    choice = ask(mock).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    function = choice["message"]["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == ("weather", {"city": "Paris"})


def test_the_usage_is_what_the_script_says_or_what_is_counted(mock: MockDeepSeek, ask: Ask) -> None:
    usage = Usage(input_tokens=100, cached_tokens=64, output_tokens=50, reasoning_tokens=20)
    mock.reply("told", usage=usage).reply("12345" * 4, reasoning="12345")
    told, counted = (ask(mock).json()["usage"] for _ in range(2))
    assert (told["prompt_tokens"], told["completion_tokens"], told["prompt_cache_hit_tokens"]) == (
        100,
        50,
        64,
    )
    assert told["completion_tokens_details"] == {"reasoning_tokens": 20}
    assert (
        counted["completion_tokens"],
        counted["completion_tokens_details"]["reasoning_tokens"],
    ) == (5, 1)


def test_an_answer_is_sent_as_it_stands(mock: MockDeepSeek, ask: Ask) -> None:
    mock.reply("one two three", reasoning="unasked", finish_reason="length")
    unthinking = {"type": "disabled"}
    choice = ask(mock, thinking=unthinking, max_tokens=1, stop=["two"]).json()["choices"][0]
    assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == (
        "one two three",
        "unasked",
    )
    assert choice["finish_reason"] == "length"


def test_a_streamed_answer_says_the_same(mock: MockDeepSeek, ask: Ask) -> None:
    mock.reply(
        "Because of the light.",
        reasoning="Let me think.",
        usage=Usage(input_tokens=7, output_tokens=9),
    )
    events = ask(mock, stream=True).events
    deltas = [event["choices"][0]["delta"] for event in events]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Because of the light."
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "Let me think."
    assert events[-1]["usage"]["total_tokens"] == 16


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_can_be_late(mock: MockDeepSeek, ask: Ask, stream: bool) -> None:
    mock.reply("late", after_s=90)
    assert ask(mock, stream=stream).duration_s == 90
    assert ask(mock, stream=stream).duration_s == 0


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, "Insufficient Balance"),
        (429, "Rate limit reached"),
        (529, "Status 529"),
        (418, "I'm a Teapot"),
    ],
)
def test_a_status_comes_with_its_words(
    mock: MockDeepSeek, ask: Ask, status: int, said: str
) -> None:
    heard = ask(mock.fail(status))
    assert heard.status == status
    assert said in heard.json()["error"]["message"]


def test_a_status_can_have_other_words_and_ask_for_patience(mock: MockDeepSeek, ask: Ask) -> None:
    heard = ask(mock.fail(503, retry_after=1.5, message="Maintenance"))
    assert heard.json()["error"] == {
        "message": "Maintenance",
        "type": "internal_server_error",
        "param": None,
        "code": "invalid_request_error",
    }
    assert heard.headers["retry-after"] == "1.5"


def test_a_named_fault_happens_to_an_invented_answer(mock: MockDeepSeek, ask: Ask) -> None:
    mock.fail("reset-before-headers").fail("reset").fail("429-concurrency")
    heard = [ask(mock) for _ in range(4)]
    assert [one.status for one in heard] == [None, 200, 429, 200]
    assert [one.end for one in heard] == ["reset", "reset", "clean", "clean"]


def test_a_request_that_deepseek_refuses_takes_no_line(mock: MockDeepSeek, ask: Ask) -> None:
    mock.reply("for the first that is valid")
    assert ask(mock, model="gpt-5").status == 400
    assert ask(mock).content == "for the first that is valid"


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda mock: mock.fail("rest"), "did you mean 'reset'"),
        (lambda mock: mock.fail("xyzzy"), "unknown fault 'xyzzy'; `harness mock forms` lists all"),
        (lambda mock: mock.fail(200), "between 400 and 599"),
        (lambda mock: mock.fail("reset", retry_after=1), "go with a status"),
        (lambda mock: mock.fail("reset", message="x"), "go with a status"),
        (lambda mock: mock.fail(429, retry_after=-1), "seconds, 0 or more"),
        (lambda mock: mock.fail(429, retry_after=math.nan), "seconds, 0 or more"),
        (lambda mock: mock.when("x").reply("y", times=0), "at least 1"),
    ],
)
def test_a_script_that_cannot_be_is_refused_where_it_is_written(
    mock: MockDeepSeek, write: Callable[[MockDeepSeek], object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        write(mock)
    assert mock.unused() == ""


def test_calls_can_be_looked_at(mock: MockDeepSeek, ask: Ask) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Why"}, {"type": "text", "text": "so?"}],
        },
    ]
    ask(mock.fail("reset-before-headers"), messages, stream=True, temperature=0.5)
    [call] = mock.calls
    assert (call.model, call.stream, call.status, call.body["temperature"]) == (
        "deepseek-flash",
        True,
        None,
        0.5,
    )
    assert (call.system, call.prompt, call.text) == (
        "Be brief.",
        "Why\nso?",
        "Be brief.\n\nWhy\nso?",
    )
    assert call.messages == messages
    assert call.line == "fail reset-before-headers"


@pytest.mark.parametrize(
    "body", [b"\xff", b"[1]", b'{"messages": "none"}', b'{"messages": [1, {"content": 2}]}']
)
def test_a_call_that_is_no_chat_request_can_be_shown_too(
    mock: MockDeepSeek, raw: Ask, body: bytes
) -> None:
    raw(mock, "POST", "/v1/chat/completions", body)
    [call] = mock.calls
    assert (call.prompt, call.model) == ("", "")
    assert "no model" in mock.history()


def test_only_chat_requests_are_calls(mock: MockDeepSeek, raw: Ask) -> None:
    assert raw(mock, "GET", "/models").status == 200
    assert mock.calls == []
    assert mock.history() == "no calls came"


def test_the_history_shows_who_answered_and_when(mock: MockDeepSeek, raw: Ask) -> None:
    mock.when("why").reply("because " * 100)
    for second, text in enumerate(("why\n\nso?", "what?")):
        body = json.dumps(
            {"model": "deepseek-flash", "messages": [{"role": "user", "content": text}]}
        ).encode()
        raw(mock, "POST", "/chat/completions", body, now_s=1000.0 + second)
    head, first, second_line = mock.history().splitlines()
    assert head == "2 calls came:"
    assert first.startswith(
        '  1. +0.000 s: "why so?" to deepseek-flash, plain: 200, reply "because because'
    )
    assert first.endswith('…" for calls with "why"')
    assert second_line == '  2. +1.000 s: "what?" to deepseek-flash, plain: 200, invented'


def test_a_long_history_shows_its_end(mock: MockDeepSeek, ask: Ask) -> None:
    for number in range(60):
        ask(mock, f"question {number}")
    head, *lines = mock.history().splitlines()
    assert head == "60 calls came, the last 50 are:"
    assert lines[0].startswith('  11. +0.000 s: "question 10"')
    assert len(lines) == 50


def test_what_is_left_of_the_script_is_told(mock: MockDeepSeek, ask: Ask) -> None:
    mock.reply("once").fail(500, times=3).when("x").reply("y", times=None)
    mock.reply("always", times=None)
    ask(mock)
    ask(mock)
    assert mock.unused().splitlines()[1:-1] == [
        "  fail 500 (2 times)",
        '  reply "y" for calls with "x"',
        '  reply "always"',
    ]
    mock.allow_unused()
    assert mock.unused() == ""


def test_a_line_for_all_calls_is_used_by_the_first(mock: MockDeepSeek, ask: Ask) -> None:
    ask(mock.reply("always", times=None))
    assert mock.unused() == ""


def test_a_predicate_sees_a_call_without_a_status(mock: MockDeepSeek, ask: Ask) -> None:
    seen: list[ReceivedCall] = []

    def note(call: ReceivedCall) -> bool:
        seen.append(call)
        return False

    mock.when(note).reply("never")
    ask(mock, "What?")
    assert [(call.prompt, call.status) for call in seen] == [("What?", None)]


def test_threads_share_the_script_fairly(mock: MockDeepSeek, ask: Ask) -> None:
    for number in range(100):
        mock.reply(str(number))
    with ThreadPoolExecutor(max_workers=8) as pool:
        said = list(pool.map(lambda _: ask(mock).content, range(100)))
    assert sorted(said, key=int) == [str(number) for number in range(100)]
    assert [call.line for call in mock.calls] == [f'reply "{number}"' for number in range(100)]
