"""What the mock remembers: prefixes that completed, calls in flight, how often a content was
asked.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from harness.errors import SettingsError
from harness.testing import FakeDeepSeek, Fault, FaultPlan
from harness.testing.deepseek.server_state import PrefixCache, Repeats

HEADERS = {"authorization": "Bearer k"}


def body_of(text: str, **fields: Any) -> bytes:
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": "deepseek-flash", "messages": messages, **fields}).encode()


def hit(heard: Any) -> int:
    tokens: int = heard.json()["usage"]["prompt_cache_hit_tokens"]
    return tokens


# "<user>" is six bytes, a token five: after 1,274 more bytes the second block of 128 tokens is
# full.
TWO_BLOCKS = "x" * (2 * 640 - 6)


@pytest.mark.parametrize(
    ("prompt", "tokens"),
    [(TWO_BLOCKS + "a", 256), (TWO_BLOCKS[:-1] + "y", 128), ("y" + TWO_BLOCKS, 0)],
)
def test_whole_blocks_of_a_common_beginning_hit(ask: Any, prompt: str, tokens: int) -> None:
    fake = FakeDeepSeek()
    assert hit(ask(fake, TWO_BLOCKS)) == 0
    assert hit(ask(fake, prompt)) == tokens


def test_a_prefix_is_cached_only_after_its_request_completed(ask: Any) -> None:
    fake = FakeDeepSeek()
    first = fake.begin("POST", "/chat/completions", HEADERS, body_of(TWO_BLOCKS), now_s=0.0)
    assert hit(ask(fake, TWO_BLOCKS + "a")) == 0
    first.complete()
    assert hit(ask(fake, TWO_BLOCKS + "b")) == 256


def test_a_request_that_was_broken_off_teaches_nothing(ask: Any) -> None:
    fake = FakeDeepSeek()
    fake.begin("POST", "/chat/completions", HEADERS, body_of(TWO_BLOCKS), now_s=0.0).close()
    assert hit(ask(fake, TWO_BLOCKS)) == 0


def test_a_stream_that_was_reset_teaches_nothing(ask: Any) -> None:
    fake = FakeDeepSeek(faults=FaultPlan.script({"x": [Fault.RESET]}))
    ask(fake, TWO_BLOCKS, stream=True)
    assert hit(ask(fake, TWO_BLOCKS)) == 0


def test_the_oldest_prefixes_are_forgotten_first() -> None:
    cache = PrefixCache(capacity=2)
    for letter in (b"a", b"b", b"c"):
        cache.learn(letter * 640, "")
    assert [cache.hit_tokens(letter * 640, "") for letter in (b"a", b"b", b"c")] == [0, 128, 128]


def test_what_was_not_asked_for_longest_is_counted_anew() -> None:
    repeats = Repeats(capacity=2)
    assert [repeats.count(letter) for letter in (b"a", b"b", b"a", b"c", b"a", b"b")] == [
        1,
        1,
        2,
        1,
        3,
        1,
    ]


def test_one_user_id_does_not_share_with_another(ask: Any) -> None:
    fake = FakeDeepSeek()
    ask(fake, TWO_BLOCKS, user_id="a")
    assert hit(ask(fake, TWO_BLOCKS, user_id="b")) == 0
    assert hit(ask(fake, TWO_BLOCKS, user_id="a")) == 256


def test_the_next_turn_of_a_conversation_hits_the_answer_too(ask: Any) -> None:
    fake = FakeDeepSeek()
    first = ask(fake, TWO_BLOCKS, thinking={"type": "disabled"})
    turns = [("user", TWO_BLOCKS), ("assistant", first.content), ("user", "Again.")]
    again = ask(
        fake,
        [{"role": role, "content": text} for role, text in turns],
        thinking={"type": "disabled"},
    )
    assert hit(again) == len("<user>" + TWO_BLOCKS + "<assistant>" + first.content) // 640 * 128


def test_answers_do_not_depend_on_the_order_of_arrival(ask: Any) -> None:
    prompts = [f"Question {number} about tides?" for number in range(20)]
    shuffled = random.Random(1).sample(prompts, len(prompts))
    one, other = FakeDeepSeek(seed=3), FakeDeepSeek(seed=3)
    first = {prompt: ask(one, prompt, stream=True).data for prompt in prompts}
    second = {prompt: ask(other, prompt, stream=True).data for prompt in shuffled}
    assert first == second


def test_another_seed_is_another_model(ask: Any) -> None:
    one, other = ask(FakeDeepSeek(seed=1)), ask(FakeDeepSeek(seed=2))
    assert one.content != other.content
    assert one.json()["system_fingerprint"] != other.json()["system_fingerprint"]


def test_temperature_counts_only_without_thinking(ask: Any) -> None:
    fake, off = FakeDeepSeek(), {"type": "disabled"}
    assert ask(fake, temperature=0).content == ask(fake, temperature=2).content
    assert (
        ask(fake, temperature=0, thinking=off).content
        != ask(fake, temperature=2, thinking=off).content
    )


def test_the_limit_of_calls_at_once_is_named_in_the_refusal(ask: Any) -> None:
    fake = FakeDeepSeek(concurrency_limit=2)
    held = [
        fake.begin("POST", "/chat/completions", HEADERS, body_of(text), now_s=0.0) for text in "ab"
    ]
    refused = ask(fake)
    held[0].close()
    held[0].close()
    assert refused.status == 429
    assert (
        refused.json()["error"]["message"]
        == "Too many requests. Your current concurrency is 3, which exceeds your concurrency limit"
        " of 2 based on your remaining balance. Please top up your balance to restore your"
        " concurrency."
    )
    assert ask(fake).status == 200
    assert fake.gate.in_flight == 1
    assert fake.gate.most_in_flight == 2


def test_a_limit_can_be_kept_silent(ask: Any) -> None:
    refused = ask(FakeDeepSeek(concurrency_limit=0, announce_limit=False))
    assert refused.status == 429
    assert not any(character.isdigit() for character in refused.json()["error"]["message"])


def test_requests_per_minute_are_bounded_over_any_sixty_seconds(raw: Any) -> None:
    fake = FakeDeepSeek(rpm=2)
    statuses = [
        raw(fake, "POST", "/chat/completions", body_of("a"), now_s=now_s).status
        for now_s in (0.0, 30.0, 59.0, 60.0, 61.0)
    ]
    assert statuses == [200, 200, 429, 200, 429]


def test_an_empty_balance_refuses_until_it_is_topped_up(ask: Any, raw: Any) -> None:
    fake = FakeDeepSeek(balance_usd=0)
    assert ask(fake).status == 402
    assert raw(fake, "GET", "/user/balance").json()["is_available"] is False
    fake.balance_usd = 5
    assert ask(fake).status == 200


def test_the_log_tells_requests_apart_by_content(ask: Any, raw: Any) -> None:
    fake = FakeDeepSeek(faults=FaultPlan.first(Fault.SERVER_ERROR))
    for prompt in ("a", "a", "b"):
        ask(fake, prompt)
    raw(fake, "GET", "/models")
    assert [entry.status for entry in fake.log] == [500, 200, 500, 200]
    assert [entry.fault for entry in fake.log] == [
        Fault.SERVER_ERROR,
        None,
        Fault.SERVER_ERROR,
        None,
    ]
    assert fake.log[0].digest == fake.log[1].digest != fake.log[2].digest
    assert fake.statuses == {500: 2, 200: 2}


def test_the_same_asking_of_the_same_content_has_the_same_id(ask: Any) -> None:
    def ids(fake: FakeDeepSeek) -> list[str]:
        return [ask(fake).json()["id"] for _ in range(2)]

    first, second = ids(FakeDeepSeek()), ids(FakeDeepSeek())
    assert first == second
    assert len(set(first)) == 2


@pytest.mark.parametrize("settings", [{"silence_s": 0}, {"delta_tokens": 0}])
def test_settings_that_would_never_end_are_refused(settings: Any) -> None:
    with pytest.raises(SettingsError):
        FakeDeepSeek(**settings)
