"""Names that hosts really send, and what they stand for: pairs of what was asked for and what the
answer says.
"""

from __future__ import annotations

import pytest

from harness.domain.model_names import same_model

SAME = [
    ("gpt-4o-mini", "gpt-4o-mini"),
    ("gpt-4o", " GPT-4o "),
    # It says nothing of its model (Bedrock and others behind Portkey).
    ("x", ""),
    ("x", "  "),
    # A dated snapshot of what was asked for (OpenAI, Azure).
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-5-nano", "gpt-5-nano-2025-08-07"),
    ("o3", "o3-2025-04-16"),
    ("gpt-4", "gpt-4-0613"),
    ("gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    ("gpt-4o-2024-08-06", "gpt-4o"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    ("mistral-large-latest", "mistral-large-2411"),
    ("gemini-1.5-pro", "gemini-1.5-pro-002"),
    ("gemini-2.5-pro-preview", "gemini-2.5-pro-preview-05-06"),
    ("gemini-2.5-flash-preview", "gemini-2.5-flash-preview-09-2025"),
    ("deepseek-r1-0528", "deepseek-r1-20250528"),
    ("mistral-7b-instruct", "mistral-7b-instruct-v0.3"),
    ("deepseek-chat", "deepseek/deepseek-chat-v3-0324"),
    ("deepseek-chat-v3", "deepseek-chat-v3-0324"),
    # A path before the name, a route behind it.
    ("openai/gpt-4o-mini", "gpt-4o-mini"),
    ("deepseek-chat", "deepseek/deepseek-chat:free"),
    ("qwen/qwen3-coder:nitro", "qwen/qwen3-coder"),
    ("accounts/fireworks/models/llama-v3p1-8b-instruct", "llama-v3p1-8b-instruct"),
    ("meta-llama/llama-3.1-8b-instruct", "accounts/fireworks/models/llama-v3p1-8b-instruct"),
    ("gemini-2.5-flash", "models/gemini-2.5-flash"),
    ("gpt-oss-120b", "hosted_vllm/gpt-oss-120b"),
    ("@cf/meta/llama-3.1-8b-instruct", "llama-3.1-8b-instruct"),
    ("deepseek-v3@novita", "deepseek-v3"),
    ("tinyllama", "TinyLlama@main"),
    ("gpt-4.1", "azure/gpt-4.1@2025-04-14"),
    ("claude-3-5-sonnet", "claude-3-5-sonnet@20240620"),
    ("claude-3.5-sonnet", "us.anthropic.claude-3-5-sonnet-20240620-v1:0"),
    ("amazon/nova-pro-v1", "us.amazon.nova-pro-v1:0"),
    ("llama3", "llama3:latest"),
    ("llama3.1:8b", "llama3.1:8b"),
    ("qwen3:8b", "qwen3:8b-q4_K_M"),
    # Dots, dashes, capitals, the order of words.
    ("deepseek-ai/DeepSeek-V3", "deepseek-v3"),
    ("Qwen/Qwen2.5-7B-Instruct", "qwen/qwen-2.5-7b-instruct"),
    ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5-20250929"),
    ("claude-sonnet-4.5", "anthropic/claude-4.5-sonnet"),
    ("Meta-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
    # Files and builds of local servers.
    ("qwen2.5-7b-instruct", "/models/Qwen2.5-7B-Instruct-Q4_K_M.gguf"),
    ("DeepSeek-R1-Distill-Llama-8B", "C:\\models\\DeepSeek-R1-Distill-Llama-8B-Q4_K_M.gguf"),
    ("llama-3.2-1b", "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M"),
    ("llama-3-70b", "llama-3-70b-00001-of-00003.gguf"),
    ("deepseek-v3", "deepseek-v3-fp8"),
    ("qwen3-8b-awq", "qwen3-8b"),
    ("qwen3-8b", "mlx-community/Qwen3-8B-4bit"),
    ("gemma3:27b", "gemma3:27b-it-qat"),
    ("gemma-3-27b-it", "gemma-3-27b-it-qat-Q4_0"),
    (
        "Qwen/Qwen2.5-7B-Instruct",
        "/root/.cache/huggingface/hub/models--Qwen--Qwen2.5-7B-Instruct/snapshots/a09a35458c702b33eeacc393d103063234e8",
    ),
    # Servers that say one name whatever they serve, or take any name.
    ("my-llama", "gpt-3.5-turbo"),
    ("tiny", "gpt-3.5-turbo-0613"),
    ("anything", "/models/phi-4.gguf"),
    # Names that choose nothing.
    ("openrouter/auto", "anthropic/claude-sonnet-4"),
    ("openrouter/free", "qwen/qwen3-coder:free"),
    ("local-model", "phi-4"),
]
OTHER = [
    ("x", "other/dear-model-5"),
    ("gpt-4o-mini", "gpt-4o"),
    ("gpt-4o", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
    ("gemini-1.5-pro-001", "gemini-1.5-pro-002"),
    ("mistral-7b-instruct-v0.2", "mistral-7b-instruct-v0.3"),
    ("gpt-4", "gpt-4-32k"),
    ("gpt-4", "gpt-4-turbo"),
    ("gpt-4.1", "gpt-4"),
    ("gpt-4.1", "gpt-4.1-mini"),
    ("gpt-4", "gpt-3.5-turbo"),
    ("openai/gpt-4o", "gpt-3.5-turbo-0613"),
    ("o1", "gpt-3.5-turbo"),
    ("o1", "o1-mini"),
    ("gpt-3.5-turbo", "gpt-4"),
    ("claude-haiku-4-5", "claude-sonnet-4-5"),
    ("claude-haiku-4-5-20251001", "claude-sonnet-4-5"),
    ("claude-sonnet-4", "claude-sonnet-4.5"),
    ("qwen2.5:7b", "qwen2.5:32b"),
    ("llama-3-8b", "llama-3-70b"),
    ("llama-3", "llama-3.1"),
    ("llama-3.1-8b", "llama-3.3-8b"),
    ("deepseek-chat", "deepseek-reasoner"),
    ("deepseek-v3", "deepseek-v3.1"),
    ("deepseek-v3", "deepseek-r1"),
    ("deepseek-v4-pro", "deepseek-flash"),
    ("command-r", "command-r+"),
    ("kimi-k2", "kimi-k2-thinking"),
    ("qwen3-8b", "qwen3-8b-coder"),
    ("llama-q4_k_m.gguf", "llama-q8_0.gguf"),
    ("llama3", "qwen.gguf"),
    ("a.gguf", "b.gguf"),
    ("ft:gpt-4o-mini-2024-07-18:acme::abc", "gpt-4o-mini-2024-07-18"),
    ("text-davinci-002", "text-davinci-003"),
]


@pytest.mark.parametrize(("asked", "told"), SAME)
def test_a_name_in_another_style_is_the_same_model(asked: str, told: str) -> None:
    assert same_model(asked, told)


@pytest.mark.parametrize(("asked", "told"), OTHER)
def test_another_model_version_size_or_build_is_another(asked: str, told: str) -> None:
    assert not same_model(asked, told)


def test_an_alias_is_the_same_model_where_it_is_known() -> None:
    aliases = {"fast": "gpt-4o-mini"}
    assert not same_model("fast", "gpt-4o-mini")
    assert same_model("fast", "openai/gpt-4o-mini-2024-07-18", aliases)
    assert same_model("fast", "fast", aliases)
    assert not same_model("fast", "gpt-4o", aliases)
    assert not same_model("slow", "gpt-4o-mini", aliases)
