"""Which model really answered, as a person is told it: a server that names others, or changes
behind one name.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from command_line import Harness

USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
PRICED = '[prices."x"]\ninput = 1.0\noutput = 1.0\n'
ONE_CALL = """
async def one(step, topic):
    answer = await step.complete("one", topic.text)
    return answer.content
"""
OTHER = "x was asked for, and another model answered"
CHANGED = "what answers to x was not the same throughout"
OURS = ("--model", "x", "--workflow", "flow.py:one", "-y", "-q", "--in-flight", "1")


@dataclass
class Served:
    """A server; `names` says by the number of a request, from 1, which model and fingerprint its
    answer has.
    """

    url: str = ""
    asked: int = 0
    names: Callable[[int], tuple[str, str | None]] = lambda number: ("x", None)
    more: dict[str, Any] = field(default_factory=dict)

    def body(self, *, stream: bool) -> bytes:
        self.asked += 1
        model, fingerprint = self.names(self.asked)
        who = {"id": "1", "created": 1, "model": model, "system_fingerprint": fingerprint}
        usage = {**USAGE, **self.more}
        text = {"role": "assistant", "content": "Scattering."}
        if not stream:
            choice = {"index": 0, "message": text, "finish_reason": "stop"}
            return json.dumps(
                {**who, "object": "chat.completion", "choices": [choice], "usage": usage}
            ).encode()
        chunks: list[dict[str, Any]] = [
            {**who, "choices": [{"index": 0, "delta": text, "finish_reason": None}]},
            {**who, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {**who, "choices": [], "usage": usage},
        ]
        return (
            b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
            + b"data: [DONE]\n\n"
        )


@pytest.fixture
def server() -> Iterator[Served]:
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stream = bool(asked.get("stream"))
            self._say(
                served.body(stream=stream), "text/event-stream" if stream else "application/json"
            )

        def do_GET(self) -> None:
            self._say(
                json.dumps({"object": "list", "data": [{"id": "x"}]}).encode(), "application/json"
            )

        def _say(self, body: bytes, content_type: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    Path("flow.py").write_text(ONE_CALL)
    Path("harness.toml").write_text(PRICED)
    write_topics(4)
    try:
        yield served
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def write_topics(number: int, name: str = "four.jsonl") -> None:
    Path(name).write_text(
        "".join(f'{{"id": "t{place}", "topic": "number {place}"}}\n' for place in range(number))
    )


def run(
    harness: Harness, server: Served, *more: str, out: str = "out", topics: str = "four.jsonl"
) -> str:
    done = harness("run", topics, "--base-url", server.url, "--out", out, *OURS, *more)
    assert done.exit_code == 0, done.output
    return done.output


def rows(out: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(out, "results.jsonl").read_text().splitlines()]


def answered_by(fields: dict[str, Any]) -> list[tuple[str, str | None, int, bool]]:
    return [
        (one["model"], one["fingerprint"], one["answers"], one.get("other", False))
        for one in fields["answered_by"]
    ]


def lines_with(text: str, words: str) -> list[str]:
    return [line for line in text.splitlines() if words in line]


@pytest.mark.parametrize("how", ["--stream", "--no-stream"])
def test_another_model_than_was_asked_for_is_told_everywhere_and_not_priced_as_the_one_asked_for(
    harness: Harness, server: Served, how: str
) -> None:
    server.names = lambda number: ("other/dear", None) if number > 3 else ("org/X-2024-07-18", None)
    said = run(harness, server, how)
    told = f"{OTHER}: org/X-2024-07-18 gave 3 answers, other/dear 1"
    assert lines_with(said, "other/dear") == [f"model     {told}"]
    assert "not counting 1 topic" in said
    assert "no price is known for the model that answered" in said
    assert [row["cost"] for row in rows()] == [pytest.approx(3e-05)] * 3 + [None]
    assert answered_by(rows()[3]) == [("other/dear", None, 1, True)]
    manifest = json.loads(Path("out/run.json").read_text())
    assert answered_by(manifest["totals"]) == [
        ("org/X-2024-07-18", None, 3, False),
        ("other/dear", None, 1, True),
    ]
    assert told in harness("status", "out").output
    assert told in harness("show", "out").output
    topic = harness("show", "out", "t3").output
    assert f"{OTHER}: other/dear gave 1 answer" in topic
    assert "10 tokens out, 0 reasoning, answered by other/dear" in topic
    assert "--- answer (stop, other/dear)" in harness("show", "out", "t3", "--calls").output
    assert "answered by" not in harness("show", "out", "t0").output


def test_another_model_whose_price_is_known_is_priced_as_itself(
    harness: Harness, server: Served
) -> None:
    Path("harness.toml").write_text(PRICED + '[prices."dear"]\ninput = 10.0\noutput = 10.0\n')
    server.names = lambda number: ("other/dear", None)
    said = run(harness, server)
    assert f"model     {OTHER}: other/dear gave 4 answers\n" in said
    assert "cost      $0.0012\n" in said
    assert [row["cost"] for row in rows()] == [pytest.approx(30 * 10e-6)] * 4


def test_a_cost_that_the_server_tells_is_used_whoever_answered(
    harness: Harness, server: Served
) -> None:
    server.names, server.more = lambda number: ("other/dear", None), {"cost": 0.25}
    assert "cost      $1.00\n" in run(harness, server)


def test_an_alias_that_is_named_is_the_model_that_was_asked_for(
    harness: Harness, server: Served
) -> None:
    server.names = lambda number: ("other/dear", None)
    said = run(harness, server, "--set", "endpoint.aliases.x=dear")
    assert "other/dear" not in said
    assert [row["cost"] for row in rows()] == [pytest.approx(3e-05)] * 4


def test_a_budget_can_be_kept_by_the_price_of_what_answers_to_an_alias(
    harness: Harness, server: Served
) -> None:
    Path("harness.toml").write_text('[prices."dear"]\ninput = 10.0\noutput = 10.0\n')
    said = run(harness, server, "--set", "endpoint.aliases.x=dear", "--budget", "1")
    assert "cost      $0.0012\n" in said


def test_a_budget_that_another_model_makes_unsure_stops_the_run(
    harness: Harness, server: Served
) -> None:
    server.names = lambda number: ("other/dear", None) if number > 1 else ("x", None)
    command = (
        "run",
        "four.jsonl",
        "--base-url",
        server.url,
        "--out",
        "out",
        *OURS,
        "--budget",
        "1",
        "--runs",
        "1",
    )
    done = harness(*command)
    assert done.exit_code == 3
    assert "stopped   the budget cannot be kept: other/dear answered" in done.output
    assert server.asked == 2
    # With its price known, the same command goes on, and nothing is asked twice.
    Path("harness.toml").write_text(PRICED + '[prices."other/dear"]\ninput = 10.0\noutput = 10.0\n')
    again = harness(*command)
    assert again.exit_code == 0, again.output
    assert server.asked == 4


@pytest.mark.parametrize("how", ["--stream", "--no-stream"])
def test_a_fingerprint_that_changes_in_the_middle_of_a_run_is_told_once(
    harness: Harness, server: Served, how: str
) -> None:
    server.names = lambda number: ("x", "fp_a" if number < 4 else "fp_b")
    told = f"{CHANGED}: fingerprint fp_a gave 3 answers, fingerprint fp_b 1"
    said = run(harness, server, how)
    assert lines_with(said, "fp_b") == [f"model     {told}"]
    assert "cost      $0.0001\n" in said
    assert lines_with(harness("status", "out").output, "fp_b") == [f"model     {told}"]
    assert lines_with(harness("show", "out").output, "fp_b") == [f"model     {told}"]


def test_fingerprints_that_alternate_are_one_warning(harness: Harness, server: Served) -> None:
    write_topics(9)
    server.names = lambda number: ("x", f"fp_{number % 3}")
    assert len(lines_with(run(harness, server), "fp_")) == 1


def test_a_change_between_two_sessions_of_a_run_is_told(harness: Harness, server: Served) -> None:
    write_topics(2)
    server.names = lambda number: ("x-2024-05-13" if number < 3 else "x-2024-08-06", None)
    assert CHANGED not in run(harness, server)
    write_topics(4)
    assert f"model     {CHANGED}: x-2024-05-13 gave 2 answers, x-2024-08-06 2\n" in run(
        harness, server
    )


def test_cached_answers_beside_new_ones_of_another_build_are_told(
    harness: Harness, server: Served
) -> None:
    write_topics(2, "two.jsonl")
    server.names = lambda number: ("x", "fp_a" if number < 3 else "fp_b")
    run(harness, server, topics="two.jsonl", out="first")
    said = run(harness, server, out="second")
    assert "calls     4, 2 of them answered by the cache" in said
    assert f"model     {CHANGED}: fingerprint fp_a gave 2 answers, fingerprint fp_b 2\n" in said


def test_the_models_of_a_cache_are_listed_with_when_each_answered(
    harness: Harness, server: Served
) -> None:
    server.names = lambda number: ("x", "fp_a") if number < 4 else ("other/dear", None)
    run(harness, server)
    listed = harness("cache", "stats", "--models").output.splitlines()
    assert listed[0] == f"asked     x at {server.url}"
    assert listed[1].startswith("          x, fingerprint fp_a: 3 answers, 20")
    assert listed[2].startswith("          other/dear, no fingerprint: 1 answer, 20")
    assert listed[3:] == [f"model     {OTHER}: x gave 3 answers, other/dear 1"]
    found = json.loads(harness("cache", "stats", "--models", "--json").stdout)
    assert [(one["asked"], one["model"], one["answers"]) for one in found["models"]] == [
        ("x", "x", 3),
        ("x", "other/dear", 1),
    ]
    assert found["models"][0]["first"] <= found["models"][0]["last"]


def test_two_runs_that_different_builds_answered_are_told_apart(
    harness: Harness, server: Served
) -> None:
    server.names = lambda number: ("x", "fp_a" if number < 5 else "fp_b")
    run(harness, server, out="a")
    run(harness, server, "--cache-mode", "refresh", out="b")
    told = (
        "fingerprint fp_a gave 4 answers in A, 0 in B; fingerprint fp_b gave 0 answers in A, 4 in B"
    )
    assert f"model: {CHANGED}: {told}" in " ".join(harness("diff", "a", "b").output.split())
    found = json.loads(harness("diff", "a", "b", "--json").stdout)
    assert found["answerers"] == [f"{CHANGED}: {told}"]
    # Of rows from before there was such a field, the calls tell it.
    for name in ("a", "b"):
        old = [
            {key: value for key, value in row.items() if key != "answered_by"} for row in rows(name)
        ]
        Path(name, "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in old))
    assert json.loads(harness("diff", "a", "b", "--json").stdout)["answerers"] == [
        f"{CHANGED}: {told}"
    ]
    assert harness("status", "a").exit_code == 0


SUITE = """
dataset = "four.jsonl"
cassette = "c.jsonl"

[settings]
base_url = "{url}"
model = "x"
workflow = "flow.py:one"

[[check]]
name = "an answer"
contains = "Scattering"
"""


def test_a_recording_that_was_added_to_by_another_build_is_told_by_check(
    harness: Harness, server: Served
) -> None:
    Path("suite.toml").write_text(SUITE.format(url=server.url))
    write_topics(2)
    server.names = lambda number: ("x", "fp_a" if number < 3 else "fp_b")
    recorded = harness("check", "suite.toml", "--on-miss", "record", "-y", "-q")
    assert recorded.exit_code == 0, recorded.output
    assert CHANGED not in recorded.output
    write_topics(4)
    again = harness("check", "suite.toml", "--on-miss", "record", "-y", "-q")
    told = f"{CHANGED}: fingerprint fp_a gave 2 answers, fingerprint fp_b 2"
    assert again.exit_code == 0, again.output
    assert f"note: recorded answers: {told}\n" in again.output
    offline = harness("check", "suite.toml", "--format", "json")
    assert offline.exit_code == 0
    assert json.loads(offline.stdout)["answerers"] == [told]


def test_doctor_tells_of_a_cache_of_two_builds_and_of_another_that_answers_now(
    harness: Harness, server: Served
) -> None:
    looked = ("doctor", "--base-url", server.url, "--model", "x")
    server.names = lambda number: ("x", "fp_a")
    run(harness, server)
    assert CHANGED not in harness(*looked, "--ask").output
    server.names = lambda number: ("x", "fp_b")
    asked = harness(*looked, "--ask").output
    told = f"{CHANGED}: fingerprint fp_a gave 4 answers, fingerprint fp_b 1"
    assert lines_with(asked, "fp_b") == [f"warning  answers    with the cache, {told}"]
    write_topics(5)
    run(harness, server, out="more")
    (line,) = lines_with(harness(*looked).output, "fp_b")
    assert line.startswith("warning  cache ")
    assert line.endswith(f"; {told}")
    server.names = lambda number: ("other/dear", None)
    assert (
        f"warning  answers    {OTHER}: other/dear gave 1 answer\n"
        in harness(*looked, "--ask").output
    )


def test_ask_tells_of_another_model(harness: Harness, server: Served) -> None:
    server.names = lambda number: ("other/dear", None)
    said = harness("ask", "Why?", "--base-url", server.url, "--model", "x")
    assert f"note: {OTHER}: other/dear gave 1 answer\n" in said.stderr


def test_a_price_that_nobody_knows_reads_so_wherever_a_cost_is_told(
    harness: Harness, server: Served
) -> None:
    Path("harness.toml").write_text("")
    run(harness, server, out="a")
    run(harness, server, "--cache-mode", "refresh", out="b")
    estimate = harness("estimate", "four.jsonl", "--base-url", server.url, *OURS[:4]).output
    diff = harness("diff", "a", "b").output
    assert "not known    not known" in estimate
    assert lines_with(diff, "paid  ")[0].split("  ")[-1].strip() == "–"
    assert lines_with(diff, "paid  ")[0].count("not known") == 2
    assert "not known → not known" in diff
    assert "cost not known, " in harness("cache", "stats").output
    assert harness("timeline", "a").exit_code == 0
    assert '"cost_usd": "not known"' in json.dumps(json.loads(Path("a/timeline.json").read_text()))
    for said in (estimate, diff, harness("status", "a").output, harness("show", "a").output):
        assert not any(word in said for word in ("$0", "nan", "None", "$?"))
