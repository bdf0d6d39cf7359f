"""Two runs side by side: what came out the same, what did not, and which is worse."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from manifests import a_manifest
from run_directories import Made, asking, make_run, said

from harness.domain.completion import Served, ToolCall, Usage
from harness.domain.run import Failure
from harness.errors import InputError
from harness.records.run_index import RunIndex
from harness.regress.case import Case
from harness.regress.comparing.run_comparison import (
    CheckDifference,
    Comparison,
    Setting,
    compare_runs,
    settings_changed,
)
from harness.regress.comparing.topic_difference import NO_CHECKS, Checks, TopicDifference

IDENTITY = {"model": "m", "prompts": "a" * 64, "samples": 1}


def compared(
    directory: Path, a: list[Made], b: list[Made], checks: Checks = NO_CHECKS, **manifest: Any
) -> Comparison:
    runs = [make_run(directory / "a", a), make_run(directory / "b", b, **manifest)]
    return compare_runs(RunIndex.open(runs[0]), RunIndex.open(runs[1]), checks)


def topic(topic_id: str, answer: str = "the sky is blue", **fields: Any) -> Made:
    """A topic with one call, whose answer is its output."""
    return Made(
        id=topic_id, calls=[said("ask", "why?", answer)], fields={"output": answer, **fields}
    )


def only(found: Comparison) -> TopicDifference:
    [changed] = found.changed
    return changed


def test_runs_that_came_out_the_same_are_the_same_whatever_they_took(tmp_path: Path) -> None:
    cached = said(
        "ask", "why?", "blue", cost=0.0, saved=0.5, served=Served(source="cache"), at_s=9.0
    )
    found = compared(
        tmp_path,
        [Made(id="sky", calls=[said("ask", "why?", "blue")], fields={"cost": 0.5})],
        [
            Made(
                id="sky",
                calls=[cached],
                fields={"cost": 0.0, "saved": 0.5, "hits": 1, "elapsed_s": 9.0},
            )
        ],
    )
    assert found.same
    assert (found.common, found.unchanged, found.changed) == (1, 1, ())
    assert (found.amounts_a.cost, found.amounts_b.cost, found.amounts_b.worth) == (0.5, 0.0, 0.5)
    assert (found.topic_s, found.amounts_b.hits) == ((3.5, 9.0), 1)


@pytest.mark.parametrize(
    ("then", "now", "what"),
    [
        (topic("sky"), topic("sky", output="another"), "output_changed"),
        (topic("sky"), topic("sky", sections=({"question": "why?"},)), "output_changed"),
        (
            Made(id="sky", calls=[said("ask", "why?", "one")]),
            Made(id="sky", calls=[said("ask", "why?", "two")]),
            "answers_changed",
        ),
        (
            Made(id="sky", calls=[said("ask", "why?", "one")]),
            Made(id="sky", calls=[said("ask", "why?", "one", reasoning="otherwise")]),
            "reasoning_changed",
        ),
        (
            Made(id="sky", calls=[said("ask", "why?", "one")]),
            Made(
                id="sky",
                calls=[
                    said(
                        "ask",
                        "why?",
                        "one",
                        tool_calls=(ToolCall(id="c", name="n", arguments="{}"),),
                    )
                ],
            ),
            "answers_changed",
        ),
        (
            Made(id="sky", calls=[said("ask", "why?", "one")]),
            Made(
                id="sky",
                calls=[said("ask", "why?", "", error=Failure(type="PermanentError", message="no"))],
            ),
            "answers_changed",
        ),
        (Made(id="sky"), Made(id="sky", calls=[said("ask", "why?", "one")]), "lone_calls"),
    ],
    ids=["output", "sections", "answer", "reasoning", "tools", "failed call", "one call more"],
)
def test_whatever_came_out_otherwise_is_a_change(
    tmp_path: Path, then: Made, now: Made, what: str
) -> None:
    found = compared(tmp_path, [then], [now])
    assert not found.same
    changes = ("output_changed", "answers_changed", "reasoning_changed", "lone_calls")
    assert [name for name in changes if getattr(only(found), name)] == [what]


def test_the_ids_of_calls_of_functions_are_no_change(tmp_path: Path) -> None:
    then, now = (
        Made(
            id="sky",
            calls=[
                said(
                    "ask", "why?", "", tool_calls=(ToolCall(id=call_id, name="n", arguments="{}"),)
                )
            ],
        )
        for call_id in ("c1", "c2")
    )
    assert compared(tmp_path, [then], [now]).same


def test_another_request_with_the_same_answer_is_no_change_and_is_counted(tmp_path: Path) -> None:
    then = Made(id="sky", calls=[said("ask", "why?", "one")])
    now = Made(id="sky", calls=[said("ask", asking("why?", max_tokens=5), "one")])
    found = compared(tmp_path, [then], [now])
    assert found.same
    assert (found.requests_only, found.steps[0].requests_changed) == (1, 1)


def test_topics_that_only_one_run_has_are_a_difference(tmp_path: Path) -> None:
    found = compared(tmp_path, [topic("sky"), topic("sea")], [topic("tea"), topic("sky")])
    assert (found.same, found.common, found.unchanged) == (False, 1, 1)
    assert (found.only_a, found.only_b) == (("sea",), ("tea",))
    assert found.amounts_a.calls == 1


def test_the_worst_comes_first_by_status_then_checks_then_likeness(tmp_path: Path) -> None:
    def passed(case: Case) -> Mapping[str, bool]:
        return {"blue": "blue" in str(case.row.output), "long": len(str(case.row.output)) > 3}

    degraded = {"status": "degraded"}
    a = [
        topic("alike", "the sky is very blue today"),
        topic("unlike", "blue and the same for ever"),
        topic("lost", "blue and then it was not at all"),
        topic("degraded"),
        topic("better", **degraded),
        topic("failed"),
    ]
    b = [
        topic("alike", "the sky is very blue now"),
        topic("unlike", "blue, or otherwise than it was"),
        topic("lost", "and then it was not at all"),
        topic("degraded", **degraded),
        topic("better"),
        Made(id="failed", failed=True),
    ]
    found = compared(tmp_path, a, b, Checks(names=("blue", "long", "never"), passed=passed))
    names = [one.topic_id for one in found.changed]
    assert names == ["failed", "degraded", "lost", "unlike", "alike", "better"]
    assert [one.status for one in found.changed] == [
        "worse",
        "worse",
        "level",
        "level",
        "level",
        "better",
    ]
    assert found.changed[2].lost == ("blue",)
    assert found.checks == (
        CheckDifference(name="blue", checked=6, passed_a=6, passed_b=4, lost=2, gained=0),
        CheckDifference(name="long", checked=6, passed_a=6, passed_b=6, lost=0, gained=0),
        CheckDifference(name="never", checked=0, passed_a=0, passed_b=0, lost=0, gained=0),
    )


def test_a_check_that_only_one_run_could_be_put_to_says_nothing(tmp_path: Path) -> None:
    def passed(case: Case) -> Mapping[str, bool]:
        return {"ok": True} if case.row.output == "one" else {}

    checks = Checks(names=("ok",), passed=passed)
    with pytest.raises(
        InputError, match="none of the checks could be made on any topic of both runs"
    ):
        compared(tmp_path, [topic("sky", "one")], [topic("sky", "two")], checks)


def test_a_check_that_is_gained_is_a_change_for_the_better(tmp_path: Path) -> None:
    checks = Checks(names=("short",), passed=lambda case: {"short": len(str(case.row.output)) < 4})
    found = compared(tmp_path, [topic("sky", "long")], [topic("sky", "red")], checks)
    assert (only(found).lost, only(found).gained) == ((), ("short",))


def test_steps_add_up_over_all_topics(tmp_path: Path) -> None:
    usage = Usage(input_tokens=7, output_tokens=30, reasoning_tokens=9)
    a = [
        Made(id=name, calls=[said("plan", "?", "one"), said("p.1/ask", "one?", "1", at_s=3.0)])
        for name in "xy"
    ]
    b = [
        Made(id=name, calls=[said("plan", "?", "two", usage=usage, served=Served(latency_s=4.0))])
        for name in "xy"
    ]
    plan, ask = compared(tmp_path, a, b).steps
    assert (plan.step, plan.a.calls, plan.b.calls, plan.answers_changed, plan.lone) == (
        "plan",
        2,
        2,
        2,
        0,
    )
    assert (plan.a.output_tokens, plan.b.output_tokens, plan.a.worth, plan.b.model_s) == (
        40,
        60,
        0.25,
        8.0,
    )
    assert (ask.step, ask.a.calls, ask.b.calls, ask.lone) == ("ask", 2, 0, 2)


def test_a_price_that_is_not_known_makes_no_sum(tmp_path: Path) -> None:
    found = compared(
        tmp_path, [topic("sky", cost=None), topic("sea")], [topic("sky"), topic("sea")]
    )
    assert (found.amounts_a.cost, found.amounts_a.worth, found.amounts_b.cost) == (None, None, 0.5)


def test_likeness_is_that_of_the_outputs_or_of_the_answers_behind_equal_ones(
    tmp_path: Path,
) -> None:
    calls = [said("one", "?", "a b c d"), said("two", "!", "same", at_s=5.0)]
    other = [said("one", "?", "x y z v"), said("two", "!", "same", at_s=5.0)]
    behind = only(
        compared(tmp_path / "1", [Made(id="sky", calls=calls)], [Made(id="sky", calls=other)])
    )
    assert behind.likeness == pytest.approx(
        (1 / 9 + 1) / 2
    )  # "well", the reasoning, of 5 words, 4 pairs
    assert (
        only(compared(tmp_path / "2", [topic("sky", "a b")], [topic("sky", "c d")])).likeness == 0
    )
    output = {"answer": ["a", "b"]}
    assert (
        only(
            compared(tmp_path / "3", [topic("sky", output=output)], [topic("sky", output=[])])
        ).likeness
        < 0.5
    )
    lost = compared(
        tmp_path / "4", [Made(id="sky", calls=calls)], [Made(id="sky", calls=calls[1:])]
    )
    assert only(lost).likeness == 0.5


def test_a_change_of_sections_alone_leaves_nothing_unlike(tmp_path: Path) -> None:
    found = compared(tmp_path, [topic("sky")], [topic("sky", sections=({"cited": True},))])
    assert only(found).likeness == 1.0


def test_runs_without_a_common_topic_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match="have no topic in common, so there is nothing to compare: the first begins",
    ):
        compared(tmp_path, [topic("sky")], [topic("sea")])


def test_a_run_without_finished_topics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"b: no topic of this run is finished"):
        compared(tmp_path, [topic("sky")], [])


def test_a_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", [topic("sky")])
    (tmp_path / "x").mkdir()
    with pytest.raises(InputError, match="are the same run"):
        compare_runs(RunIndex.open(run), RunIndex.open(tmp_path / "x" / ".." / "a"))


def test_draws_of_a_topic_are_compared_each_with_its_own(tmp_path: Path) -> None:
    draws = [topic("sky"), topic("sky#2", "two")]
    samples = {"identity": {**IDENTITY, "samples": 2}}
    make_run(tmp_path / "a", draws, **samples)
    make_run(tmp_path / "b", [topic("sky"), topic("sky#2", "three")], **samples)
    seen: list[tuple[str, int]] = []

    def passed(case: Case) -> Mapping[str, bool]:
        seen.append((case.topic_id, case.sample))
        return {"any": True}

    runs = RunIndex.open(tmp_path / "a"), RunIndex.open(tmp_path / "b")
    found = compare_runs(*runs, Checks(names=("any",), passed=passed))
    assert only(found).topic_id == "sky#2"
    assert seen == [("sky", 0), ("sky", 0), ("sky", 1), ("sky", 1)]


def test_in_what_runs_differ_is_told_what_decides_answers_from_the_rest() -> None:
    a = a_manifest(
        identity={"model": "m", "effort": None},
        settings={"model": "m", "seed": 1, "out": "/a", "cache": "/x"},
        workflow_sha256="1",
    )
    b = a_manifest(
        identity={"model": "n", "effort": None, "samples": 2},
        settings={"model": "n", "seed": 2, "out": "/b", "cache": "/y"},
        workflow_sha256="2",
    )
    assert settings_changed(a, b) == (
        Setting(name="model", a="m", b="n", identity=True),
        Setting(name="samples", a=None, b=2, identity=True),
        Setting(name="workflow code", a="1", b="2", identity=True),
        Setting(name="seed", a=1, b=2, identity=False),
    )


def test_a_run_is_named_by_its_model_and_its_prompts(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        [topic("sky")],
        [topic("sky")],
        settings={"prompts": "/somewhere/mine.toml"},
        identity={"model": "n", "endpoint": "deepseek", "prompts": "b" * 64},
        session_log=[],
    )
    assert (found.a.model, found.a.prompts, found.a.wall_s) == ("m", "aaaaaaaa", 5.0)
    assert (found.b.model, found.b.endpoint, found.b.prompts) == (
        "n",
        "deepseek",
        "mine.toml (bbbbbbbb)",
    )
    assert found.b.wall_s is None
