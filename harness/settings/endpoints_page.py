"""docs/endpoints.md, made from the table.

`python -m harness.settings.endpoints_page > docs/endpoints.md` writes it.
"""

from __future__ import annotations

from typing import Any

import click

from harness.domain.known_endpoints import CHECKED, KNOWN, OURS, Known
from harness.settings.endpoints import EndpointTable

_HEAD = f"""\
# Endpoints

`--endpoint NAME` asks one of the endpoints below, or one of your own. Each field of a known one stands in a source that
is named with its date; what no source says is left out, and then it is not known. The table was checked on {CHECKED}.
`harness doctor --endpoint NAME --ask` looks at the server itself.

```sh
harness ask "Why is the sky blue?" --endpoint groq --model qwen/qwen3-32b --thinking off
harness run topics.jsonl --endpoint vllm --set endpoint.base_url=http://gpu1:8000/v1 --model some-model
harness run topics.jsonl --base-url http://gpu1:8000/v1 --model some-model --dialect deepseek
```

## One of your own

```toml
[endpoints.gpu1]                          # harness run topics.jsonl --endpoint gpu1
like = "vllm"
base_url = "http://gpu1:8000/v1"
api_key_env = "GPU1_KEY"
thinking = "chat_template_kwargs.thinking"
in_flight = 16
extra_headers = {{ X-Team = "blue", X-Pass = "$GPU1_PASS" }}

[endpoints.gpu1.extra_body]
top_k = 40

[endpoints.gpu1.prices."some-model"]
input = 0.1
output = 0.4
```

A table with the name of a known endpoint changes that one. `--dialect` and `--set endpoint.FIELD=VALUE` change any of
them on the command line, a `--base-url` too; the fields of a table within are written `endpoint.efforts.max=xhigh` or
`endpoint.extra_body.top_k=40`. What is wrong is an error before anything is sent, by its file and line or its flag.

The key of a known service goes to its own hosts only: an endpoint that is moved elsewhere sends no key but one that
`api_key_env` names. In the cache, an answer is known by the address of who gave it, by `extra_body`, and by what of the
form was changed, so a changed endpoint is asked anew; headers and `stream_options` make no difference there.
"""

_SILENCE = """\
## What would not be sent

A setting that an endpoint cannot be told is never dropped in silence. Where you set it (`--thinking`, `--effort`, a
table [steps.NAME]) it is an error that says what helps. Where a workflow chose it, one line tells it before the first
call that it concerns. A server that refuses `stream_options`, or the switch for a thinking that a workflow chose, with
a 400 or 422 that names the field is asked without it from then on; one line tells that, too.

The path of the call, `/chat/completions`, at the end of a base URL is left away, with a note; a base URL without a path
gets a note that most servers want `/v1`.
"""

_SEVERAL = """\
## Several endpoints in one run

A step can be asked elsewhere than the rest of the run: in `harness.toml`, or in the workflow's code with
`StepOptions(endpoint="local", model="tiny")`, over which the file rules.

```toml
endpoint = "deepseek"                     # the run's own: every step that says nothing else

[steps.decompose]
endpoint = "local"

[endpoints.local]
like = "llamacpp"
base_url = "http://127.0.0.1:8080/v1"
model = "tiny"
in_flight = 1                             # what it serves at a time

[endpoints.local.prices.tiny]             # only a budget in money needs them
input = 0
output = 0
```

**What each endpoint has for itself**: its key, its prices (those of its table; `[prices]` are the run's own
endpoint's), the form of its requests and the fields that it refused, its calls in flight, requests and tokens per
minute (`in_flight`, `rpm`, `tpm` of its table; `--rpm` and `--tpm` are the run's own endpoint's), and all that is
learned of it: a limit that it showed, a pause after a 429, an outage. A model belongs to the endpoint that it was
chosen for: a step that is asked elsewhere takes the model of that table, or one that is named together with the
endpoint.

**What they share**: the budget, `--in-flight`, the cache and the journal. Of `--in-flight` each endpoint is kept half
of an even share that the others cannot take, so that one that hangs does not stop the others; with fewer places than
two for each there is nothing to keep, and they take turns. `--per-run` counts the calls of one topic to one endpoint.
A call that waits for an endpoint that is away holds no money meanwhile.

**When one fails**: an outage, a cold start and a 429 hold back its own calls, and no others. Where its quota or its
account is used up, or an outage outlasts `--patience`, it is asked no more: the topics that need it stay unfinished,
the others go on, and the run ends with exit code 3 and says which endpoint it was; `harness resume` goes on from
there. A mistake in the settings (a refused key, an unknown model, the same refusal again and again) stops the whole
run at once, exit code 3 too. The live display, `status`, the summary, the log and `run.json` name the endpoint in
each of these.

**Before the first call** each name is looked up and each key is there, or it is an error with the step and the
nearest name. Names in a workflow's code are read from its source; one that is put together while it runs must be
named in a line `ENDPOINTS = ("local",)` of its file, else the call that asks it fails and says so. `--endpoint mock`
changes the run's own endpoint only. `harness doctor` looks at each. A run is continued only where the same endpoints
answer; `resume` takes those that it began with.

In the cache an answer is known by who gave it (see above), so the same question to two endpoints is two requests, and
a step that is moved is asked anew. Two tables with one address are one server there: what one was answered, the other
finds.
"""

_ANSWERED = """\
## Which model answered

A row tells for each model that was asked for who answered, by its own word: `model` and `system_fingerprint` of the
response (`answered_by`). Two things are told in the summary of a run, by `status`, `show`, `diff`, `check`, `doctor`
and on the page, in one line for each model, with all values and how many answers each gave:

- **Another model than was asked for**, as a router's fallback is. Its answers are priced as its own, by `usage.cost` or
  by a price of that model, else the cost is not known. Where a budget in money is set and the price is not known, the
  run stops with exit code 3: nobody could say what is left of the budget.
- **A model that changed behind its name**: two fingerprints, or two versions of one name, within a run, a cache or a
  cassette. It says that answers are not all of one build, not which is better. Some services always alternate between
  a few builds. `harness cache stats --models` lists who answered, how often, and from when to when.

The same model in another style is no other: a path before the name (`openai/gpt-4o`, `models/gemini-2.5-flash`,
`accounts/fireworks/models/…`), capitals, dots for dashes, words in another order, a date or a version that was not
asked for (`gpt-4o-2024-08-06` for `gpt-4o`; not for `gpt-4o-2024-05-13`), a file's path and ending, a quantisation
(`-Q4_K_M`, `-fp8`) where none was asked for, a route (`:free`, `:latest`, `@provider`). An answer that names no model
contradicts nothing; nor does `gpt-3.5-turbo`, which local servers say by habit, unless a model of OpenAI was asked
for; nor a file (`.gguf`), unless the name that was asked for has a digit in it and is another: a server of one file
takes any name.
`auto`, `default` and the like choose no model, so whatever answers is what was asked for.

What the rule cannot know is an alias: the name of a deployment or of a proxy. Name it, and it is the same model, at the
price of either:

```toml
[endpoints.proxy.aliases]                 # or --set endpoint.aliases.fast=gpt-4o-mini
fast = "gpt-4o-mini"
```
"""

_WORDS = {
    "base_url": "base URL",
    "api_key_env": "key from",
    "dialect": "dialect",
    "thinking": "thinking",
    "efforts": "efforts",
    "cap": "cap",
    "seed": "seed",
    "stream_options": "`stream_options`",
    "structured": "structure",
    "reasoning_back": "reasoning back",
    "logprobs": "`logprobs`",
    "aliases": "aliases",
}


def endpoints_page() -> str:
    """The text of docs/endpoints.md."""
    return "\n".join(
        [
            _HEAD,
            _fields(),
            _SEVERAL.rstrip("\n") + "\n",
            _SILENCE,
            _ANSWERED,
            "## Known endpoints\n",
            *map(_section, KNOWN),
            _LOCAL,
        ]
    )


_LOCAL = """\
### `mock`: the built-in DeepSeek

In this process, with no address and no key. It takes what DeepSeek takes.
"""


def _fields() -> str:
    lines = ["## Fields\n", "| Field | Value | Meaning |", "|---|---|---|"]
    for name, field in EndpointTable.model_fields.items():
        lines.append(f"| `{name}` | {_of_kind(name)} | {field.description} |")
    return "\n".join([*lines, ""])


def _of_kind(name: str) -> str:
    schema = EndpointTable.model_json_schema()["properties"][name]
    found = next(option for option in schema["anyOf"] if option.get("type") != "null")
    if "enum" in found:
        return ", ".join(f"`{word}`" for word in found["enum"])
    kinds = {
        "string": "text",
        "integer": "whole number",
        "boolean": "`true` or `false`",
        "object": "table",
    }
    return kinds[found["type"]]


def _section(known: Known) -> str:
    where = "" if known.hosted else "; a server of your own"
    lines = [
        f"### `{known.name}`: {known.title}{where}\n",
        "| Field | Value | Source |",
        "|---|---|---|",
    ]
    for name, (value, source) in known.facts.items():
        lines.append(
            f"| {_WORDS[name]} | {_value(value)} |"
            f" {'a name of ours' if source == OURS else source} |"
        )
    lines.append("")
    lines += [
        f"{number}. <{url}>, {day}" for number, (url, day) in enumerate(known.sources, start=1)
    ]
    if known.hosts:
        lines += ["", "Also its own: " + ", ".join(f"`{host}`" for host in known.hosts) + "."]
    if known.remark:
        lines += ["", known.remark]
    return "\n".join([*lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(_pair(ours, theirs) for ours, theirs in value.items())
    return f"`{value}`"


def _pair(ours: str, theirs: str) -> str:
    if ours == theirs:
        return f"`{ours}`"
    return f"{ours} as `{theirs}`"


if __name__ == "__main__":
    click.echo(endpoints_page(), nl=False)
