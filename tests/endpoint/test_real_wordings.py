"""What real servers answer instead of an answer, and what is made of it: one row a wording, in
words of our own.

An id names who says it so.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from _chat import REQUEST, Server, error_body, event, streaming

from harness.domain.completion import Message
from harness.domain.failures import CompletionError, FatalError, PermanentError, TransientError

NOON_S = 1_794_830_400  # 2026-11-16 12:00 UTC, which is now
NO_HEADERS: dict[str, str] = {}


class Row(NamedTuple):
    """`wait_s` is what the server asks for."""

    who: str
    status: int
    body: bytes
    kind: str
    wait_s: float | None = None
    headers: dict[str, str] = NO_HEADERS


def said(message: str, **fields: Any) -> bytes:
    """An error object with this message and no code that says more."""
    return json.dumps({"error": {"message": message, **fields}}).encode()


def bare(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def page(title: str) -> bytes:
    return (
        "<!DOCTYPE"
        f" html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
    )


def google(quota: str, delay: str) -> bytes:
    message = (
        "You exceeded your current quota, please check your plan. * Quota exceeded for metric:"
        " requests, limit: 20"
    )
    details = [
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaId": quota}],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    ]
    return bare(
        [
            {
                "error": {
                    "code": 429,
                    "message": message,
                    "status": "RESOURCE_EXHAUSTED",
                    "details": details,
                }
            }
        ]
    )


EVERYONE = [
    # The key
    Row(
        "litellm: no such key, without a database",
        400,
        said("No connected db.", type="no_db_connection"),
        "auth",
    ),
    Row(
        "litellm: no key at all",
        500,
        said("Authentication Error, No api key passed in.", code="500"),
        "auth",
    ),
    Row(
        "litellm: a wrong key of the server behind",
        500,
        said("AuthenticationError - Incorrect API key given"),
        "auth",
    ),
    Row("litellm: another key", 400, said("Invalid proxy server token passed."), "auth"),
    Row("OpenAI: a wrong key by its code", 400, said("No.", code="invalid_api_key"), "auth"),
    Row(
        "OpenAI: a scope is missing",
        403,
        said("You have insufficient permissions. Missing scopes: model.x"),
        "auth",
    ),
    Row("OpenAI: no key", 401, said("You didn't provide an API key."), "auth"),
    Row(
        "Anthropic: a wrong key",
        401,
        said("invalid x-api-key", type="authentication_error"),
        "auth",
    ),
    Row(
        "Anthropic: no permission",
        403,
        said("Your key lacks rights.", type="permission_error"),
        "auth",
    ),
    Row(
        "Google: a wrong key",
        400,
        said("API key not valid. Pass a valid one.", status="INVALID_ARGUMENT"),
        "auth",
    ),
    Row("Google: no permission", 403, said("No.", status="PERMISSION_DENIED"), "auth"),
    Row("Azure: a wrong key", 404, said("Access denied due to invalid subscription key"), "auth"),
    Row(
        "DeepSeek: a wrong key",
        401,
        said("Authentication Fails, Your api key: ****0750 is invalid"),
        "auth",
    ),
    Row("Mistral: a wrong key", 403, bare({"message": "Unauthorized", "request_id": "7"}), "auth"),
    Row("OpenRouter: no key", 403, said("No auth credentials found"), "auth"),
    Row(
        "AWS: a token that has ended",
        400,
        said("The security token included in the request is expired"),
        "auth",
    ),
    Row(
        "xAI: a wrong key",
        400,
        bare({"code": "Client error", "error": "Incorrect API key provided: x***y"}),
        "auth",
    ),
    Row(
        "GitHub Models: no right to models",
        403,
        said("The `models` permission is required"),
        "auth",
    ),
    Row("new-api: a wrong key", 403, said("无效的令牌"), "auth"),
    Row("nginx asks for a password", 401, page("401 Authorization Required"), "auth"),
    Row("nginx asks for a password with 403", 403, page("Authorization Required"), "auth"),
    Row("a proxy asks for a password", 407, page("Proxy"), "auth"),
    Row("a gateway quotes a 401", 500, said("upstream said no", code=401), "auth"),
    # The account
    Row(
        "DeepSeek: empty",
        402,
        said("Insufficient Balance", code="invalid_request_error"),
        "balance",
    ),
    Row(
        "litellm: DeepSeek is empty",
        400,
        said("litellm.BadRequestError: DeepseekException - Insufficient Balance"),
        "balance",
    ),
    Row(
        "OpenAI: empty",
        429,
        said("You exceeded your current quota, check your plan", code="insufficient_quota"),
        "balance",
    ),
    Row(
        "litellm: OpenAI is empty",
        429,
        said("litellm.RateLimitError: You exceeded your current quota.", type="throttling_error"),
        "balance",
    ),
    Row(
        "OpenAI: the hard limit",
        400,
        said("Billing hard limit has been reached", code="billing_hard_limit_reached"),
        "balance",
    ),
    Row(
        "OpenAI: not active",
        429,
        said("Your account is not active", code="billing_not_active"),
        "balance",
    ),
    Row(
        "Anthropic: empty",
        400,
        said("Your credit balance is too low to use this.", type="invalid_request_error"),
        "balance",
    ),
    Row(
        "OpenRouter: empty",
        402,
        said("This request requires more credits, or fewer max_tokens."),
        "balance",
    ),
    Row(
        "OpenRouter: the key's own limit", 403, said("Key limit exceeded (total limit)."), "balance"
    ),
    Row(
        "Perplexity: empty under 401",
        401,
        said("You exceeded your current quota", type="insufficient_quota"),
        "balance",
    ),
    Row(
        "SiliconFlow: empty",
        403,
        bare({"code": 30001, "message": "Sorry, your account balance is insufficient"}),
        "balance",
    ),
    Row(
        "Moonshot: empty",
        429,
        said("Your account is suspended", type="exceeded_current_quota_error"),
        "balance",
    ),
    Row("Zhipu: empty", 429, said("余额不足或无可用资源包", code="1113"), "balance"),
    Row("new-api: empty", 403, said("用户额度不足"), "balance"),
    Row(
        "Alibaba: in arrears",
        400,
        said("Access denied, see that your account is in good standing.", code="Arrearage"),
        "balance",
    ),
    Row(
        "Volcengine: overdue",
        403,
        said("The account has an overdue balance.", code="AccountOverdueError"),
        "balance",
    ),
    Row(
        "xAI: spent",
        403,
        bare(
            {
                "code": "Some resource has been exhausted",
                "error": "Your team has used all available credits",
            }
        ),
        "balance",
    ),
    Row(
        "xAI: the month's spending limit",
        429,
        said("The team reached its monthly spending limit."),
        "balance",
    ),
    Row(
        "litellm: a key's budget",
        400,
        said("Budget has been exceeded! Current cost: 2, Max budget: 1", type="budget_exceeded"),
        "balance",
    ),
    Row(
        "Hugging Face: the month's credits",
        402,
        bare({"error": "You have exceeded your monthly included credits"}),
        "balance",
    ),
    *(
        Row(f"DeepSeek's client counts it as terminal: {words}", 429, said(words), "balance")
        for words in (
            *(
                "Quota exhausted",
                "Quota exceeded",
                "Quota reached",
                "You exceeded the quota",
                "Insufficient quota",
            ),
            *(
                "Credits exhausted",
                "Your credits are depleted",
                "Balance depleted",
                "Balance exhausted",
            ),
            *("You are out of credits", "Out of budget"),
        )
    ),
    # The day's quota
    Row(
        "OpenRouter: the free models of a day",
        429,
        said(
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model"
            " requests per day",
            code=429,
            metadata={
                "headers": {
                    "X-RateLimit-Remaining": "0",
                    "X-RateLimit-Reset": str((NOON_S + 21_600) * 1000),
                }
            },
        ),
        "quota",
        21_600.0,
    ),
    Row(
        "OpenAI: requests of a day",
        429,
        said(
            "Rate limit reached for x on requests per day (RPD): Limit 200, Used 200. Please try"
            " again in 7m12s."
        ),
        "quota",
        432.0,
    ),
    Row(
        "Groq: tokens of a day",
        429,
        said(
            "Rate limit reached on tokens per day (TPD): Limit 100000. Please try again in 2h3m4.5s"
        ),
        "quota",
        7384.5,
    ),
    Row(
        "Google: requests of a day",
        429,
        google("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "36s"),
        "quota",
        36.0,
    ),
    Row(
        "Anthropic: until the first of the month",
        400,
        said(
            "You have reached your specified API usage limits. You will regain access on 2026-12-01"
            " at 00:00 UTC."
        ),
        "quota",
        14.5 * 86_400,
    ),
    Row(
        "GitHub Models: requests of a day",
        429,
        said(
            "Rate limit of 50 per 86400s exceeded for UserByModelByDay. Please wait 43000 seconds"
            " before retrying."
        ),
        "quota",
        43_000.0,
        {"retry-after": "60"},
    ),
    Row(
        "Bedrock: tokens of a day",
        429,
        said("Too many tokens per day, please wait before trying again."),
        "quota",
    ),
    Row(
        "Cerebras: tokens of a day",
        429,
        said(
            "Tokens per day limit exceeded - too many tokens processed.",
            type="too_many_tokens_error",
            code="token_quota_exceeded",
        ),
        "quota",
    ),
    Row(
        "Cohere: calls of a month",
        429,
        bare({"message": "A trial key is limited to 1000 API calls / month"}),
        "quota",
    ),
    Row(
        "Cloudflare: a day's share",
        429,
        said("you have used up your daily free allocation of 10,000 neurons"),
        "quota",
    ),
    Row(
        "Zhipu: five hours",
        429,
        said(
            "Usage limit reached for 5 hour. Your limit will reset at 2026-11-16 15:30:00",
            code="1308",
        ),
        "quota",
        12_600.0,
    ),
    Row(
        "ollama: a week", 429, bare({"error": "you have reached your weekly usage limit"}), "quota"
    ),
    Row(
        "Codex: a usage limit with its reset",
        429,
        said(
            "The usage limit has been reached", type="usage_limit_reached", resets_at=NOON_S + 3600
        ),
        "quota",
        3600.0,
    ),
    Row(
        "Codex: the same in seconds",
        429,
        said("No.", type="usage_limit_reached", resets_in_seconds=90),
        "quota",
        90.0,
    ),
    Row(
        "OpenRouter: the key's limit of a day",
        403,
        said("Key limit exceeded (daily limit)."),
        "quota",
    ),
    Row(
        "a quota with a reset in hours",
        429,
        said("Quota exceeded"),
        "quota",
        7200.0,
        {"x-ratelimit-reset": "7200"},
    ),
    Row(
        "an empty account beside limits per minute",
        429,
        said("Quota exceeded"),
        "balance",
        None,
        {"x-ratelimit-reset": "9s"},
    ),
    # The model
    Row("LM Studio: nothing is loaded", 400, said("No models loaded. Load one."), "unknown_model"),
    Row("a model by its name", 404, said("Model with name x-1.5 not found"), "unknown_model"),
    Row(
        "litellm: no such model",
        400,
        said(
            "/chat/completions: Invalid model name passed in model=nope. See `/v1/models` for your"
            " key."
        ),
        "unknown_model",
    ),
    Row(
        "OpenAI: no such model",
        404,
        said(
            "The model `x-4.1` does not exist or you do not have access to it.",
            code="model_not_found",
        ),
        "unknown_model",
    ),
    Row(
        "OpenAI: no access to it",
        403,
        said("The project does not have access to model `x`", code="model_not_found"),
        "unknown_model",
    ),
    Row(
        "DeepSeek: no such model",
        400,
        said("The supported API model names are a or b, but you passed c."),
        "unknown_model",
    ),
    Row("DeepSeek: no such model, older", 400, said("Model Not Exist"), "unknown_model"),
    Row(
        "Anthropic: no such model",
        404,
        said("model: some-model-9", type="not_found_error"),
        "unknown_model",
    ),
    Row(
        "Mistral: no such model",
        400,
        bare({"object": "error", "message": "Invalid model: x", "type": "invalid_model"}),
        "unknown_model",
    ),
    Row(
        "Moonshot: no such model",
        404,
        said("Not found the model x or Permission denied", type="resource_not_found_error"),
        "unknown_model",
    ),
    Row(
        "ollama: no such model",
        404,
        said("model 'x:8b' not found, try pulling it first"),
        "unknown_model",
    ),
    Row(
        "Google: no such model",
        404,
        said("models/x-9 is not found for this version of the API"),
        "unknown_model",
    ),
    Row(
        "Azure: no such deployment",
        404,
        said("The API deployment for this resource does not exist.", code="DeploymentNotFound"),
        "unknown_model",
    ),
    Row("OpenRouter: no such model", 404, said("No endpoints found for a/b."), "unknown_model"),
    Row(
        "OpenRouter: no name of a model",
        400,
        said("a/b/c is not a valid model ID"),
        "unknown_model",
    ),
    Row(
        "Groq: withdrawn",
        400,
        said("The model `x-3.1-70b` has been decommissioned.", code="model_decommissioned"),
        "unknown_model",
    ),
    Row("a server of one model", 500, said("The model `x` does not exist."), "unknown_model"),
    Row(
        "GitHub Models: no such model",
        400,
        said("Unknown model: x", code="unknown_model"),
        "unknown_model",
    ),
]

TOPIC = [
    Row(
        "OpenRouter: flagged",
        403,
        said(
            'a/b requires moderation on C. Your input was flagged for "violence". No credits were'
            " charged.",
            code=403,
            metadata={
                "reasons": ["violence"],
                "flagged_input": "Invalid API key",
                "provider_name": "C",
            },
        ),
        "content_filter",
    ),
    Row(
        "OpenRouter: flagged, told by its fields alone",
        403,
        said("No.", metadata={"flagged_input": "x"}),
        "content_filter",
    ),
    Row(
        "OpenAI: flagged",
        400,
        said(
            "Your prompt was flagged as potentially violating our usage policy.",
            code="invalid_prompt",
        ),
        "content_filter",
    ),
    Row("OpenAI: the policy", 400, said("No.", code="content_policy_violation"), "content_filter"),
    Row(
        "Azure: the filter",
        400,
        said(
            "The prompt triggered the content management policy.",
            code="content_filter",
            innererror={"code": "ResponsibleAIPolicyViolation"},
        ),
        "content_filter",
    ),
    Row(
        "Azure: the filter, in the inner error",
        400,
        said("No.", innererror={"code": "ResponsibleAIPolicyViolation"}),
        "content_filter",
    ),
    Row(
        "Alibaba: inspected",
        400,
        said("Input data may contain inappropriate content.", code="data_inspection_failed"),
        "content_filter",
    ),
    Row(
        "Alibaba: inspected, its other code",
        400,
        bare({"code": "DataInspectionFailed", "message": "No."}),
        "content_filter",
    ),
    Row(
        "DeepSeek: a risk",
        400,
        said("Content Exists Risk", type="invalid_request_error"),
        "content_filter",
    ),
    Row(
        "Anthropic: the output",
        400,
        said("Output blocked by content filtering policy"),
        "content_filter",
    ),
    Row(
        "Moonshot: a risk",
        400,
        said("The request was rejected because it was considered high risk", type="content_filter"),
        "content_filter",
    ),
    Row(
        "xAI: the guidelines",
        403,
        bare(
            {
                "code": "The caller does not have permission to execute the operation",
                "error": "Content violates usage guidelines.",
            }
        ),
        "content_filter",
    ),
    Row(
        "Volcengine: sensitive",
        400,
        said("No.", code="InputTextSensitiveContentDetected"),
        "content_filter",
    ),
    Row(
        "Zhipu: sensitive",
        400,
        said("系统检测到输入可能包含不安全或敏感内容", code="1301"),
        "content_filter",
    ),
    Row("moderation under 500", 500, said("Request blocked by moderation"), "content_filter"),
    Row(
        "litellm: the policy",
        400,
        said("litellm.ContentPolicyViolationError: no"),
        "content_filter",
    ),
    Row(
        "OpenAI: too long",
        400,
        said("This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
        "too_long",
    ),
    Row(
        "llama.cpp: too long",
        400,
        said(
            "request (5000 tokens) exceeds the available context size (2048 tokens)",
            type="exceed_context_size_error",
        ),
        "too_long",
    ),
    Row(
        "llama-cpp-python: too long",
        400,
        said("Requested tokens (3000) exceed context window of 2048"),
        "too_long",
    ),
    Row(
        "litellm: too long",
        400,
        said("litellm.ContextWindowExceededError: no", code="400"),
        "too_long",
    ),
    Row(
        "Anthropic: too long",
        400,
        said("prompt is too long: 210000 tokens > 200000 maximum"),
        "too_long",
    ),
    Row(
        "Anthropic: a body too large",
        413,
        said("Request exceeds the maximum size", type="request_too_large"),
        "too_long",
    ),
    Row(
        "vLLM: too long",
        400,
        bare(
            {
                "object": "error",
                "message": "The prompt (total length 5000) is too long to fit into the model",
            }
        ),
        "too_long",
    ),
    Row(
        "SGLang: too long",
        400,
        said("The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
        "too_long",
    ),
    Row(
        "Google: too long",
        400,
        said("The input token count (1200000) exceeds the maximum number of tokens allowed."),
        "too_long",
    ),
    Row(
        "Cohere: too long",
        400,
        bare(
            {
                "message": (
                    "too many tokens: total number of tokens in the prompt exceeds the limit of"
                    " 4081"
                )
            }
        ),
        "too_long",
    ),
    Row(
        "Moonshot: too long",
        400,
        said("Invalid request: Your request exceeded model token limit: 8192"),
        "too_long",
    ),
    Row(
        "TGI: too long",
        422,
        bare(
            {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096"}
        ),
        "too_long",
    ),
    Row(
        "OpenAI: never fits a minute",
        429,
        said(
            "Request too large for x on tokens per min (TPM): Limit 10000, Requested 12000.",
            code="rate_limit_exceeded",
        ),
        "too_long",
    ),
    Row(
        "Groq: never fits a minute",
        413,
        said(
            "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested"
            " 9000",
            code="rate_limit_exceeded",
        ),
        "too_long",
    ),
    Row("nginx: too large", 413, page("413 Request Entity Too Large"), "too_long"),
    Row("413 without a word", 413, b"", "too_long"),
    Row("403 without a word", 403, b"", "forbidden"),
    Row(
        "403 of a region",
        403,
        said("Country, region, or territory not supported", code="unsupported_country"),
        "forbidden",
    ),
    Row("a plain 404", 404, bare({"detail": "Not Found"}), "bad_request"),
    Row("a plain 404 with a dot", 404, said("File Not Found"), "bad_request"),
    Row(
        "DeepSeek: a cap out of range",
        400,
        said("Invalid max_tokens value, the valid range of max_tokens is [1, 393216]"),
        "bad_request",
    ),
    Row(
        "OpenAI: a cap out of range",
        400,
        said("max_tokens is too large: 99999. This model supports at most 8192 completion tokens"),
        "bad_request",
    ),
    Row(
        "transformers: an unknown field",
        422,
        bare({"detail": "Unexpected fields in the request: {'thinking'}"}),
        "bad_request",
    ),
    Row(
        "pydantic quotes the prompt",
        422,
        bare(
            {
                "detail": [
                    {
                        "type": "missing",
                        "msg": "Field required",
                        "input": {"content": "Insufficient Balance, invalid API key"},
                    }
                ]
            }
        ),
        "bad_request",
    ),
    Row("a model that cannot do tools", 400, said("x does not support tools"), "bad_request"),
]

PASSING = [
    Row(
        "OpenRouter: the free models of a minute",
        429,
        said(
            "Rate limit exceeded: free-models-per-min. Add 10 credits to unlock 1000 requests"
            " per day"
        ),
        "rate_limited",
    ),
    Row(
        "OpenAI: tokens a minute",
        429,
        said(
            "Rate limit reached for x on tokens per min (TPM): Limit 10000, Used 9999. Please try"
            " again in 6.2s.",
            code="rate_limit_exceeded",
        ),
        "rate_limited",
        6.2,
    ),
    Row(
        "OpenAI: milliseconds",
        429,
        said("Rate limit reached. Please try again in 86ms."),
        "rate_limited",
        0.086,
    ),
    Row(
        "Google: requests a minute",
        429,
        google("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "3.2s"),
        "rate_limited",
        3.2,
    ),
    Row(
        "Google: of neither",
        429,
        bare(
            [
                {
                    "error": {
                        "code": 429,
                        "message": "Resource has been exhausted (e.g. check quota).",
                        "status": "RESOURCE_EXHAUSTED",
                    }
                }
            ]
        ),
        "rate_limited",
    ),
    Row(
        "Google: a quota that is soon restored",
        429,
        said("You exceeded your current quota, check your plan. Please retry in 45.578569677s."),
        "rate_limited",
        45.578569677,
    ),
    Row(
        "litellm: Google behind it",
        429,
        said(
            'litellm.RateLimitError: b\'{"message": "You exceeded your current quota",'
            ' "retryDelay": "26s"}\''
        ),
        "rate_limited",
        26.0,
    ),
    Row(
        "Azure: its words",
        429,
        said(
            "Requests have exceeded the call rate limit of your tier. Please retry after 26"
            " seconds."
        ),
        "rate_limited",
        26.0,
    ),
    Row(
        "Anthropic: tokens a minute",
        429,
        said(
            "This would exceed your organization's rate limit of 20,000 input tokens per minute",
            type="rate_limit_error",
        ),
        "rate_limited",
    ),
    Row(
        "DeepSeek: concurrency",
        429,
        said(
            "Your current concurrency exceeds your concurrency limit of 25 based on your remaining"
            " balance. Top it up."
        ),
        "rate_limited",
    ),
    Row(
        "Bedrock: tokens a minute",
        429,
        said("Too many tokens, please wait before trying again."),
        "rate_limited",
    ),
    Row("Bedrock behind a gateway of 400", 400, said("ThrottlingException: no"), "rate_limited"),
    Row(
        "Cerebras: tokens a minute",
        429,
        said(
            "Tokens per minute limit exceeded - too many tokens processed.",
            type="too_many_tokens_error",
            code="token_quota_exceeded",
        ),
        "rate_limited",
    ),
    Row(
        "Alibaba: tokens a minute",
        429,
        said(
            "Allocated quota exceeded, please increase your quota limit.",
            code="Throttling.AllocationQuota",
        ),
        "rate_limited",
    ),
    Row(
        "Moonshot: try again after",
        429,
        said("request reached max RPM: 3, please try again after 1 seconds"),
        "rate_limited",
        1.0,
    ),
    Row("Zhipu: in Chinese", 429, said("请求过于频繁，请在 30 秒后重试"), "rate_limited", 30.0),
    Row(
        "litellm: in cooldown",
        429,
        said("No deployments available for selected model, Try again in 5 seconds."),
        "rate_limited",
        5.0,
    ),
    Row(
        "OpenRouter: of the server behind",
        429,
        said(
            "Provider returned error",
            code=429,
            metadata={
                "raw": "x is temporarily rate-limited upstream. Retry shortly, or add your own key"
            },
        ),
        "rate_limited",
    ),
    Row(
        "GitHub: a second limit under 403",
        403,
        said("You have exceeded a secondary rate limit"),
        "rate_limited",
    ),
    Row("a gateway quotes a 429", 502, said("upstream", code="429"), "rate_limited"),
    Row(
        "Cloudflare limits", 429, page("Access denied | you are being rate limited"), "rate_limited"
    ),
    Row(
        "ollama: an hour",
        429,
        bare({"error": "you have reached your hourly usage limit"}),
        "rate_limited",
    ),
    Row("Kubernetes: no room", 503, said("pods exceeded quota"), "server"),
    Row("408", 408, b"", "timeout"),
    Row(
        "llama.cpp: a cold start",
        503,
        said("Loading model", type="unavailable_error", code=503),
        "server",
    ),
    Row("a cold start under 404", 404, said("Loading model"), "server"),
    Row(
        "TGI: a cold start",
        503,
        bare({"error": "Model a/b-3.1 is currently loading", "estimated_time": 20.5}),
        "server",
        20.5,
    ),
    Row("a cold start under 400", 400, said("The model is warming up"), "server"),
    Row("Anthropic: overloaded", 529, said("Overloaded", type="overloaded_error"), "server"),
    Row(
        "litellm: an answer that broke off, and that talks of what stops a run",
        500,
        said(
            "litellm.APIError: APIError: DeepseekException - Unable to get json response -"
            " Unterminated string starting at: line 1 column 676 (char 675), Original Response:"
            ' {"choices":[{"message":{"content":"Banks refuse whoever has an insufficient balance,'
            " an invalid API key or a used up daily quota",
            type="internal_server_error",
            code="500",
        ),
        "server",
    ),
    Row(
        "litellm: the server behind it failed",
        429,
        said(
            "No deployments available for selected model, Try again in 5 seconds. All deployments"
            " for selected model are in cooldown. Passed model=m. pre-call-checks=False,"
            " cooldown_list=['97']",
            type="all_deployments_in_cooldown",
            code="429",
        ),
        "server",
        5.0,
        {"retry-after": "5"},
    ),
    Row(
        "Moonshot: overloaded under 429",
        429,
        said("The engine is currently overloaded", type="engine_overloaded_error"),
        "server",
    ),
    Row(
        "Google: overloaded",
        503,
        said("The model is overloaded. Please try again later.", status="UNAVAILABLE"),
        "server",
    ),
    Row(
        "SiliconFlow: busy",
        503,
        bare({"code": 50603, "message": "System is too busy now."}),
        "server",
    ),
    Row(
        "new-api: no channel",
        503,
        said("no available channel for model x", code="model_not_found"),
        "server",
    ),
    Row("transformers: an unknown model", 500, b"Internal Server Error", "server"),
    Row(
        "DeepSeek: busy, with limits beside it",
        503,
        said("Service is too busy."),
        "server",
        None,
        {"x-ratelimit-reset": "60"},
    ),
    Row("openresty", 500, page("500 Internal Server Error"), "gateway"),
    Row("nginx: bad gateway", 502, page("502 Bad Gateway"), "gateway"),
    Row("Cloudflare: no origin", 522, page("Connection timed out"), "gateway"),
    Row("Cloudflare asks whether it is a human", 403, page("Just a moment..."), "gateway"),
    Row("nginx: nothing there", 404, b"<h1>nginx</h1>", "gateway"),
    Row(
        "nginx: unavailable, with a wait", 503, page("503"), "gateway", 12.0, {"retry-after": "12"}
    ),
]

ROWS = [
    *((FatalError, row) for row in EVERYONE),
    *((PermanentError, row) for row in TOPIC),
    *((TransientError, row) for row in PASSING),
]


@pytest.mark.parametrize(("outcome", "row"), ROWS, ids=[row.who for _, row in ROWS])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
async def test_a_real_wording_has_its_outcome(
    outcome: type[CompletionError], row: Row, stream: bool
) -> None:
    error = await Server([row.body], status=row.status, headers=row.headers).failure(stream=stream)
    assert (type(error), error.kind) == (outcome, row.kind)
    assert error.retry_after_s == pytest.approx(row.wait_s)
    assert (error.status, error.billed, error.begun) == (row.status, "no", False)


# What headers tell, and a gateway's status beside the one that it quotes, has no place in an event.
UNDER_200 = [
    (outcome, row)
    for outcome, row in ROWS
    if row.body.startswith(b'{"error": {') and row.headers == NO_HEADERS and "quotes" not in row.who
]


@pytest.mark.parametrize(("outcome", "row"), UNDER_200, ids=[row.who for _, row in UNDER_200])
@pytest.mark.parametrize("manner", ["event", "named event", "plain"])
async def test_an_error_under_200_that_names_its_status_has_the_same_outcome(
    outcome: type[CompletionError], row: Row, manner: str
) -> None:
    error_object = {"status_code": row.status, **json.loads(row.body)["error"]}
    if manner == "plain":
        server = Server([bare({"error": error_object})])
    elif manner == "event":
        server = streaming(event({"error": error_object}))
    else:
        server = streaming(b"event: error\n" + event(error_object))
    error = await server.failure(stream=manner != "plain")
    assert (type(error), error.kind) == (outcome, row.kind)
    assert error.retry_after_s == pytest.approx(row.wait_s)
    assert (error.billed, error.begun) == ("unknown", False)


def with_prompt(text: str) -> Any:
    return replace(REQUEST, messages=(Message(role="user", content=text),))


ECHOED = [
    ("Explain the error 'Insufficient Balance' to a child.", 400, "bad_request"),
    ("What does Invalid API key mean,\nand why is it 401?", 422, "bad_request"),
    ("A story in which the Quota exceeded.", 400, "bad_request"),
    ("Why do models say that the input was flagged?", 400, "bad_request"),
    ("Why is the prompt too long?", 400, "bad_request"),
    ("The server is overloaded with work.", 403, "forbidden"),
]


@pytest.mark.parametrize(("prompt", "status", "kind"), ECHOED)
async def test_a_prompt_that_the_message_echoes_does_not_decide(
    prompt: str, status: int, kind: str
) -> None:
    server = Server([said(f"cannot read {prompt!r}")], status=status)
    with pytest.raises(PermanentError) as caught:
        await server.answer(request=with_prompt(prompt))
    assert caught.value.kind == kind


async def test_a_code_decides_though_the_prompt_has_the_same_words() -> None:
    server = Server([error_body("no", code="insufficient_quota")], status=429)
    with pytest.raises(FatalError) as caught:
        await server.answer(request=with_prompt("What is an insufficient_quota?"))
    assert caught.value.kind == "balance"


@pytest.mark.parametrize(
    ("body", "said_to_the_user"),
    [
        (
            said(
                "Provider returned error",
                code=502,
                metadata={"raw": '{"error": {"message": "CUDA is out of memory"}}'},
            ),
            "deepseek answered 502: Provider returned error: CUDA is out of memory",
        ),
        (
            said("Provider returned error", metadata={"raw": "upstream died"}),
            "deepseek answered 502: Provider returned error: upstream died",
        ),
        (said('{"error": {"message": "the inner one"}}'), "deepseek answered 502: the inner one"),
        (
            bare({"errors": [{"message": "a"}, {"message": "b"}, {"message": "a"}]}),
            "deepseek answered 502: a: b",
        ),
    ],
)
async def test_the_cause_that_a_gateway_passes_on_is_quoted(
    body: bytes, said_to_the_user: str
) -> None:
    error = await Server([body], status=502).failure()
    assert str(error) == said_to_the_user


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (402, b"", "top up the account, then resume"),
        (
            404,
            said("The model `x` does not exist"),
            "choose a model that it has: `harness doctor` lists them",
        ),
        (
            400,
            said("prompt is too long"),
            "shorten the prompt, lower max_tokens, or choose a model with a longer context",
        ),
        (401, b"", "check the key in DEEPSEEK_API_KEY"),
        (
            500,
            said("Authentication Error, No api key passed in."),
            "check the key in DEEPSEEK_API_KEY",
        ),
        (429, said("daily limit reached"), "resume when the quota is renewed, or raise it"),
        (
            429,
            said("daily limit reached", retry_after=21_600),
            "the quota is renewed at 2026-11-16 18:00 UTC: resume then, or raise it",
        ),
        (
            429,
            said("daily limit reached", retry_after=1e15),
            "resume when the quota is renewed, or raise it",
        ),
    ],
)
async def test_a_refusal_says_what_to_do(status: int, body: bytes, advice: str) -> None:
    error = await Server([body], status=status).failure()
    assert str(error).endswith(f" – {advice}")


@pytest.mark.parametrize(
    ("headers", "trace_id"),
    [
        ({"x-ds-trace-id": "a", "x-request-id": "b"}, "a"),
        ({"x-deepseek-request-id": "c", "x-request-id": "b"}, "c"),
        ({"x-request-id": "b", "x-litellm-call-id": "d"}, "b"),
        ({"llm_provider-x-ds-trace-id": "e", "x-litellm-call-id": "d"}, "e"),
        ({"x-litellm-call-id": "d"}, "d"),
    ],
)
async def test_the_id_to_name_to_the_provider_is_found_behind_a_gateway(
    headers: dict[str, str], trace_id: str
) -> None:
    error = await Server([b""], status=500, headers=headers).failure()
    assert str(error) == f"deepseek answered 500 (trace {trace_id})"


@pytest.mark.parametrize(
    ("fields", "outcome", "kind"),
    [
        ({"error": {"status_code": 400, "message": "x"}}, PermanentError, "bad_request"),  # Groq
        # Azure
        (
            {"error": {"status": 400, "code": "content_filter", "message": "x"}},
            PermanentError,
            "content_filter",
        ),
        ({"error": {"status": "429", "message": "x"}}, TransientError, "rate_limited"),
        # Litellm
        ({"error": {"message": "x", "type": None, "code": "500"}}, TransientError, "server"),
        ({"object": "error", "message": "x", "code": 400}, PermanentError, "bad_request"),  # vLLM
        ({"code": 1113, "msg": "余额不足", "success": False}, FatalError, "balance"),  # Zhipu
        # MiniMax
        (
            {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
            FatalError,
            "balance",
        ),
        ({"error": {"code": True, "message": "x"}}, TransientError, "server"),
        ({"error": {"code": 99999, "message": "x"}}, TransientError, "server"),
        ({"error": ["overloaded"]}, TransientError, "server"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_the_status_inside_an_error_is_found(
    fields: dict[str, Any], outcome: type[CompletionError], kind: str, stream: bool
) -> None:
    server = streaming(event(fields)) if stream else Server([bare(fields)])
    error = await server.failure(stream=stream)
    assert (type(error), error.kind) == (outcome, kind)


@pytest.mark.parametrize("prefix", [b"", b"event: error\n"])
async def test_an_error_status_whose_body_is_an_event_is_read(prefix: bytes) -> None:
    error = await Server(
        [prefix + event({"error": {"message": "Insufficient Balance"}})], status=400
    ).failure()
    assert (error.kind, "Insufficient Balance" in str(error)) == ("balance", True)
