"""`harness diff` and `harness cache explain` as a person gives them, on runs of the mock."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from command_line import Harness, problem_of
from prompts import edited_prompts

from harness.diffs.words import diff_words
from harness.records.directory_lock import DirectoryLock
from harness.records.results_dir import TRACES_FILE
from harness.records.run import Run
from harness.render.document import Block, Diff, Heading, Lines, Table
from harness.render.terminal import show

RUN = ("run", "topics.jsonl", "--endpoint", "mock", "-q")
SUITE = """
dataset = "topics.jsonl"
cassette = "unused.jsonl"
settings.endpoint = "mock"

[[check]]
name = "short enough"
chars = { at_most = 100000 }

[[check]]
name = "three sub-questions"
questions = { at_least = 3, at_most = 3 }
"""


@pytest.fixture
def other(harness: Harness, a_run: Path) -> Path:
    """The run of two topics once more, with a word changed in one of the prompts."""
    prompts = edited_prompts(Path("mine.toml"), ("careful researcher", "meticulous researcher"))
    done = harness(*RUN, "--out", "other", "--prompts", str(prompts))
    assert done.exit_code == 0, done.output
    return Path("other")


def test_the_summary_says_what_differs_and_lists_the_changed_topics(
    harness: Harness, a_run: Path, other: Path
) -> None:
    result = harness("diff", str(a_run), str(other))
    assert result.exit_code == 1
    said = result.stdout
    assert said.startswith("done → other\n")
    assert "  topics: 2 in both, 0 unchanged, 2 changed\n  status: 0 worse, 0 better\n" in said
    assert re.search(r"^  identity: prompts [0-9a-f]{8} → [0-9a-f]{8}$", said, re.MULTILINE)
    assert re.search(r"^B .* mine\.toml \([0-9a-f]{8}\) ", said, re.MULTILINE)
    assert re.search(r"^decompose +2 +0 +0 +0 ", said, re.MULTILINE)
    assert re.search(r"^research +(\d+) +\1 +\1 +\1 ", said, re.MULTILINE)
    assert re.search(r"^(sky|tea) +ok +\d+% +\d of \d ", said, re.MULTILINE)
    assert "\x1b" not in said


def test_a_topic_is_shown_word_by_word_and_only_the_changed_prompt_is_blamed(
    harness: Harness, a_run: Path, other: Path
) -> None:
    result = harness("diff", str(a_run), str(other), "sky")
    assert result.exit_code == 1
    assert "You are a [-careful-]{+meticulous+} researcher." in result.stdout
    assert re.search(
        r"^  request, message 2 \(user\): differs by the answers of research\.1/",
        result.stdout,
        re.M,
    )
    assert result.stdout.count("request, message 1 (system) changed:") == result.stdout.count(
        "\nresearch."
    )
    assert "decompose\n" in result.stdout


def test_a_run_from_the_cache_is_the_same(harness: Harness, a_run: Path) -> None:
    harness(*RUN, "--out", "again")
    result = harness("diff", str(a_run), "again")
    assert result.exit_code == 0
    assert "2 in both, 2 unchanged, 0 changed" in result.stdout
    assert (
        "identity: the same prompts, model, dataset and settings of the workflow" in result.stdout
    )
    assert "Changed topics" not in result.stdout
    topic = harness("diff", str(a_run), "again", "sky")
    assert topic.exit_code == 0
    assert "  came out the same\n" in topic.stdout


def test_failed_topics_are_worse_and_come_first(harness: Harness, a_run: Path) -> None:
    harness(
        *RUN,
        "--out",
        "failed",
        "--faults",
        "content-filter=1",
        "--cache",
        "other.db",
        "--model",
        "deepseek-v4-pro",
    )
    result = harness("diff", str(a_run), "failed", "--limit", "1")
    assert result.exit_code == 1
    assert (
        "  status: 2 worse, 0 better\n  identity: model deepseek-flash → deepseek-v4-pro\n"
        in result.stdout
    )
    assert "Changed topics, the worst first (the first 1 of 2)" in result.stdout
    assert "ok → failed" in result.stdout
    assert "status: 0 worse, 2 better" in harness("diff", "failed", str(a_run)).stdout
    topic = harness("diff", str(a_run), "failed", "sky").stdout
    assert "  failed in B: the provider's content filter" in topic
    assert "research.1/research, only in A" in topic
    assert re.search(r"^  1, only in A: ", topic, re.MULTILINE)


def test_the_checks_of_a_suite_say_what_got_better_and_what_got_worse(
    harness: Harness, a_run: Path
) -> None:
    Path("checks.toml").write_text(SUITE)
    harness(*RUN, "--out", "failed", "--faults", "content-filter=1", "--cache", "other.db")
    result = harness("diff", str(a_run), "failed", "--suite", "checks.toml")
    assert "  checks: 2 topics lost some, 0 gained some\n" in result.stdout
    assert re.search(r"^no topic failed +2 +2 +0 +2 +0$", result.stdout, re.MULTILINE)
    assert (
        "checks lost: no topic failed"
        in harness("diff", str(a_run), "failed", "sky", "--suite", "checks.toml").stdout
    )
    found = json.loads(
        harness("diff", str(a_run), "failed", "--suite", "checks.toml", "--json").stdout
    )
    assert [check["name"] for check in found["checks"]] == [
        "no topic failed",
        "short enough",
        "three sub-questions",
    ]


def test_json_has_every_changed_topic_and_of_a_topic_every_word(
    harness: Harness, a_run: Path, other: Path
) -> None:
    found = json.loads(harness("diff", str(a_run), str(other), "--json", "--limit", "1").stdout)
    assert (found["same"], found["topics"]["changed"], len(found["changed"])) == (False, 2, 2)
    assert found["settings"][0]["name"] == "prompts"
    topic = json.loads(harness("diff", str(a_run), str(other), "sky", "--format", "json").stdout)
    by_step = {call["step"]: call for call in topic["calls"]}
    assert by_step["decompose"]["request"] is None
    [message] = by_step["research"]["request"]["messages"]
    changes = [one for one in message["diff"]["segments"] if one["kind"] == "replaced"]
    assert changes == [{"kind": "replaced", "old": "careful", "new": "meticulous"}]
    assert by_step["synthesize"]["request"]["messages"][0]["own"] is False
    assert topic["output_of"] == "synthesize"


def test_markdown_has_tables_and_tags(harness: Harness, a_run: Path, other: Path) -> None:
    result = harness("diff", str(a_run), str(other), "--format", "markdown")
    assert result.exit_code == 1
    assert "| research | " in result.stdout
    topic = harness("diff", str(a_run), str(other), "sky", "--format", "markdown").stdout
    assert "You are a <del>careful</del><ins>meticulous</ins> researcher." in topic


def test_on_a_terminal_changes_are_coloured_and_without_colours_they_are_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    blocks: list[Block] = [
        Heading(level=1, text="title"),
        Lines(lines=("a \x1b[31mline",)),
        Table(columns=("x",), rows=(("1",),)),
        Diff(
            title="answer", pieces=diff_words("a quick fox\n\nends", "a slow fox\n\nends").pieces()
        ),
    ]
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = Terminal()
    show(blocks, shown)
    assert "quick\x1b[0m" in shown.getvalue()
    assert "[-quick-]" not in shown.getvalue()
    assert "\\x1b[31mline" in shown.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    show(blocks, plain)
    assert "    a [-quick-]{+slow+} fox\n\n    ends\n" in plain.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("done", "nowhere"), "nowhere: not a run"),
        (("nowhere", "done"), "nowhere: not a run"),
        (("done", "topics.jsonl"), "topics.jsonl: not a run: it is a file"),
        (("done", "done"), "are the same run, so there is nothing to compare"),
        (
            ("done", "tea-only"),
            "tea-only: no finished topic 'sky'; `harness show tea-only` lists them",
        ),
        (("done", "elsewhere"), "have no topic in common"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    harness: Harness, a_run: Path, arguments: tuple[str, str], message: str
) -> None:
    Path("one.jsonl").write_text('{"id": "tea", "topic": "How is tea made?"}\n')
    Path("two.jsonl").write_text('{"id": "sea", "topic": "How is the sea?"}\n')
    harness("run", "one.jsonl", "--endpoint", "mock", "-q", "--out", "tea-only")
    harness("run", "two.jsonl", "--endpoint", "mock", "-q", "--out", "elsewhere")
    assert message in problem_of(harness("diff", *arguments, "sky"))


def test_a_run_that_is_going_on_and_one_that_is_damaged_are_refused(
    harness: Harness, a_run: Path, other: Path
) -> None:
    lock = DirectoryLock.take(other)
    try:
        assert "this run is still going" in problem_of(harness("diff", str(a_run), str(other)))
    finally:
        lock.release()
    traces = other / TRACES_FILE
    traces.write_bytes(traces.read_bytes()[:-1])
    assert "its last line is torn" in problem_of(harness("diff", str(a_run), str(other)))


def test_a_suite_without_sense_is_refused(harness: Harness, a_run: Path, other: Path) -> None:
    assert "none.toml: cannot be read" in problem_of(
        harness("diff", str(a_run), str(other), "--suite", "none.toml")
    )


# cache explain


def call_of(run: Path, call_id: str) -> str:
    """The key of a call of the topic `sky`."""
    return next(call.key for call in Run.open(run).spans("sky") if call.id == call_id)


def test_a_hit_a_change_and_what_follows_are_explained(
    harness: Harness, a_run: Path, other: Path
) -> None:
    run = ("--run", str(other))
    hit = harness("cache", "explain", "sky/decompose", *run)
    assert hit.exit_code == 0, hit.output
    assert hit.stdout.startswith(
        "sky/decompose: a hit, as the cache knew the answer to this very request\n"
    )
    assert "  paid for by decompose of topic 'sky' in run " in hit.stdout
    changed = harness("cache", "explain", "sky/research.1/research", *run).stdout
    assert "You are a [-careful-]{+meticulous+} researcher." in changed
    follows = harness("cache", "explain", "sky/synthesize", *run).stdout.splitlines()[0]
    assert "only by the answers of research.1/research, research.2/research" in follows
    found = json.loads(harness("cache", "explain", "sky/synthesize", *run, "--json").stdout)
    assert (found["outcome"], found["explanation"]["verdict"]) == ("asked", "follows")


def test_an_entry_says_who_paid_and_what_is_a_hit(harness: Harness, a_run: Path) -> None:
    key = call_of(a_run, "decompose")
    said = harness("cache", "explain", key[:10]).stdout
    assert said.startswith(f"{key}\n  stored for decompose of topic 'sky' in run ")
    assert (
        "    max_tokens: 2048\n    thinking: false\n    messages: system (101 characters), user ("
        in said
    )
    assert "older than the ttl" not in said
    Path("harness.toml").write_text("ttl = 0.001\n")
    assert "but it is older than the ttl of 0.001 s" in harness("cache", "explain", key).stdout
    entry = json.loads(harness("cache", "explain", key, "--json").stdout)
    assert (entry["entry"]["span_id"], entry["request"]["model"]) == ("decompose", "deepseek-flash")


def test_without_a_run_the_newest_is_meant(harness: Harness) -> None:
    assert "there is no run in results/" in problem_of(harness("cache", "explain", "sky/decompose"))
    harness(*RUN)
    harness(*RUN)
    Path("results/other").mkdir()
    said = harness("cache", "explain", "sky/decompose").stdout
    assert said.startswith("sky/decompose: a hit")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "sky/decomp",
            "done: no call 'sky/decomp'; the topic has sky/decompose, sky/research.1/research",
        ),
        ("sky", "done: no call 'sky'; the topic has sky/decompose"),
        ("moon/decompose", "done: no call 'moon/decompose'; name it TOPIC/CALL"),
        ("abcd", "done: no call 'abcd'; name it TOPIC/CALL"),
    ],
)
def test_a_call_that_is_not_there_says_which_are(
    harness: Harness, a_run: Path, what: str, message: str
) -> None:
    assert message in problem_of(harness("cache", "explain", what, "--run", str(a_run)))


def test_a_key_that_is_not_there_and_a_cache_that_is_gone_are_refused(
    harness: Harness, a_run: Path
) -> None:
    assert "there is no readable entry" in problem_of(harness("cache", "explain", "abcd"))
    for file in Path(".harness").iterdir():
        file.unlink()
    assert "there is no cache file here" in problem_of(
        harness("cache", "explain", "sky/decompose", "--run", str(a_run))
    )
