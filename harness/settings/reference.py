"""docs/settings.md, made from the settings themselves.

`python -m harness.settings.reference > docs/settings.md` writes it.
"""

from __future__ import annotations

from typing import Any

import click

from harness.settings.kinds import WholeOrOff, base_kind, choices
from harness.settings.model import SECTIONS, TABLES, Settings, kind_of
from harness.settings.sources import ENV_PREFIX

_HEAD = """\
# Settings

Every setting can be given in three ways. A flag rules over the environment, the environment over the settings file,
and the file over the default:

```
harness run topics.jsonl --in-flight 8          # a flag
HARNESS_IN_FLIGHT=8 harness run topics.jsonl    # a variable, of the environment or of a file .env here
in_flight = 8                                   # a line of harness.toml here, or of the file named by --config
```

`harness config` shows every effective value and where it came from. A setting that does not exist, or a value that
cannot be, is an error that names the file and the line, the variable or the flag; nothing is sent and nothing is
written then. In a file, `-` and `_` are the same in the name of a setting. A variable that is empty counts as not set.
`HARNESS_CONFIG` names the settings file as `--config` does.

`endpoint` and `base_url` exclude each other. Where two sources differ, the stronger one decides which of the two rules,
and an `api_key_env` that was meant for a base URL that is overruled goes with it.

`harness resume` goes on with the settings that the run began with, and takes only flags on top of them.

From Python the settings are keyword arguments, `harness.run(topics, in_flight=8)`, and the tables are dicts. They have
types, so an editor completes them and mypy refuses a wrong name or value. `harness.ask` takes those that mean something
for one call. A function of your own that passes them on has them as `**settings: Unpack[RunSettings]`, or
`CallSettings` for `ask`; both come from `harness.api`.

Times are seconds, or `90s`, `15m`, `12h`, `7d`, `2w`. Switches are `true` or `false` in a file, `on` or `off` in a
variable, and a flag with its opposite on the command line: `--skip-bad`, `--no-skip-bad`.
"""

_TAIL = """\
## Tables of the settings file

These have no flag and no variable.

```toml
[steps.research]            # options of one step of the workflow, over what the step itself chose
endpoint = "deepseek"       # who is asked, where that is not the run's own endpoint: docs/endpoints.md
model = "deepseek-v4-pro"
thinking = true
effort = "high"             # none, low, high, max
max_tokens = 32768          # reasoning and answer together
temperature = 0.7           # 0 to 2; thinking ignores it
top_p = 0.95
stream = false
seed = 7                    # of the model's draws, where the endpoint knows one
service_tier = "flex"       # the endpoint's own words
presence_penalty = 0.5      # -2 to 2; frequency_penalty likewise
logprobs = 3                # asks for the likelihood of each token, and of so many others
extra_body = { top_k = 40 } # fields that are added to the request as they are

[workflow]                  # the workflow's own settings, over those of its prompts file
name = "research"           # optional: the same as the setting `workflow`, which cannot stand beside this table
min_questions = 3           # these are those of `research`
max_questions = 5
reasks = 2                  # how often an unusable decomposition is asked for again
min_answers = 1             # how many sub-questions must be answered for a report

[endpoints.gpu1]            # an endpoint of your own, for --endpoint gpu1; or a known one, changed: docs/endpoints.md
like = "vllm"
base_url = "http://gpu1:8000/v1"
api_key_env = "GPU1_KEY"
in_flight = 16
extra_headers = { X-Team = "blue", X-Pass = "$GPU1_PASS" }

[prices."some-model"]       # USD per million tokens, of a model whose price is not built in
input = 0.5
output = 1.5
cached_input = 0.1          # optional: the same as input
```

## Keys

A key is never a setting: it comes from the environment or from a file `.env` in the working directory, and is never
logged, recorded or shown. Each known endpoint takes it from a variable of its own, such as `DEEPSEEK_API_KEY`
([endpoints.md](endpoints.md)). A `--base-url` takes `HARNESS_API_KEY`, or the variable that `--api-key-env` names, and
may have none. The key of a known service is never sent to another host.
"""


def settings_page() -> str:
    """The text of docs/settings.md."""
    return "\n".join([_HEAD, *(_section(title) for title in SECTIONS), _TAIL])


def _section(title: str) -> str:
    lines = [
        f"## {title}\n",
        "| Setting | Flag | Variable | Value | Default | Meaning |",
        "|---|---|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        if name not in TABLES and isinstance(extra, dict) and extra["section"] == title:
            lines.append(_row(field.alias or name, field.default, field.description or ""))
    return "\n".join([*lines, ""])


def _row(name: str, default: Any, description: str) -> str:
    meaning, _, noted = description.partition("  [default: ")
    shown = noted.rstrip("]") or _default(default)
    flag = f"--no-{name}" if default is True else f"--{name.replace('_', '-')}"
    cells = (
        f"`{name}`",
        f"`{flag}`",
        f"`{ENV_PREFIX}{name.upper()}`",
        _value(name),
        shown,
        meaning,
    )
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _default(default: Any) -> str:
    match default:
        case None | ():
            return "none"
        case bool():
            return "on" if default else "off"
        case float():
            return f"{default:g}"
    return f"`{default}`"


def _value(name: str) -> str:
    found = choices(kind_of(name))
    if found:
        return ", ".join(f"`{one}`" for one in found)
    if kind_of(name) == WholeOrOff:
        return "whole number, or `off`"
    words = {bool: "switch", int: "whole number", float: "number", tuple: "texts"}
    return words.get(base_kind(kind_of(name)), "text")


if __name__ == "__main__":
    click.echo(settings_page(), nl=False)
