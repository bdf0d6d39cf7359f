"""A suite's report for people and machines: what comes first, what is left out, and that no text in
it commands.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from regress_cases import HEAD, FakeMiss, a_call, a_case, a_suite

from harness.regress.case import Case
from harness.regress.checks.golden import Accepted, Golden
from harness.regress.checks.misses import grouped
from harness.regress.reports.in_github import command, in_github, problem_in_github
from harness.regress.reports.in_json import in_json
from harness.regress.reports.in_junit import in_junit
from harness.regress.reports.in_markdown import LONGEST, in_markdown
from harness.regress.reports.in_text import document_of
from harness.regress.reports.telling import miss_words
from harness.regress.suites.report import SuiteReport
from harness.regress.suites.verdicts import judge_all
from harness.render.markdown import fenced
from harness.render.plain import plain, plain_lines
from harness.render.terminal import show
from harness.text.safe import terminal_safe

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "check.schema.json").read_text()
)
CHECKS = (
    "[[check]]\nname = 'is as accepted'\nequals_golden = true\n"
    "[[check]]\nname = 'speaks of the sea'\ncontains = 'sea'\n"
    "[[check]]\nname = 'asks, and: answers 100%'\nstep = 'ask'\ncontains = 'tide'\n"
)
EVIL = (
    "\x1b[2J::error::hacked\n::stop-commands::x\n</details><script>alert(1)</script> [x](http://y)"
    " ```\n%0A|\u202e"
)


def case(output: str, topic_id: str = "t", sample: int = 0, **fields: Any) -> Case:
    call = a_call("ask", output, **{"reasoning": "let me think", **fields})
    return a_case(output, topic_id=topic_id, sample=sample, calls=[call])


def in_text(report: SuiteReport) -> str:
    return plain(document_of(report))


def golden(*names: str) -> Golden:
    return Golden(
        draws={name: Accepted(output="the tide and the sea", has_output=True) for name in names}
    )


def all_kinds(directory: Path, *, samples: int = 1) -> SuiteReport:
    """A report with a miss, passed, failed and unchecked topics, and notes."""
    suite = a_suite(directory, CHECKS, head=f"samples = {samples}\n{HEAD}")
    cases = [
        case(text, topic_id, sample)
        for sample in range(samples)
        for topic_id, text in (
            ("good", "the tide and the sea"),
            ("bad", "the tide and the lake"),
            ("unseen", "the tide and the sea"),
        )
    ]
    misses = [
        FakeMiss(topic_id="unseen"),
        FakeMiss(topic_id="unseen", span_id="late", step="late", verdict="follows"),
    ]
    return judge_all(suite, cases, golden("good", "bad", "unseen", "gone"), misses=misses, stale=2)


def many_failures(directory: Path, number: int) -> SuiteReport:
    suite = a_suite(directory, "[[check]]\nname = 'speaks of the sea'\ncontains = 'sea'\n")
    return judge_all(suite, [case("the lake", f"t{n}") for n in range(number)])


def evil(directory: Path) -> SuiteReport:
    suite = a_suite(directory, CHECKS)
    cases = [case(EVIL, topic_id=EVIL, reasoning=EVIL)]
    return judge_all(suite, cases, misses=[FakeMiss(topic_id="x", text=EVIL, step=EVIL)])


# What to know beside the findings


def test_answers_that_nothing_asks_for_are_told_with_what_removes_them_unless_some_may_be_what_is_missing(
    tmp_path: Path,
) -> None:
    suite, said = (
        a_suite(tmp_path, CHECKS),
        "2 recorded answers that nothing asked for any more; --on-miss record --prune",
    )
    assert said in in_text(judge_all(suite, [case("the tide and the sea")], golden("t"), stale=2))
    assert said not in in_text(
        judge_all(suite, [case("the sea")], golden("t"), stale=2, misses=[FakeMiss()])
    )


def test_what_is_left_out_is_not_asked_to_be_recorded(tmp_path: Path) -> None:
    suite, cases = a_suite(tmp_path, CHECKS), [case("the tide and the sea")]
    text = in_text(
        judge_all(suite, cases, golden("t"), misses=[FakeMiss(topic_id="u")], misses_fail=False)
    )
    assert "were skipped" in text
    assert "--on-miss record" not in text


# Text


def test_text_tells_what_it_comes_to_first_then_what_is_not_recorded_then_the_failures(
    tmp_path: Path,
) -> None:
    text = in_text(all_kinds(tmp_path)).replace(f"{tmp_path}/", "")
    assert (
        text
        == "suite: failed (4 checks of 3 topics: 2 passed, 2 failed; 2 calls not recorded)\n\nnot"
        " recorded  ask: the request changed (1 call of 1 topic)\n    | step 'ask' of topic 't':"
        " not recorded\n    |   nearest: ask\n\nnot recorded  late: asks otherwise only because"
        " an earlier answer changed (1 call of 1 topic)\n\nok    no topic failed  (2 passed, 1"
        " not checked)\n      not checked: the output rests on what is not recorded: ask,"
        " late\nFAIL  is as accepted  (1 passed, 1 failed, 1 not checked)\n      not checked:"
        " the output rests on what is not recorded: ask, late\nFAIL  speaks of the sea  (1"
        " passed, 1 failed, 1 not checked)\n      not checked: the output rests on what is not"
        " recorded: ask, late\nok    asks, and: answers 100%  (2 passed, 1 not checked)\n     "
        " not checked: its call is not recorded: ask\n\nFAIL  is as accepted  suite.toml:6\n  -"
        " bad: the output is not the accepted one\n    expected and got, [-went-] {+came+}:\n   "
        " | the tide and the [-sea-]{+lake+}\n    call       ask, key kkkkkkkkkkkk,"
        " deepseek-flash, stop, 20 tokens out, 5 of them reasoning\n    prompt     why?\n   "
        " reasoning  let me think\n    answer     the tide and the lake\n\nFAIL  speaks of the"
        " sea  suite.toml:9\n  - bad: the text does not contain 'sea'\n    expected   contains"
        " 'sea'\n    got        the tide and the lake\n    call       ask, key kkkkkkkkkkkk,"
        " deepseek-flash, stop, 20 tokens out, 5 of them reasoning\n    prompt     why?\n   "
        " reasoning  let me think\n    answer     the tide and the lake\n\nnote: 1 accepted"
        " topic no longer in the dataset, --accept drops them: gone\nnote: if this change is"
        " meant, the same command with --on-miss record asks for what is not recorded; it says"
        " before what that costs\nnote: if this output is meant, the same command with --accept"
        " takes it as golden, to be reviewed as a diff\n"
    )


def test_of_draws_that_were_not_checked_the_first_reason_is_told_with_their_number(
    tmp_path: Path,
) -> None:
    misses = [FakeMiss(topic_id=name) for name in ("one", "two")]
    report = judge_all(
        a_suite(tmp_path, CHECKS), [case("so", one.topic_id) for one in misses], misses=misses
    )
    assert (
        "      not checked: the output rests on what is not recorded: ask (the first of 2)\n"
        in in_text(report)
    )


def test_repeated_draws_are_told_with_pass_at_k_and_their_spread(tmp_path: Path) -> None:
    text = in_text(all_kinds(tmp_path, samples=2))
    assert "4 checks of 3 topics × 2 draws" in text
    assert (
        "      pass@1 0.667, pass@2 0.500, pass rate 0.583 ± 0.118, tokens 30.0 ± 0.0, cost $"
        in text
    )
    assert "  - bad#2: the text does not contain 'sea'\n" in text


def test_of_many_failures_some_are_shown_and_the_topics_of_the_rest_are_named(
    tmp_path: Path,
) -> None:
    text = in_text(many_failures(tmp_path, 1000))
    assert text.count("the text does not contain") == 3
    assert "  … and 997 more, of 1,000 topics: t0, t1, t2, " in text
    assert ", t19, …\n" in text
    assert len(text.splitlines()) < 40


def test_the_failures_that_are_shown_are_of_different_topics_and_of_all_expectations(
    tmp_path: Path,
) -> None:
    suite = a_suite(tmp_path, "[[check]]\ncontains = 'sea'\nnot_contains = 'lake'\n")
    text = in_text(judge_all(suite, [case("the lake", f"t{n}") for n in range(3)]))
    assert [line[4:6] for line in text.splitlines() if line.startswith("  - ")] == [
        "t0",
        "t1",
        "t2",
    ]
    assert "  - t1: the text contains 'lake'\n" in text
    assert "  … and 3 more, of 3 topics: t0, t1, t2\n" in text
    single = in_text(judge_all(suite, [case("the lake")]))
    assert [line[4:] for line in single.splitlines() if line.startswith("  - ")] == [
        "t: the text does not contain 'sea'",
        "t: the text contains 'lake'",
    ]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("changed", "ask: the request changed (1 call of 1 topic)"),
        (
            "follows",
            "ask: asks otherwise only because an earlier answer changed (1 call of 1 topic)",
        ),
        ("new step", "ask: no such call is recorded (1 call of 1 topic)"),
        ("unknown topic", "ask: nothing is recorded of the topic (1 call of 1 topic)"),
        ("another", "ask: another (1 call of 1 topic)"),
    ],
)
def test_why_a_request_is_not_recorded_is_told_in_words(reason: str, words: str) -> None:
    assert miss_words(grouped([FakeMiss(verdict=reason)])[0]) == words


def test_a_long_explanation_is_cut(tmp_path: Path) -> None:
    miss = FakeMiss(text="\n".join(str(number) for number in range(100)))
    text = in_text(judge_all(a_suite(tmp_path, CHECKS), [case("sea")], misses=[miss]))
    assert "    | 39\n    … and 60 lines more\n" in text


def test_misses_that_fail_nothing_are_no_errors(tmp_path: Path) -> None:
    cases = [case("the tide and the sea", name) for name in ("t", "u")]
    suite = a_suite(tmp_path, "[[check]]\ncontains = 'sea'\n")
    report = judge_all(suite, cases, misses=[FakeMiss()], misses_fail=False)
    assert [kind for kind, _, _ in commands(in_github(report, root=tmp_path))] == ["notice"]
    assert "note: calls that are not recorded were skipped" in in_text(report)


def test_an_output_without_calls_has_no_trace(tmp_path: Path) -> None:
    report = judge_all(a_suite(tmp_path, "[[check]]\ncontains = 'sea'\n"), [a_case("lake")])
    assert "call  " not in in_text(report)
    assert "Call " not in in_markdown(report)
    assert "call: " not in in_junit(report)
    assert in_json(report)["checks"][1]["topics"][0]["draws"][0]["failing"][0]["call"] is None


def test_markdown_names_how_many_failures_it_leaves_out(tmp_path: Path) -> None:
    assert "… and 40 more." in in_markdown(many_failures(tmp_path, 50))


def test_no_text_commands_the_terminal_or_the_runner_of_the_job(tmp_path: Path) -> None:
    text = in_text(evil(tmp_path))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert [line for line in text.splitlines() if line.lstrip().startswith(("::", "##"))] == []


def test_colours_are_for_terminals_only(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    report, log, terminal = all_kinds(tmp_path), io.StringIO(), Terminal()
    show(document_of(report), log)
    show(document_of(report), terminal)
    assert log.getvalue() == in_text(report)
    assert re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()) == in_text(report)


def test_every_line_has_a_tone(tmp_path: Path) -> None:
    tones = {line.tone for line in plain_lines(document_of(all_kinds(tmp_path)))}
    assert tones == {"plain", "good", "bad", "faint", "strong"}


# Markdown


def test_markdown_has_a_table_of_the_checks_and_folds_the_failures(tmp_path: Path) -> None:
    text = in_markdown(all_kinds(tmp_path)).replace(str(tmp_path), "")
    assert text.startswith("## ❌ suite: failed")
    assert (
        "| ✅ passed | no topic failed | 2 passed, 1 not checked | the output rests on what is not"
        " recorded: ask, late |" in text
    )
    assert "<details><summary>bad: the output is not the accepted one</summary>" in text
    assert "the tide and the [-sea-]{+lake+}\n```" in text
    assert "- if this output is meant, the same command with --accept" in text
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<details>") == html.count("</details>") == 2
    assert html.count("<tr>") == 5


def test_markdown_of_evil_texts_has_no_markup_of_theirs(tmp_path: Path) -> None:
    html = MarkdownIt("commonmark").enable("table").render(in_markdown(evil(tmp_path)))
    assert "<script" not in html
    assert "<a " not in html
    assert html.count("<details>") == html.count("</details>") == 3


@given(st.text(alphabet="`~\n ab</>", max_size=40))
def test_a_fence_holds_whatever_it_holds(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"{fenced(text)}\n\nafter")
    assert [token.type for token in tokens] == [
        "fence",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assert tokens[0].content == f"{text}\n"


def test_markdown_stays_below_what_github_takes(tmp_path: Path) -> None:
    checks = "".join(f"[[check]]\nname = 'c{n}'\ncontains = '{n}'\n" for n in range(60))
    long = "量" * 5000
    cases = [case(long, f"t{n}", reasoning=long) for n in range(10)]
    text = in_markdown(judge_all(a_suite(tmp_path, checks), cases))
    assert LONGEST * 0.9 < len(text.encode()) <= LONGEST + 100
    assert text.endswith("The rest is left out: the report is too long.\n")


# GitHub


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """What GitHub's runner makes of the lines."""

    def unescaped(value: str) -> str:
        for escape, character in (
            ("%3A", ":"),
            ("%2C", ","),
            ("%0D", "\r"),
            ("%0A", "\n"),
            ("%25", "%"),
        ):
            value = value.replace(escape, character)
        return value

    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"::(\w+)(?: ([^:]*))?::(.*)", line)
        assert match is not None, line
        given = dict(part.split("=", 1) for part in (match[2] or "").split(",") if part)
        found.append(
            (
                match[1],
                {name: unescaped(value) for name, value in given.items()},
                unescaped(match[3]),
            )
        )
    return found


def test_annotations_stand_at_the_checks_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    report = all_kinds(tmp_path / "suites")
    missed, follows, first, second, *notices = commands(in_github(report, root=tmp_path))
    assert missed[1] == {"file": "suites/suite.toml", "line": "1", "title": "not recorded: ask"}
    assert missed[2].startswith("ask: the request changed (1 call of 1 topic)\nstep 'ask' of topic")
    assert (
        follows[2]
        == "late: asks otherwise only because an earlier answer changed (1 call of 1 topic)"
    )
    assert first[1] == {"file": "suites/suite.toml", "line": "6", "title": "is as accepted"}
    assert (second[1]["line"], second[2]) == ("9", "bad: the text does not contain 'sea'")
    assert [kind for kind, _, _ in notices] == ["notice"] * 3


def test_a_check_that_found_nothing_to_look_at_is_annotated_at_its_line(tmp_path: Path) -> None:
    suite = a_suite(
        tmp_path, f"{CHECKS}[[check]]\nname = 'honest'\nreasoning_not_contains = 'cheat'\n"
    )
    report = judge_all(suite, [case("the tide and the sea", reasoning="")], golden("t"))
    assert commands(in_github(report, root=tmp_path)) == [
        (
            "error",
            {"file": "suite.toml", "line": "15", "title": "honest"},
            "checked nothing: there is no reasoning to look at",
        )
    ]


def test_what_keeps_a_suite_from_being_checked_is_annotated_where_it_stands(tmp_path: Path) -> None:
    told = (
        f"{tmp_path}/suites/s.toml:3: unknown setting 'a: b'\n{tmp_path}/c.jsonl: not"
        " sound\nelsewhere:12: torn"
    )
    assert commands(problem_in_github(told, root=tmp_path)) == [
        (
            "error",
            {"file": "suites/s.toml", "line": "3", "title": "harness check"},
            "unknown setting 'a: b'",
        ),
        ("error", {"title": "harness check"}, f"{tmp_path}/c.jsonl: not sound"),
        ("error", {"file": "elsewhere", "line": "12", "title": "harness check"}, "torn"),
    ]
    assert len(commands(problem_in_github("x\n" * 30, root=tmp_path))) == 10


def test_a_name_with_signs_of_the_format_in_it_comes_out_as_it_is(tmp_path: Path) -> None:
    report = judge_all(a_suite(tmp_path, CHECKS), [case("nothing")], golden("t"))
    assert [
        properties["title"]
        for kind, properties, _ in commands(in_github(report, root=Path("/elsewhere")))
        if kind == "error"
    ] == [
        "is as accepted",
        "speaks of the sea",
        "asks, and: answers 100%",
    ]


@given(st.text(alphabet="ab%:,\r\n=\x1b", max_size=30), st.text(alphabet="ab%:,\r\n=", max_size=30))
def test_what_is_escaped_is_one_command_and_comes_out_again(message: str, title: str) -> None:
    text = command("error", message, title=title, line=3)
    expected = {"title": terminal_safe(title), "line": "3"}
    assert commands(text) == [("error", expected, terminal_safe(message))]


def test_github_is_given_no_more_errors_than_it_shows(tmp_path: Path) -> None:
    checks = "".join(f"[[check]]\nname = 'c{n}'\ncontains = '{n}'\n" for n in range(15))
    found = commands(in_github(judge_all(a_suite(tmp_path, checks), [case("none")]), root=tmp_path))
    assert len(found) == 10
    assert found[-1][2] == "… and 6 more findings; the summary has them all"


def test_a_check_that_fails_on_many_topics_is_one_annotation(tmp_path: Path) -> None:
    [(_, _, message)] = commands(in_github(many_failures(tmp_path, 1000), root=tmp_path))
    assert message.count("does not contain") == 3
    assert "… and 997 more, of 1,000 topics: t0, " in message


def test_evil_texts_are_within_their_commands(tmp_path: Path) -> None:
    found = commands(in_github(evil(tmp_path), root=tmp_path))
    assert [kind for kind, _, _ in found] == ["error"] * 4 + ["notice"]


def test_nothing_checked_is_an_error_for_github_too(tmp_path: Path) -> None:
    left_out = {("t", 0): "skipped"}
    suite = a_suite(tmp_path, CHECKS)
    report = judge_all(suite, [], not_checked=left_out, misses=[FakeMiss()], misses_fail=False)
    [(kind, properties, message), (note, _, _)] = commands(in_github(report, root=tmp_path))
    assert (kind, properties["line"], note) == ("error", "1", "notice")
    assert message.startswith("suite: nothing was checked")


# JSON


@pytest.mark.parametrize("samples", [1, 3])
def test_json_is_as_documented(tmp_path: Path, samples: int) -> None:
    value = json.loads(json.dumps(in_json(all_kinds(tmp_path, samples=samples))))
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(value)
    assert {check["state"] for check in value["checks"]} == {"passed", "failed"}
    failing = value["checks"][1]["topics"][1]["draws"][0]["failing"][0]
    assert failing["diff"] == "the tide and the [-sea-]{+lake+}"
    assert failing["call"]["messages"] == [{"role": "user", "content": "why?"}]
    assert list(value["checks"][1]["pass_at"]) == [str(k) for k in sorted({1, samples})]


def test_json_of_a_suite_that_checked_nothing_is_as_documented(tmp_path: Path) -> None:
    value = in_json(judge_all(a_suite(tmp_path, CHECKS), [], not_checked={("t", 0): "skipped"}))
    Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(value)))
    assert value["checks"][0]["pass_rate"] is None


def test_every_field_of_the_json_has_a_meaning_in_words() -> None:
    def missing(schema: Any, path: str) -> list[str]:
        found = []
        for name, value in schema.get("properties", {}).items():
            if not {"description", "$ref"} & value.keys():
                found.append(f"{path}.{name}")
            found += missing(value, f"{path}.{name}")
        return found

    assert missing(SCHEMA, "") == []
    assert [at for name, schema in SCHEMA["$defs"].items() for at in missing(schema, name)] == []
