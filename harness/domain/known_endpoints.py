"""The endpoints that are known by name: each field with the page or the source file that says so.

What no source says is left out, and so not known. `docs/endpoints.md` is made from this table.
Prices and limits of these services change with models and accounts; but for DeepSeek's prices
(`domain/pricing.py`) they are the user's to give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

CHECKED = date(2026, 11, 30)
"""The day on which the sources were read."""

OURS = 0
"""In place of a source's number: a name that we chose, as for a variable that the service does not
name.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A service or a server.

    `hosted`: it is reached at its own hosts, and its key is sent to no other. `facts` are values by
    field, with the number of the source that says so, counted from 1; `sources` are addresses with
    the date of what was read there. `hosts` are other base URLs of the same service. `remark` is
    for the page.
    """

    name: str
    title: str
    hosted: bool = True
    facts: Mapping[str, tuple[Any, int]]
    sources: tuple[tuple[str, date], ...]
    hosts: tuple[str, ...] = ()
    remark: str = ""
    default_model: str | None = None
    keyed_by_name: bool = False


_GITHUB = "https://github.com"
_OPENAI_SDK = f"{_GITHUB}/openai/openai-python/blob/e43b422/src/openai"
_GROQ_SDK = f"{_GITHUB}/groq/groq-python/blob/9620fde/src/groq"
_MISTRAL_SDK = f"{_GITHUB}/mistralai/client-python/blob/05629d2/src/mistralai/client"
_VLLM = f"{_GITHUB}/vllm-project/vllm/blob/002032e/vllm/entrypoints/openai"
_XAI_SDK = f"{_GITHUB}/xai-org/xai-sdk-python/blob/4dab6a4/src/xai_sdk"
_SGLANG = f"{_GITHUB}/sgl-project/sglang/blob/004c82e/python/sglang/srt/entrypoints/openai"
_LITELLM = f"{_GITHUB}/BerriAI/litellm/blob/101bba0/litellm/llms/litellm_proxy"
_LMSTUDIO = f"{_GITHUB}/lmstudio-ai/docs/blob/c6854fb/1_developer"

KNOWN: tuple[Known, ...] = (
    Known(
        name="deepseek",
        title="DeepSeek",
        default_model="deepseek-flash",
        keyed_by_name=True,
        hosts=("https://api.deepseek.com/v1",),
        facts={
            "base_url": ("https://api.deepseek.com", 1),
            "api_key_env": ("DEEPSEEK_API_KEY", OURS),
            "dialect": ("deepseek", 1),
            "thinking": ("thinking", 2),
            "efforts": ({"none": "none", "low": "low", "high": "high", "max": "max"}, 2),
            "cap": ("max_tokens", 1),
            "stream_options": (True, 1),
            "structured": ("json_object", 3),
            "reasoning_back": ("reasoning_content", 2),
            "aliases": (
                dict.fromkeys(
                    (
                        "deepseek-chat",
                        "deepseek-reasoner",
                        "deepseek-v4-flash",
                        "deepseek-v4-flash-vision-exp",
                    ),
                    "deepseek-flash",
                ),
                4,
            ),
        },
        sources=(
            ("https://api-docs.deepseek.com/api/create-chat-completion", date(2026, 11, 15)),
            ("https://api-docs.deepseek.com/guides/thinking_mode", date(2026, 11, 15)),
            ("https://api-docs.deepseek.com/guides/json_mode", date(2026, 11, 15)),
            ("https://api-docs.deepseek.com/quick_start/pricing", date(2026, 11, 15)),
        ),
        remark=(
            "Prices are built in, peak hours included. With tools, the reasoning of every earlier"
            " turn goes back."
        ),
    ),
    Known(
        name="openai",
        title="OpenAI",
        keyed_by_name=True,
        facts={
            "base_url": ("https://api.openai.com/v1", 1),
            "api_key_env": ("OPENAI_API_KEY", 1),
            "thinking": ("reasoning_effort", 2),
            "efforts": ({"none": "none", "low": "low", "high": "high", "max": "xhigh"}, 2),
            "cap": ("max_completion_tokens", 3),
            "stream_options": (True, 3),
            "structured": ("json_schema", 3),
            "reasoning_back": ("none", 4),
        },
        sources=(
            (f"{_OPENAI_SDK}/_client.py", date(2026, 8, 21)),
            (f"{_OPENAI_SDK}/types/shared/reasoning_effort.py", date(2026, 8, 21)),
            (f"{_OPENAI_SDK}/types/chat/completion_create_params.py", date(2026, 8, 21)),
            (
                f"{_OPENAI_SDK}/types/chat/chat_completion_assistant_message_param.py",
                date(2026, 8, 21),
            ),
        ),
        remark=(
            "Not every model takes every effort: one that refuses `none` is asked without it, which"
            " is told."
        ),
    ),
    Known(
        name="openrouter",
        title="OpenRouter",
        facts={
            "base_url": ("https://openrouter.ai/api/v1", 1),
            "api_key_env": ("OPENROUTER_API_KEY", 1),
            "thinking": ("reasoning", 2),
            "efforts": ({"none": "none", "low": "low", "high": "high", "max": "max"}, 2),
            "cap": ("max_tokens", 3),
            "stream_options": (True, 4),
            "structured": ("json_schema", 5),
            "reasoning_back": ("reasoning", 2),
        },
        sources=(
            ("https://openrouter.ai/docs/quickstart", date(2026, 8, 22)),
            (
                "https://openrouter.ai/docs/guides/best-practices/reasoning-tokens",
                date(2026, 8, 22),
            ),
            ("https://openrouter.ai/docs/api_reference/parameters", date(2026, 8, 22)),
            (
                "https://openrouter.ai/docs/cookbook/administration/usage-accounting",
                date(2026, 8, 22),
            ),
            ("https://openrouter.ai/docs/api_reference/overview", CHECKED),
        ),
        remark="It takes `stream_options` without effect: it tells the usage always.",
    ),
    Known(
        name="siliconflow",
        title="SiliconFlow",
        facts={
            "base_url": ("https://api.siliconflow.cn/v1", 1),
            "api_key_env": ("SILICONFLOW_API_KEY", OURS),
            "thinking": ("enable_thinking", 2),
            "efforts": ({"low": "low", "high": "high", "max": "max"}, 2),
            "cap": ("max_tokens", 2),
        },
        sources=(
            (
                "https://docs.siliconflow.cn/cn/api-reference/chat-completions/chat-completions.md",
                CHECKED,
            ),
            ("https://docs.siliconflow.cn/docs/api/chat-completions-post", CHECKED),
        ),
        remark="Its `max_tokens` does not count the reasoning. It takes `low` as `high`.",
    ),
    Known(
        name="together",
        title="Together AI",
        hosts=("https://api.together.xyz/v1",),
        facts={
            "base_url": ("https://api.together.ai/v1", 1),
            "api_key_env": ("TOGETHER_API_KEY", 1),
            "thinking": ("reasoning", 1),
            "efforts": ({"low": "low", "high": "high"}, 1),
            "cap": ("max_tokens", 1),
            "structured": ("json_schema", 1),
            "logprobs": ("number", 1),
        },
        sources=(
            (f"{_GITHUB}/togethercomputer/openapi/blob/090263a/openapi.yaml", date(2026, 4, 28)),
        ),
        remark="Models that always reason cannot be switched.",
    ),
    Known(
        name="deepinfra",
        title="DeepInfra",
        facts={
            "base_url": ("https://api.deepinfra.com/v1/openai", 1),
            "api_key_env": ("DEEPINFRA_TOKEN", 1),
            "thinking": ("reasoning", 2),
            "efforts": ({"none": "none", "low": "low", "high": "high"}, 2),
            "cap": ("max_tokens", 1),
            "stream_options": (True, 3),
            "structured": ("json_schema", 4),
        },
        sources=(
            ("https://docs.deepinfra.com/chat/overview", date(2026, 7, 22)),
            ("https://docs.deepinfra.com/chat/reasoning", date(2026, 7, 22)),
            ("https://docs.deepinfra.com/api-reference/openai-chat-completions-1", CHECKED),
            ("https://docs.deepinfra.com/chat/structured-outputs", date(2026, 7, 22)),
        ),
    ),
    Known(
        name="alibaba",
        title="Alibaba Cloud Model Studio",
        hosts=(
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
            "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
            "https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1",
        ),
        facts={
            "base_url": ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", 1),
            "api_key_env": ("DASHSCOPE_API_KEY", 2),
            "thinking": ("enable_thinking", 2),
            "stream_options": (True, 2),
        },
        sources=(
            (
                "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
                date(2026, 3, 18),
            ),
            ("https://www.alibabacloud.com/help/en/model-studio/deep-thinking", date(2026, 6, 18)),
        ),
        remark=(
            "The base URL is Singapore's; for Beijing, Virginia or Hong Kong `--set"
            " endpoint.base_url=URL`."
        ),
    ),
    Known(
        name="moonshot",
        title="Moonshot AI (Kimi)",
        facts={
            "base_url": ("https://api.moonshot.ai/v1", 2),
            "api_key_env": ("MOONSHOT_API_KEY", 1),
            "thinking": ("thinking", 2),
            "cap": ("max_completion_tokens", 2),
            "stream_options": (True, 2),
            "reasoning_back": ("reasoning_content", 2),
        },
        sources=(
            ("https://platform.kimi.ai/docs/guide/use-kimi-k2-thinking-model", CHECKED),
            (
                f"{_GITHUB}/MoonshotAI/kimi-cli/blob/4a550ef/packages/kosong/src/kosong/chat_provider/kimi.py",
                date(2026, 7, 16),
            ),
        ),
        remark="Models that always think refuse to be switched off.",
    ),
    Known(
        name="groq",
        title="Groq",
        facts={
            "base_url": ("https://api.groq.com/openai/v1", 1),
            "api_key_env": ("GROQ_API_KEY", 2),
            "thinking": ("reasoning_effort", 3),
            "efforts": ({"none": "none", "on": "default", "low": "low", "high": "high"}, 3),
            "cap": ("max_completion_tokens", 3),
            "stream_options": (True, 4),
            "structured": ("json_schema", 3),
            "reasoning_back": ("reasoning", 5),
        },
        sources=(
            ("https://console.groq.com/docs/api-reference", CHECKED),
            (f"{_GROQ_SDK}/_client.py", date(2026, 8, 18)),
            (f"{_GROQ_SDK}/types/chat/completion_create_params.py", date(2026, 8, 18)),
            (f"{_GROQ_SDK}/types/chat/chat_completion_chunk.py", date(2026, 8, 18)),
            (
                f"{_GROQ_SDK}/types/chat/chat_completion_assistant_message_param.py",
                date(2026, 8, 18),
            ),
        ),
        remark="`none` and `default` are for its Qwen models, the other efforts for gpt-oss.",
    ),
    Known(
        name="mistral",
        title="Mistral AI",
        facts={
            "base_url": ("https://api.mistral.ai/v1", 1),
            "api_key_env": ("MISTRAL_API_KEY", 2),
            "thinking": ("reasoning_effort", 3),
            "efforts": ({"none": "none", "low": "low", "high": "high", "max": "xhigh"}, 4),
            "cap": ("max_tokens", 3),
            "seed": ("random_seed", 3),
            "stream_options": (False, 3),
            "structured": ("json_schema", 5),
            "reasoning_back": ("none", 6),
        },
        sources=(
            (f"{_MISTRAL_SDK}/sdkconfiguration.py", date(2026, 6, 30)),
            (f"{_GITHUB}/mistralai/client-python/blob/05629d2/README.md", date(2026, 6, 30)),
            (f"{_MISTRAL_SDK}/models/chatcompletionrequest.py", date(2026, 6, 30)),
            (f"{_MISTRAL_SDK}/models/reasoningeffort.py", date(2026, 6, 30)),
            (f"{_MISTRAL_SDK}/models/responseformats.py", date(2026, 6, 30)),
            (f"{_MISTRAL_SDK}/models/assistantmessage.py", date(2026, 6, 30)),
        ),
        remark="Its request has no field `stream_options`.",
    ),
    Known(
        name="xai",
        title="xAI",
        facts={
            "base_url": ("https://api.x.ai/v1", 1),
            "api_key_env": ("XAI_API_KEY", 2),
            "thinking": ("reasoning_effort", 3),
            "efforts": (
                {"none": "none", "on": "low", "low": "low", "high": "high", "max": "xhigh"},
                4,
            ),
        },
        sources=(
            ("https://docs.x.ai/api", CHECKED),
            (f"{_XAI_SDK}/client.py", date(2026, 8, 18)),
            ("https://docs.x.ai/developers/model-capabilities/text/reasoning", date(2026, 6, 24)),
            (f"{_XAI_SDK}/chat.py", date(2026, 8, 18)),
        ),
        remark="Few models take `xhigh`. Its reasoning models refuse penalties and `stop`.",
    ),
    Known(
        name="vllm",
        title="vLLM",
        hosted=False,
        facts={
            "base_url": ("http://localhost:8000/v1", 1),
            "api_key_env": ("VLLM_API_KEY", OURS),
            "thinking": ("chat_template_kwargs", 2),
            "efforts": ({"none": "none", "low": "low", "high": "high", "max": "max"}, 3),
            "cap": ("max_completion_tokens", 3),
            "stream_options": (True, 3),
            "structured": ("json_schema", 3),
            "reasoning_back": ("reasoning", 4),
        },
        sources=(
            ("https://docs.vllm.ai/en/v0.7.3/features/reasoning_outputs.html", CHECKED),
            ("https://docs.vllm.ai/en/v0.26.0/features/reasoning_outputs/", CHECKED),
            (f"{_VLLM}/chat_completion/protocol.py", CHECKED),
            (f"{_GITHUB}/vllm-project/vllm/blob/001eadc/vllm/entrypoints/chat_utils.py", CHECKED),
        ),
        remark=(
            "Templates of DeepSeek and Granite call the switch `thinking`: `--set"
            " endpoint.thinking=chat_template_kwargs.thinking`. It names reasoning `reasoning`"
            " since 0.11.2, and drops a `reasoning_content` that is sent back (its issue 38488)."
        ),
    ),
    Known(
        name="sglang",
        title="SGLang",
        hosted=False,
        facts={
            "base_url": ("http://localhost:30000/v1", 1),
            "api_key_env": ("SGLANG_API_KEY", OURS),
            "thinking": ("chat_template_kwargs", 2),
            "efforts": ({"none": "none", "low": "low", "high": "high", "max": "max"}, 3),
            "cap": ("max_completion_tokens", 3),
            "stream_options": (True, 3),
            "structured": ("json_schema", 3),
            "reasoning_back": ("reasoning_content", 3),
        },
        sources=(
            ("https://docs.sglang.io/docs/basic_usage/send_request", CHECKED),
            ("https://docs.sglang.io/docs/advanced_features/thinking_budget", CHECKED),
            (f"{_SGLANG}/protocol.py", CHECKED),
        ),
        remark=(
            "DeepSeek's templates call the switch `thinking`: `--set"
            " endpoint.thinking=chat_template_kwargs.thinking`. An effort reaches the template as"
            " it is."
        ),
    ),
    Known(
        name="llamacpp",
        title="llama.cpp's server",
        hosted=False,
        facts={
            "base_url": ("http://localhost:8080/v1", 1),
            "api_key_env": ("LLAMA_API_KEY", 2),
            "thinking": ("chat_template_kwargs", 2),
            "efforts": ({"none": "none", "low": "low", "high": "high", "max": "max"}, 2),
            "structured": ("json_schema", 2),
            "reasoning_back": ("reasoning_content", 2),
        },
        sources=(
            (f"{_GITHUB}/ggml-org/llama.cpp/pull/26508", date(2026, 8, 3)),
            (f"{_GITHUB}/ggml-org/llama.cpp/blob/00dc805/tools/server/README.md", CHECKED),
        ),
        remark=(
            "A later version is to listen on port 9931. It queues what it cannot serve:"
            " `--in-flight` with its number of slots."
        ),
    ),
    Known(
        name="ollama",
        title="Ollama",
        hosted=False,
        facts={
            "base_url": ("http://localhost:11434/v1", 1),
            "api_key_env": ("OLLAMA_API_KEY", OURS),
            "thinking": ("reasoning_effort", 1),
            "efforts": ({"none": "none", "low": "low", "high": "high", "max": "max"}, 1),
            "cap": ("max_tokens", 1),
            "stream_options": (True, 1),
            "structured": ("json_schema", 2),
            "reasoning_back": ("reasoning", 2),
        },
        sources=(
            (
                f"{_GITHUB}/ollama/ollama/blob/fb30760/docs/api/openai-compatibility.mdx",
                date(2026, 8, 21),
            ),
            (f"{_GITHUB}/ollama/ollama/blob/fb30760/openai/openai.go", date(2026, 8, 21)),
        ),
        remark="Images must be files: it fetches no URL.",
    ),
    Known(
        name="lmstudio",
        title="LM Studio",
        hosted=False,
        facts={
            "base_url": ("http://localhost:1234/v1", 1),
            "api_key_env": ("LM_API_TOKEN", 2),
            "cap": ("max_tokens", 1),
            "stream_options": (True, 3),
            "structured": ("json_schema", 4),
        },
        sources=(
            (f"{_LMSTUDIO}/3_openai-compat/chat-completions.md", date(2026, 4, 29)),
            (f"{_LMSTUDIO}/2_rest/chat.md", date(2026, 4, 29)),
            (f"{_LMSTUDIO}/api-changelog.md", date(2026, 4, 29)),
            (f"{_LMSTUDIO}/3_openai-compat/structured-output.md", date(2026, 4, 29)),
        ),
        remark="Its documentation names no switch for thinking at this address.",
    ),
    Known(
        name="litellm",
        title="LiteLLM proxy",
        hosted=False,
        facts={
            "base_url": ("http://localhost:4000", 1),
            "api_key_env": ("LITELLM_PROXY_API_KEY", 2),
            "efforts": ({"low": "low", "high": "high"}, 3),
        },
        sources=(
            ("https://docs.litellm.ai/docs/proxy/quick_start", date(2026, 10, 14)),
            (f"{_LITELLM}/chat/transformation.py", CHECKED),
            ("https://docs.litellm.ai/docs/reasoning_content", CHECKED),
        ),
        remark="What switches thinking depends on the service behind it, so none is known here.",
    ),
)
