"""A table of servers' wordings and their meanings, the surest first.

The order is the precedence, and it is written down here alone. A text is searched for the first
meaning, then for the second, and so on:

1. `content_filter` – "your input was flagged; no credits were charged" is about the prompt, not
   about the account.
2. `too_long` – "request too large for … tokens per minute" will never fit, however long one waits.
3. `unknown_model` – "the model does not exist or you do not have access to it" is no wrong key.
4. `balance` – empty accounts come under 400, 401, 402, 403 and 429.
5. `quota` – a limit per day, week or month.
6. `busy` – a server that loads its model or has too much to do.
7. `spent` – "quota exceeded", which says not of what: `faults` looks at the period and at the wait
   that was told.
8. `rate` – a limit per minute, or one that names no period.
9. `auth` – last, as many texts of the others speak of keys, too ("add your own key").

In a pattern a space stands for any of space, `_` and `-`, and ` ?` for none of them, too. A capital
inside a word begins a new one: so `context_length_exceeded`, `ContextLengthExceeded` and "context
length exceeded" are one wording. A comment names who says so.
"""

from __future__ import annotations

from typing import Literal

Meaning = Literal[
    "content_filter",
    "too_long",
    "unknown_model",
    "balance",
    "quota",
    "busy",
    "spent",
    "rate",
    "auth",
]

_MISSING = r"(?:does not exist|doesn't exist|not exist|is not found|was not found|not found)"
_EMPTY = r"(?:insufficient|not enough|too low|negative|depleted|exhausted|used up)"
_USED_UP = r"(?:exceeded|exhausted|reached|depleted|used up)"
_KEY = r"(?:api.?key|subscription key|credentials?|(?:access|auth|bearer) token|authorization)"

WORDINGS: dict[Meaning, tuple[str, ...]] = {
    "content_filter": (
        r"content filter",  # OpenAI and Azure (code), Anthropic "content filtering policy", Moonshot (type)
        r"content (?:management )?policy",  # Azure; litellm's ContentPolicyViolationError
        r"responsible ai ?policy",  # Azure's innererror
        r"data inspection failed|inappropriate content",  # Alibaba
        r"content exists risk",  # DeepSeek
        r"considered high risk",  # Moonshot
        r"sensitive (?:content|words|information|or unsafe)|text sensitive",  # Volcengine, new-api, Zhipu
        r"不安全或敏感|敏感内容|敏感词|违规内容",  # Zhipu, new-api
        r"(?:input|prompt|content|text|messages?|request|output)s?\b[^.]{0,60}\bflagged",  # OpenRouter, OpenAI
        r"flagged (?:input|as)\b",  # OpenRouter's metadata; "flagged as potentially violating"
        r"requires moderation|content moderation",  # OpenRouter
        r"moderation (?:blocked|block|error|failed|filter|policy|system)",  # OpenAI's images, litellm
        r"(?:blocked|rejected|refused|failed|flagged|stopped)\b[^.]{0,40} moderation",
        r"violat\w+ [^.]{0,60}(?:usage|content|safety|use|platform) (?:polic|guideline)",  # OpenAI, xAI
        r"safety (?:system|filter|check|settings)|blocked for safety|prohibited content",  # OpenAI, xAI, Google
        r"(?:prompt|input) was blocked|guardrail",  # Google; litellm, Bedrock
        r"(?:input|output) new sensitive",  # MiniMax
        r"\bunsafe content|content is unsafe|security violation",  # Baidu
        r"(?:prompt|response|request) (?:was |is |has been )?blocked (?:due to|because)",  # Cloudflare, OpenAI
        r"threat detected|cyber policy|for legal reasons",  # Helicone, OpenAI, SiliconFlow
    ),
    "too_long": (
        r"context (?:length|window|size) exceeded",  # OpenAI's code; litellm's ContextWindowExceededError
        r"exceed\w*\b[^.]{0,80}\bcontext (?:length|window|size|limit)",  # llama.cpp, llama-cpp-python, Anthropic
        r"(?:maximum|max\.?) context length",  # OpenAI, DeepSeek, vLLM, OpenRouter
        r"longer than the (?:model's|maximum) [^.]{0,20}(?:context|length)",  # SGLang, vLLM
        r"(?:prompt|input|request|message)s?(?: tokens)? (?:is |are |was )?too long",  # Anthropic, Bedrock, vLLM; Baidu
        r"(?:^|; )token limit(?: exceeded)?\W*(?:$|;)",  # MiniMax, of the context
        r"context length of only",  # LM Studio
        r"(?:prompt|输入|内容|上下文|长度)\s?(?:长度)?超(?:长|出|过)",  # Zhipu and others
        r"prompt [^.]{0,60}is too long",  # vLLM
        r"request (?:body |entity )?(?:is )?too large|payload too large",  # OpenAI and Groq (tokens a minute), nginx
        r"(?:prompt|input) (?:length |tokens? )?exceed\w*\b[^.]{0,40}\b(?:length|limit|maximum)",  # Zhipu, vLLM
        r"input token count [^.]{0,60}exceeds the maximum",  # Google
        r"exceeded model token limit|tokens limit reached",  # Moonshot, GitHub Models
        r"inputs?\W{0,2} tokens? ?\+|length of prompt tokens",  # Together, TGI; SiliconFlow
        r"range of input length",  # Alibaba
        r"too large for model with [\d,]+ maximum context",  # Mistral
        r"string above max length",  # OpenAI's code
        # Cohere. Bedrock and Cerebras say "too many tokens" of a limit per minute or day.
        r"too many tokens(?! error| processed| per |,? please wait)",
    ),
    "unknown_model": (
        (  # codes
            r"model not found|models? not exist|model not supported|model not available|model"
            r" decommissioned"
        ),
        r"unknown model|no such model|not found the model|could not find (?:the )?model",  # GitHub Models, Moonshot
        r"invalid model\b(?! (?:output|response|param|setting|config|input))",  # Mistral, litellm
        r"models?\b(?:/| )(?:with (?:name|id|alias) )?\S{1,120} "
        + _MISSING,  # vLLM, OpenAI, ollama, Google
        r"no models? (?:is |are )?(?:loaded|named|called)",  # LM Studio
        (
            r"(?:the|this|requested|model) model (?:does not exist|is not found|was not found|is"
            r" not supported)"
        ),
        r"model does not exist|model or endpoint \S+ does not exist",  # SiliconFlow, Volcengine
        r"(?:^|; )model: \S+(?:$|;)",  # Anthropic, beside not_found_error
        r"not a valid model|model identifier is invalid",  # OpenRouter, Bedrock
        r"supported (?:api )?model names? (?:are|is)",  # DeepSeek
        r"unable to access model|no endpoints found",  # Together, OpenRouter
        r"deployment not found|api deployment for this resource does not exist",  # Azure
        r"not have access to (?:the )?model|not allowed to sample from this model",  # OpenAI
        r"model\b.{0,120} (?:has been |is |was )(?:deprecated|decommissioned|retired|discontinued)",  # Groq
        r"模型不存在",  # Zhipu
    ),
    "balance": (
        r"insufficient (?:account |user |api |token )?(?:balance|quota|credits?|funds)",  # DeepSeek, OpenAI, OpenRouter
        r"(?:balance|credits?|funds)\b(?: (?:is|are|was|has been|have been))? "
        + _EMPTY,  # Anthropic, SiliconFlow
        (
            r"not enough (?:balance|credits?|funds|money)|(?:lack of|have no) (?:more"
            r" )?(?:balance|credits?|funds)"
        ),
        (  # xAI
            r"(?:exhausted|depleted|used up|used all|out"
            r" of)\b[^.]{0,30}\b(?:balance|credits?|funds|budget)"
        ),
        (  # xAI
            r"(?:no|any|zero) (?:more |remaining |available )?credits?"
            r" (?:left|remaining|available|yet)"
        ),
        r"requires more credits|credit limit " + _USED_UP,  # OpenRouter, Together
        r"exceeded (?:your|the|its) [^.]{0,40}\bcredits?\b",  # Hugging Face
        r"key limit exceeded(?! \W?(?:daily|weekly|monthly))",  # OpenRouter
        r"billing (?:hard )?limit|billing not active|account is not active",  # OpenAI
        r"spending limit|payment required|overdue (?:balance|payment|invoice)|account overdue",  # xAI, Volcengine
        r"arrearage|in good standing",  # Alibaba
        r"budget (?:has been |is |was )?"
        + _USED_UP
        + r"|exceeded (?:(?:their|your|its|the) )?(?:max )?budget",  # litellm
        r"exceeded current quota error",  # Moonshot's type
        r"free (?:tier|trial) [^.]{0,40}exhausted|exhausted its free",  # Alibaba, Volcengine
        r"余额不足|额度不足|额度已用尽|欠费",  # Zhipu, new-api
    ),
    "busy": (
        r"overloaded|engine overload",  # Anthropic, Google, Moonshot
        r"loading (?:the )?model",  # llama.cpp
        r"model\b.{0,120} (?:is |are )?(?:currently |still )?(?:being )?loading",  # TGI
        r"warming up|cold start|model is (?:starting|cold)",
        r"负载已饱和",  # new-api
        r"deployments (?:for selected model )?(?:are )?in cooldown",  # litellm, after a failure of the server behind it
    ),
    "spent": (
        r"exceeded (?:your|the|its|their)?[^.]{0,30}\bquota",  # OpenAI, Google
        r"(?<!allocated.)(?<!violation..)quota\b(?: limit)?(?: (?:is|was|has been|have been))? "
        + _USED_UP,
        r"(?:reached|exhausted|used up|depleted|over|out of)\b[^.]{0,30}\bquota\b",
    ),
    "rate": (
        r"rate limit|ratelimit|too many requests|throttl|slow down|requests? limit",
        r"allocated quota exceeded",  # Alibaba, of tokens per minute
        r"resource(?: has been)? exhausted",  # Google
        r"concurrency limit|too many concurrent",
    ),
    "auth": (
        r"api.?key\b[^.]{0,40}\b(?:invalid|not valid|incorrect|wrong|not recogni[sz]ed|not found)",  # Google, DeepSeek
        (
            r"api.?key\b[^.]{0,40}\b(?:missing|required|not"
            r" provided|expired|disabled|revoked|deactivated)"
        ),
        r"\b(?:invalid|incorrect|wrong|expired|revoked|unknown|bad)(?: \w+)? "
        + _KEY,  # OpenAI, Azure
        r"\b(?:missing|no|provide an?|provide your|without an?)(?: \w+)? "
        + _KEY,  # OpenAI, OpenRouter
        r"(?:^|; )(?:invalid|expired) token\W*(?:$|;)|invalid proxy server token",  # SiliconFlow, litellm
        r"(?:access|auth|bearer) token (?:is )?(?:invalid|expired|no longer valid)|login fail",  # Baidu, MiniMax
        r"\bauth failure|secret ?id [^.]{0,20}not found",  # Tencent
        r"authentication (?:error|fail\w*|required|denied)|invalid authentication|auth error",  # DeepSeek, litellm
        r"(?:not|un) ?authori[sz]ed\b|unauthenticated|not authenticated|authorization required",  # Mistral, nginx
        r"permission (?:error|denied(?!: ['/])|is required)",  # Anthropic, Google, GitHub Models
        r"(?:n't|\bnot) have (?:the |any )?(?:\w+ )?(?:permission|scope)s?\b",  # Anthropic, Google
        (  # OpenAI
            r"\b(?:lacks?|lacking|missing|insufficient|without|no) (?:the )?(?:\w+"
            r" )?(?:permission|scope)s?\b"
        ),
        r"security token [^.]{0,40}(?:invalid|expired)",  # AWS
        r"\bno (?:connected )?db\b|no db connection|not connected to db",  # litellm, of a key that it cannot look up
        r"key [^.]{0,20}not allowed to access|无效的令牌|令牌已过期",  # litellm, new-api
    ),
}

# A limit of this kind with a period of this length is a quota.
_EACH = r"(?:\b(?:per|a|each|every|by)|/) ?"
LONG = _EACH + r"(?:day|week|month)\b|\b(?:daily|weekly|monthly)\b|\b[rt]pd\b|\bper (?:86400|24 ?h)"
SHORT = _EACH + r"(?:minute|min|second|sec|hour)\b|\b[rt]p[ms]\b|\bhourly\b"
LIMIT = r"limit|quota|exceed|exhaust|reached|used up|allocation|allowance|too many"
USAGE_LIMIT = (
    r"(?:reached|hit|exceeded|over)\b[^.]{0,40}\busage limits?"  # ollama
    r"|usage limits?[^.]{0,40}(?:reached|hit|exceeded)"  # Zhipu
    r"|regain access"  # Anthropic
)
