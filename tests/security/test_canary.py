"""A key that would sing if it were let out: whatever goes wrong, it is in no stream, no file and no
process list.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from echoing import Echo, echoing
from fork_server import forked
from processes import Process, done, ended, environment, executed, rows_of

pytestmark = pytest.mark.system

CANARY = "sk-canary/9f8e+7d6c5b4a"
FOREIGN = "org-or-header-of-another-provider"
SPELLINGS = [
    text.encode()
    for text in (
        CANARY,
        quote(CANARY, safe=""),
        base64.b64encode(CANARY.encode()).decode(),
        CANARY[:14],
        CANARY[12:],
    )
]
# Only a process that is executed obeys these; the others are forked. What the process list shows of
# a command is told by those alone.
READ_AT_THE_IMPORT = {"OPENAI_LOG", "PYTHONASYNCIODEBUG"}
CLOSED = "http://127.0.0.1:9"
WORKFLOW = (
    "async def broken(step, topic):\n    key = topic.text\n    raise RuntimeError('the workflow"
    " broke')\n"
)


@dataclass(frozen=True)
class Case:
    """Arguments, in which `{url}` is the echoing server; how it ends; what the environment has
    besides the key.
    """

    arguments: str
    code: int
    environ: dict[str, str] = field(default_factory=dict)


RUN = "run topics.jsonl --patience 0 -y -v --attempts 2 --model m --out out --cache cache.db"
CASES = {
    "refused in the body": Case(f"{RUN} --base-url {{url}}/body/v1", 3),
    "an HTML error": Case(f"{RUN} --base-url {{url}}/html/v1", 1),
    "a bad request": Case(f"{RUN} --base-url {{url}}/bad/v1", 1),
    "headers": Case(f"{RUN} --base-url {{url}}/header/v1", 1),
    "a redirect": Case(f"{RUN} --base-url {{url}}/redirect/v1", 1),
    "an answer": Case(f"{RUN} --base-url {{url}}/said/v1 --workflow flow.py:ask", 0),
    "a finish reason": Case(f"{RUN} --base-url {{url}}/reason/v1 --no-stream", 1),
    "garbage": Case(f"{RUN} --base-url {{url}}/garbage/v1", 1),
    "an error event": Case(f"{RUN} --base-url {{url}}/event/v1", 1),
    "two pieces of a stream": Case(
        "ask why -v --model m --base-url {url}/pieces/v1 --cache cache.db", 0
    ),
    "an answer as JSON": Case(
        "ask why -v --json --model m --base-url {url}/said/v1 --cache cache.db", 0
    ),
    "a run as JSON": Case(f"{RUN} --json --base-url {{url}}/body/v1", 3),
    "a newline after the key": Case(
        f"{RUN} --base-url {{url}}/body/v1", 3, {"HARNESS_API_KEY": f"{CANARY}\r\n"}
    ),
    "a control character in the key": Case(
        f"{RUN} --base-url {{url}}/body/v1", 2, {"HARNESS_API_KEY": f"{CANARY}\x1b[31m"}
    ),
    "the password of a base URL": Case(
        f"{RUN} --workflow flow.py:ask",
        0,
        {"HARNESS_API_KEY": "", "HARNESS_BASE_URL": "user:{canary}@/said/v1"},
    ),
    "the password of a base URL that is refused": Case(
        RUN, 3, {"HARNESS_API_KEY": "", "HARNESS_BASE_URL": "user:{canary}@/body/v1"}
    ),
    "a base URL that is none": Case(
        f"{RUN}", 2, {"HARNESS_BASE_URL": f"http://user:{CANARY}@host:none/v1"}
    ),
    "a connection refused": Case(f"{RUN} --base-url {CLOSED}/v1", 1),
    "no TLS there": Case(f"{RUN} --base-url {{tls}}/said/v1", 1),
    "all log lines, in text and in a file": Case(
        f"{RUN} --base-url {{url}}/body/v1 --log-level debug --log-format text --log-file"
        " log.jsonl",
        3,
    ),
    "a broken workflow": Case(f"{RUN} --base-url {{url}}/said/v1 --workflow flow.py:broken", 1),
    "a key of a profile for another host": Case(
        f"{RUN} --base-url {{url}}/said/v1 --api-key-env DEEPSEEK_API_KEY",
        2,
        {"DEEPSEEK_API_KEY": CANARY},
    ),
    "the doctor": Case(
        "doctor --cache cache.db", 1, {"DEEPSEEK_API_KEY": CANARY, "HTTPS_PROXY": CLOSED}
    ),
    "the settings": Case("config --base-url {url}/said/v1 --model m", 0),
    "the settings as JSON": Case(
        "config --json", 0, {"HARNESS_BASE_URL": "user:{canary}@/said/v1"}
    ),
    "the mock": Case("run topics.jsonl --endpoint mock --out out --cache cache.db -v", 0),
    "an estimate": Case("estimate topics.jsonl --base-url {url}/said/v1 --model m", 0),
    "variables of another provider": Case(
        f"{RUN} --base-url {{url}}/fine/v1 --no-stream --workflow flow.py:ask",
        0,
        {
            "OPENAI_API_KEY": FOREIGN,
            "OPENAI_ORG_ID": FOREIGN,
            "OPENAI_PROJECT_ID": FOREIGN,
            "OPENAI_BASE_URL": f"http://{FOREIGN}.invalid",
            "OPENAI_CUSTOM_HEADERS": f"X-Other: {FOREIGN}",
            "OPENAI_LOG": "debug",
        },
    ),
    "the SDK's own log": Case(
        f"{RUN} --base-url {{url}}/body/v1", 3, {"OPENAI_LOG": "debug", "PYTHONASYNCIODEBUG": "1"}
    ),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with echoing() as url:
        yield url


def run(case: Case, directory: Path, url: str) -> tuple[int, bytes, bytes]:
    """The exit code, what was said on both streams, and the process list's line."""
    (directory / "topics.jsonl").write_text('{"id": "a", "topic": "Why?"}\n')
    ask = (
        'async def ask(step, topic):\n    return (await step.complete("ask", topic.text)).content\n'
    )
    (directory / "flow.py").write_text(WORKFLOW + ask)
    host = url.removeprefix("http://")
    given = {
        name: (
            f"http://{value.replace('{canary}', quote(CANARY, safe='')).replace('@', f'@{host}')}"
            if "{canary}" in value
            else value
        )
        for name, value in case.environ.items()
    }
    arguments = case.arguments.format(url=url, tls=url.replace("http", "https")).split()
    environ = {**environment(), "HARNESS_API_KEY": CANARY, **given}
    process: Process
    if READ_AT_THE_IMPORT & given.keys():
        process = executed(directory, *arguments, env=environ)
    else:
        process = forked(directory, environ, *arguments)
    listed = Path(f"/proc/{process.pid}/cmdline")
    line = listed.read_bytes() if listed.exists() else b""
    code, said = ended(process)
    return code, said.encode(), line


def exported(directory: Path) -> bytes:
    """What is compressed in the cache, as text."""
    if not (directory / "cache.db").exists():
        return b""
    code, said = done(directory, "cache", "export", "-", "--cache", "cache.db")
    assert code == 0, said
    return said.encode()


@pytest.mark.parametrize("name", CASES)
def test_the_key_is_nowhere_to_be_seen(name: str, tmp_path: Path, url: str) -> None:
    before = len(Echo.seen)
    code, said, listed = run(CASES[name], tmp_path, url)

    assert code == CASES[name].code, said.decode()
    places = {"the streams": said, "the process list": listed, "the cache": exported(tmp_path)}
    places |= {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    found = [
        place for place, content in places.items() for spelling in SPELLINGS if spelling in content
    ]
    assert found == []
    # No variable that is meant for another provider reaches a server that was not asked for.
    assert FOREIGN not in str(Echo.seen[before:])


def test_the_server_of_these_tests_does_echo_the_key(tmp_path: Path, url: str) -> None:
    code, said, _ = run(CASES["an answer"], tmp_path, url)
    assert code == 0, said.decode()
    assert Echo.seen[-1]["authorization"] == f"Bearer {CANARY}"
    (row,) = rows_of(tmp_path / "out" / "results.jsonl")
    assert row["output"] == "Your key is ***, in base64 ***."


def test_credentials_in_a_base_url_are_sent_as_basic_authentication(
    tmp_path: Path, url: str
) -> None:
    code, said, _ = run(CASES["the password of a base URL"], tmp_path, url)
    assert code == 0, said.decode()
    expected = base64.b64encode(f"user:{CANARY}".encode()).decode()
    assert Echo.seen[-1]["authorization"] == f"Basic {expected}"
