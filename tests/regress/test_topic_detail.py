"""One topic in two runs, call by call and word by word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from run_directories import Made, asking, make_run, said

from harness.errors import InputError
from harness.records.results_dir import TRACES_FILE
from harness.records.run_index import RunIndex
from harness.regress.comparing.run_comparison import case_of
from harness.regress.comparing.topic_detail import TopicDetail, detail_of

PLAN, OTHER_PLAN = "Who paid for the barrage at La Rance?", "Which fish pass the sluices today?"


def section(number: int, question: str, **fields: Any) -> dict[str, Any]:
    return {
        "number": number,
        "question": question,
        "status": "ok",
        "answer": None,
        "cited": True,
        **fields,
    }


def detailed(directory: Path, a: Made, b: Made) -> TopicDetail:
    runs = [
        RunIndex.open(make_run(directory / name, [made])) for name, made in (("a", a), ("b", b))
    ]
    return detail_of(case_of(runs[0], a.id), case_of(runs[1], b.id))


def workflow(plan: str, report: str, *, system: str = "Be careful.", **fields: Any) -> Made:
    """A plan, a note on it, and a report."""
    note = f"All about: {plan}"
    return Made(
        id="tides",
        calls=[
            said("plan", "Plan it.", plan, at_s=1.0),
            said("ask", asking(f"Answer: {plan}", system=system), note, at_s=3.0),
            said("write", f"Write up: {note}", report, at_s=5.0),
        ],
        fields={"output": report, **fields},
    )


def test_a_topic_that_came_out_the_same_has_no_changes(tmp_path: Path) -> None:
    found = detailed(tmp_path, workflow(PLAN, "The end."), workflow(PLAN, "The end."))
    assert found.difference.same
    assert (found.output, found.output_of) == (None, "write")
    assert [(call.request, call.reasoning, call.answer) for call in found.calls] == [
        (None, None, None)
    ] * 3


def test_a_changed_prompt_is_told_from_the_prompts_that_follow(tmp_path: Path) -> None:
    found = detailed(
        tmp_path, workflow(PLAN, "One."), workflow(OTHER_PLAN, "Two.", system="Be quick.")
    )
    plan, ask, write = found.calls
    assert plan.request is None
    assert plan.answer is not None
    assert ask.request is not None
    assert [one.diff.plain() for one in ask.request.messages if one.own] == [
        "Be [-careful-]{+quick+}."
    ]
    assert (ask.request.own, ask.request.follows) == (True, ("plan",))
    assert write.request is not None
    assert (write.request.own, set(write.request.follows)) == (False, {"ask"})


def test_an_output_that_no_call_said_is_compared_itself(tmp_path: Path) -> None:
    found = detailed(
        tmp_path, workflow(PLAN, "x", output="one two"), workflow(PLAN, "x", output="one three")
    )
    assert found.output is not None
    assert found.output.plain() == "one [-two-]{+three+}"
    assert found.output_of is None
    failed = detailed(
        tmp_path / "2", workflow(PLAN, "x", output="one two"), Made(id="tides", failed=True)
    )
    assert failed.output is not None
    assert "(failed: TopicFailed: no answer)" in failed.output.plain()


def test_sections_are_matched_by_their_questions_and_say_what_changed_in_them(
    tmp_path: Path,
) -> None:
    note = f"All about: {PLAN}"
    a = workflow(
        PLAN,
        "x",
        sections=(
            section(1, "Who paid for it?", answer=note),
            section(2, "Who pays now?"),
            section(3, "Where is it?"),
        ),
    )
    b = workflow(
        PLAN,
        "x",
        sections=(
            section(1, "Who will pay?", status="failed"),
            section(2, "Who paid for all of it?", answer=note, cited=False),
            section(3, "Which fish die there?"),
            section(4, "Where is it?"),
        ),
    )
    found = detailed(tmp_path, a, b)
    shown = [
        (one.place_a, one.place_b, one.label, [(name, diff.plain()) for name, diff in one.changes])
        for one in found.sections
    ]
    assert shown == [
        (None, 1, "Who will pay?", []),
        (
            1,
            2,
            "Who paid for it?",
            [("question", "Who paid for {+all of +}it?"), ("cited", "[-true-]{+false+}")],
        ),
        (2, None, "Who pays now?", []),
        (None, 3, "Which fish die there?", []),
        (3, 4, "Where is it?", []),
    ]


def test_answers_that_calls_gave_are_not_shown_a_second_time_in_their_sections(
    tmp_path: Path,
) -> None:
    a = workflow(PLAN, "x", sections=(section(1, "Who?", answer=f"All about: {PLAN}"),))
    b = workflow(OTHER_PLAN, "x", sections=(section(1, "Who?", answer=f"All about: {OTHER_PLAN}"),))
    assert detailed(tmp_path, a, b).sections[0].changes == ()


def test_a_call_that_only_one_run_made_has_no_counterpart(tmp_path: Path) -> None:
    a = workflow(PLAN, "x")
    found = detailed(tmp_path, a, Made(id="tides", calls=a.calls[:1], fields={"output": "y"}))
    assert [(one.call.step, one.call.lone) for one in found.calls] == [
        ("plan", False),
        ("ask", True),
        ("write", True),
    ]
    assert found.calls[1].answer is None


def test_a_damaged_request_is_named(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / name, [workflow(plan, "x")])
        for name, plan in (("a", PLAN), ("b", OTHER_PLAN))
    ]
    rows = [json.loads(line) for line in (runs[1] / TRACES_FILE).read_text().splitlines()]
    rows[1]["request"]["messages"][0]["role"] = "teacher"
    (runs[1] / TRACES_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(
        InputError, match=r"topic 'tides' is damaged: request\.messages\.0\.role: Input should be"
    ):
        case_of(RunIndex.open(runs[1]), "tides")
