"""`harness ask --endpoint NAME`: the bytes that each known endpoint is sent, as its documentation
wants them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Harness, problem_of
from listening import Listening, listening

from harness.domain.completion import Message, Request, Tool, ToolCall
from harness.domain.known_endpoints import KNOWN
from harness.domain.profiles import PROFILES
from harness.endpoint.request_body import request_body
from harness.settings import load_settings

ASKED = '{"model":"m","messages":[{"role":"user","content":"Why?"}],"stream":true'
COUNTED = ',"stream_options":{"include_usage":true}'
EFFORT_NONE = ',"reasoning_effort":"none"}'
REASONING_OFF = ',"reasoning":{"enabled":false}}'
TEMPLATE_OFF = ',"chat_template_kwargs":{"enable_thinking":false}}'

THINKING_OFF = {
    "deepseek": f'{ASKED}{COUNTED},"max_tokens":9,"thinking":{{"type":"disabled"}}}}',
    "openai": f'{ASKED}{COUNTED},"max_completion_tokens":9{EFFORT_NONE}',
    "openrouter": f'{ASKED}{COUNTED},"max_tokens":9{REASONING_OFF}',
    "siliconflow": f'{ASKED}{COUNTED},"max_tokens":9,"enable_thinking":false}}',
    "together": f'{ASKED}{COUNTED},"max_tokens":9{REASONING_OFF}',
    "deepinfra": f'{ASKED}{COUNTED},"max_tokens":9{REASONING_OFF}',
    "alibaba": f'{ASKED}{COUNTED},"max_tokens":9,"enable_thinking":false}}',
    "moonshot": f'{ASKED}{COUNTED},"max_completion_tokens":9,"thinking":{{"type":"disabled"}}}}',
    "groq": f'{ASKED}{COUNTED},"max_completion_tokens":9{EFFORT_NONE}',
    "mistral": f'{ASKED},"max_tokens":9{EFFORT_NONE}',
    "xai": f'{ASKED}{COUNTED},"max_tokens":9{EFFORT_NONE}',
    "vllm": f'{ASKED}{COUNTED},"max_completion_tokens":9{TEMPLATE_OFF}',
    "sglang": f'{ASKED}{COUNTED},"max_completion_tokens":9{TEMPLATE_OFF}',
    "llamacpp": f'{ASKED}{COUNTED},"max_tokens":9{TEMPLATE_OFF}',
    "ollama": f'{ASKED}{COUNTED},"max_tokens":9{EFFORT_NONE}',
}
EFFORT_HIGH = ',"reasoning_effort":"high"}'
TEMPLATE_ON = ',"chat_template_kwargs":{"enable_thinking":true}'
HARD = ("--thinking", "on", "--effort", "high")
ON = ("--thinking", "on")

THINKING_ON: dict[str, tuple[tuple[str, ...], str]] = {
    "deepseek": (
        HARD,
        f'{ASKED}{COUNTED},"max_tokens":9,"thinking":{{"type":"enabled"}}{EFFORT_HIGH}',
    ),
    "openai": (HARD, f'{ASKED}{COUNTED},"max_completion_tokens":9{EFFORT_HIGH}'),
    "openrouter": (
        HARD,
        f'{ASKED}{COUNTED},"max_tokens":9,"reasoning":{{"enabled":true}}{EFFORT_HIGH}',
    ),
    "siliconflow": (HARD, f'{ASKED}{COUNTED},"max_tokens":9,"enable_thinking":true{EFFORT_HIGH}'),
    "together": (
        HARD,
        f'{ASKED}{COUNTED},"max_tokens":9,"reasoning":{{"enabled":true}}{EFFORT_HIGH}',
    ),
    "deepinfra": (
        HARD,
        f'{ASKED}{COUNTED},"max_tokens":9,"reasoning":{{"enabled":true}}{EFFORT_HIGH}',
    ),
    "alibaba": (ON, f'{ASKED}{COUNTED},"max_tokens":9,"enable_thinking":true}}'),
    "moonshot": (
        ON,
        f'{ASKED}{COUNTED},"max_completion_tokens":9,"thinking":{{"type":"enabled"}}}}',
    ),
    "groq": (HARD, f'{ASKED}{COUNTED},"max_completion_tokens":9{EFFORT_HIGH}'),
    "mistral": (HARD, f'{ASKED},"max_tokens":9{EFFORT_HIGH}'),
    "xai": (HARD, f'{ASKED}{COUNTED},"max_tokens":9{EFFORT_HIGH}'),
    "vllm": (HARD, f'{ASKED}{COUNTED},"max_completion_tokens":9{TEMPLATE_ON}{EFFORT_HIGH}'),
    "sglang": (HARD, f'{ASKED}{COUNTED},"max_completion_tokens":9{TEMPLATE_ON}{EFFORT_HIGH}'),
    "llamacpp": (HARD, f'{ASKED}{COUNTED},"max_tokens":9{TEMPLATE_ON}{EFFORT_HIGH}'),
    "ollama": (HARD, f'{ASKED}{COUNTED},"max_tokens":9{EFFORT_HIGH}'),
    "lmstudio": ((), f'{ASKED}{COUNTED},"max_tokens":9}}'),
    "litellm": (("--effort", "high"), f'{ASKED}{COUNTED},"max_tokens":9{EFFORT_HIGH}'),
}
WHOLE = '{"model":"m","messages":[{"role":"user","content":"Why?"}],"stream":false'
STRICT = (
    ',"response_format":{"type":"json_schema","json_schema":'
    '{"name":"city","schema":{"type":"object"},"strict":true}}}'
)
IN_WORDS = (
    '{"role":"system","content":"Answer with JSON that is valid against this JSON schema, and with'
    ' nothing else:\\n{\\"type\\":\\"object\\"}"}'
)

BY_SCHEMA = {
    "deepseek": (
        f'{{"model":"m","messages":[{IN_WORDS},{{"role":"user","content":"Why?"}}],"stream":false'
        ',"max_tokens":9,"response_format":{"type":"json_object"}}'
    ),
    "openai": f'{WHOLE},"max_completion_tokens":9{STRICT}',
    "openrouter": f'{WHOLE},"max_tokens":9{STRICT}',
    "siliconflow": f'{WHOLE},"max_tokens":9{STRICT}',
    "together": f'{WHOLE},"max_tokens":9{STRICT}',
    "deepinfra": f'{WHOLE},"max_tokens":9{STRICT}',
    "alibaba": f'{WHOLE},"max_tokens":9{STRICT}',
    "moonshot": f'{WHOLE},"max_completion_tokens":9{STRICT}',
    "groq": f'{WHOLE},"max_completion_tokens":9{STRICT}',
    "mistral": f'{WHOLE},"max_tokens":9{STRICT}',
    "xai": f'{WHOLE},"max_tokens":9{STRICT}',
    "vllm": f'{WHOLE},"max_completion_tokens":9{STRICT}',
    "sglang": f'{WHOLE},"max_completion_tokens":9{STRICT}',
    "llamacpp": f'{WHOLE},"max_tokens":9{STRICT}',
    "ollama": f'{WHOLE},"max_tokens":9{STRICT}',
    "lmstudio": f'{WHOLE},"max_tokens":9{STRICT}',
    "litellm": f'{WHOLE},"max_tokens":9{STRICT}',
}
NO_SWITCH = ("lmstudio", "litellm")


@pytest.fixture
def server() -> Iterator[Listening]:
    with listening() as noted:
        yield noted


def ask(harness: Harness, server: Listening, name: str, *flags: str) -> Any:
    """One question to an endpoint, which here answers on this machine."""
    where = ("--set", f"endpoint.base_url={server.url}")
    return harness(
        "ask", "Why?", "--endpoint", name, *where, "--model", "m", "--max-tokens", "9", *flags
    )


def test_each_known_endpoint_is_in_the_table() -> None:
    names = {known.name for known in KNOWN}
    assert names == {*THINKING_OFF, *NO_SWITCH} == {*THINKING_ON} == {*BY_SCHEMA}


@pytest.mark.parametrize(("name", "body"), THINKING_OFF.items())
def test_thinking_is_turned_off_in_the_words_of_the_endpoint(
    harness: Harness, server: Listening, name: str, body: str
) -> None:
    result = ask(harness, server, name, "--thinking", "off")
    assert result.exit_code == 0, result.output
    assert server.bodies == [body]
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize("name", THINKING_ON)
def test_thinking_and_its_effort_are_said_in_the_words_of_the_endpoint(
    harness: Harness, server: Listening, name: str
) -> None:
    flags, body = THINKING_ON[name]
    result = ask(harness, server, name, *flags)
    assert result.exit_code == 0, result.output
    assert server.bodies == [body]


@pytest.mark.parametrize(("name", "body"), BY_SCHEMA.items())
def test_json_by_a_schema_is_asked_for_in_the_words_of_the_endpoint(
    harness: Harness, server: Listening, name: str, body: str
) -> None:
    Path("city.json").write_text('{"type": "object"}')
    result = ask(harness, server, name, "--schema", "city.json", "--no-stream")
    assert result.exit_code == 0, result.output
    assert server.bodies == [body]


def test_likelihoods_are_asked_for_by_a_flag_or_by_their_number() -> None:
    messages = (Message(role="user", content="Why?"),)
    request = Request(endpoint="e", model="m", messages=messages, logprobs=3)
    asked = {
        name: json.loads(request_body(request, stream=False, form=PROFILES[name].form))
        for name in PROFILES
    }
    numbers = {name: body["logprobs"] for name, body in asked.items() if "top_logprobs" not in body}
    flags = {
        (body["logprobs"], body["top_logprobs"])
        for name, body in asked.items()
        if name not in numbers
    }
    assert numbers == {"together": 3}
    assert flags == {(True, 3)}


@pytest.mark.parametrize(
    ("name", "field"), [("vllm", "reasoning"), ("sglang", "reasoning_content")]
)
def test_reasoning_goes_back_in_the_field_that_the_server_reads(name: str, field: str) -> None:
    call = ToolCall(id="c", name="look", arguments="{}")
    turn = Message(role="assistant", content="", reasoning="Hm.", tool_calls=(call,))
    request = Request(endpoint="e", model="m", messages=(turn,), tools=(Tool(name="look"),))
    sent = json.loads(request_body(request, stream=False, form=PROFILES[name].form))["messages"][0]
    assert {key: value for key, value in sent.items() if key.startswith("reasoning")} == {
        field: "Hm."
    }


@pytest.mark.parametrize("name", [known.name for known in KNOWN])
def test_nothing_that_is_not_set_is_sent(harness: Harness, server: Listening, name: str) -> None:
    result = ask(harness, server, name, "--no-stream")
    assert result.exit_code == 0, result.output
    assert set(server.sent) == {"model", "messages", "stream", PROFILES[name].form.cap}


@pytest.mark.parametrize("name", NO_SWITCH)
def test_where_no_switch_is_known_it_is_an_error_that_says_how_to_name_one(
    harness: Harness, server: Listening, name: str
) -> None:
    refused = ask(harness, server, name, "--thinking", "off")
    assert problem_of(refused).startswith(f"--thinking: thinking off would not be sent to {name}: ")
    assert "--set endpoint.thinking=FIELD" in problem_of(refused)
    assert server.bodies == []

    mended = ask(
        harness, server, name, "--thinking", "off", "--set", "endpoint.thinking=enable_thinking"
    )
    assert mended.exit_code == 0, mended.output
    assert server.sent["enable_thinking"] is False


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_each_is_reached_at_its_own_address_with_its_own_key(known: Any) -> None:
    variable = known.facts["api_key_env"][0]
    loaded = load_settings(
        {"endpoint": known.name, "model": "m"}, environ={variable: "sk-of-it", "OTHER": "sk-no"}
    )
    endpoint = loaded.endpoint()
    assert endpoint.base_url == known.facts["base_url"][0]
    assert endpoint.headers() == {"Authorization": "Bearer sk-of-it"}


@pytest.mark.parametrize("name", [known.name for known in KNOWN if not known.hosted])
def test_a_server_of_ones_own_needs_no_key(name: str) -> None:
    assert load_settings({"endpoint": name, "model": "m"}, environ={}).endpoint().headers() == {}


@pytest.mark.parametrize("name", [known.name for known in KNOWN if known.hosted])
def test_the_key_of_a_service_stays_at_its_own_hosts(
    harness: Harness, server: Listening, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(str(PROFILES[name].key_env), "sk-of-the-service")
    result = ask(harness, server, name)
    assert result.exit_code == 0, result.output
    assert "authorization" not in server.headers[0]

    refused = ask(harness, server, name, "--set", f"endpoint.api_key_env={PROFILES[name].key_env}")
    assert f"that key is {name}'s and is never sent to another host" in problem_of(refused)
    assert len(server.bodies) == 1


def test_a_base_url_takes_the_dialect_and_the_fields_of_the_command_line(
    harness: Harness, server: Listening
) -> None:
    flags = ("--base-url", server.url, "--model", "m", "--max-tokens", "9", "--thinking", "off")
    result = harness(
        "ask",
        "Why?",
        *flags,
        "--dialect",
        "deepseek",
        "--set",
        "endpoint.cap=max_completion_tokens",
    )
    assert result.exit_code == 0, result.output
    assert server.bodies == [
        f'{ASKED}{COUNTED},"max_completion_tokens":9,"thinking":{{"type":"disabled"}}}}'
    ]


def test_fields_and_headers_of_ones_own_are_sent(
    harness: Harness, server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_PASS", "sk-of-the-team")
    Path("harness.toml").write_text(
        f'[endpoints.ours]\nlike = "vllm"\nbase_url = "{server.url}"\nmodel = "m"\n'
        'extra_headers = { X-Team = "blue", X-Pass-Key = "${TEAM_PASS}" }\n'
        "[endpoints.ours.extra_body]\ntop_k = 40\nchat_template_kwargs = { extra = 1 }\n"
    )
    result = harness(
        "ask",
        "Why?",
        "--endpoint",
        "ours",
        "--thinking",
        "off",
        "--set",
        "endpoint.extra_body.min_p=0.1",
    )
    assert result.exit_code == 0, result.output
    assert (server.headers[0]["x-team"], server.headers[0]["x-pass-key"]) == (
        "blue",
        "sk-of-the-team",
    )
    assert server.sent["chat_template_kwargs"] == {"enable_thinking": False, "extra": 1}
    assert (server.sent["top_k"], server.sent["min_p"]) == (40, 0.1)


def test_images_go_with_the_prompt_and_a_changed_file_is_asked_anew(
    harness: Harness, server: Listening
) -> None:
    picture = Path("a.png")
    picture.write_bytes(b"\x89PNG\r\n\x1a\nfirst")
    images = ("--image", "a.png", "--image", "https://h.example/b.png")
    assert ask(harness, server, "ollama", *images).exit_code == 0
    assert ask(harness, server, "ollama", *images).exit_code == 0
    assert server.sent["messages"][0]["content"] == [
        {"type": "text", "text": "Why?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgpmaXJzdA=="}},
        {"type": "image_url", "image_url": {"url": "https://h.example/b.png"}},
    ]
    assert len(server.bodies) == 1

    picture.write_bytes(b"\x89PNG\r\n\x1a\nsecond")
    assert ask(harness, server, "ollama", *images).exit_code == 0
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--image", "gone.png"),
            "gone.png: cannot be read: No such file or directory; expected an image",
        ),
        (("--image", "text.txt"), "text.txt: is no PNG, JPEG, GIF or WebP image"),
        (("--schema", "text.txt"), "text.txt: no JSON schema: Expecting value"),
        (
            ("--schema", "list.json"),
            "list.json: no JSON schema: the JSON schema 'list' must be an object",
        ),
        (
            ("--schema", "typo.json"),
            (
                "typo.json: no JSON schema: the JSON schema 'typo' is none: type is no type of"
                " JSON: 'objekt'"
            ),
        ),
        (
            ("--image", "ftp://h/a.png"),
            "ftp://h/a.png: expected an image in a file, or at an http:// or https://",
        ),
        (
            ("--image", "data:image/png;base64,AA"),
            "data:image/png;base64,AA: expected an image in a file",
        ),
    ],
)
def test_what_is_malformed_is_one_error_before_anything_is_sent(
    harness: Harness, server: Listening, flags: tuple[str, ...], message: str
) -> None:
    Path("text.txt").write_text("no image")
    Path("list.json").write_text("[]")
    Path("typo.json").write_text('{"type": "objekt"}')
    assert problem_of(ask(harness, server, "ollama", *flags)).startswith(message)
    assert server.bodies == []
