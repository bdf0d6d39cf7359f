from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from exports.runs import a_run_of, odd_topics
from hypothesis import given, settings
from hypothesis import strategies as st
from records import a_failed_result, a_result

from harness.exports.file_names import report_name
from harness.exports.formats import export
from harness.exports.markdown_index import directories_of

RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"com{n}" for n in range(10)),
    *(f"lpt{n}" for n in range(10)),
}


def exported(tmp_path: Path, *finished: Any) -> dict[str, str]:
    path, _ = export(a_run_of(tmp_path / "run", finished), "md", None, force=False)
    return {file.name: file.read_text(encoding="utf-8") for file in path.glob("*.md")}


def front_matter(report: str) -> dict[str, Any]:
    """YAML of which every value is JSON."""
    lines = report.split("---\n")[1].splitlines()
    return {name: json.loads(value) for name, _, value in (line.partition(": ") for line in lines)}


def test_each_topic_has_a_report_and_the_index_links_them_in_order(tmp_path: Path) -> None:
    files = exported(tmp_path, *odd_topics())
    index = files.pop("index.md")

    assert sorted(files) == ["000-t0.md", "001-量子.md", "002-etc-passwd.md", "003-con.md"]
    assert [unquote(link) for link in re.findall(r"\]\(([^)]+)\)", index)] == sorted(files)
    assert "4 of 4 topics have a report" in index


def test_topics_that_fit_lie_in_one_directory() -> None:
    assert directories_of(997, topics=998, end=998) == ()
    assert directories_of(997, topics=998, end=5_000_000) == ()
    assert directories_of(998, topics=999, end=999) == ("500-999",)


@pytest.mark.parametrize(
    ("index", "topics", "expected"),
    [
        (0, 100_000, ("00000-00499",)),
        (99_999, 100_000, ("99500-99999",)),
        (250_000, 250_001, ("250000-499999", "250000-250499")),
        (1_234_567, 2_000_000, ("1000000-1249999", "1234500-1234999")),
    ],
)
def test_more_lie_in_directories_by_their_place(
    index: int, topics: int, expected: tuple[str, ...]
) -> None:
    assert directories_of(index, topics=topics, end=topics) == expected


@given(st.integers(999, 10**9), st.data())
def test_no_directory_of_directories_holds_more_than_it_may(end: int, data: st.DataObject) -> None:
    last = directories_of(end - 1, topics=end, end=end)
    beside = [int(name.split("-")[0]) for name in last]
    above = [0, *beside]
    for first, begins, name in zip(beside, above, last, strict=False):
        size = int(name.split("-")[1]) - first + 1
        assert (first - begins) // size < 500


def test_a_large_run_has_an_index_of_directories_and_each_of_them_its_own(tmp_path: Path) -> None:
    finished = [(a_result(index), ()) for index in (0, 1, 499, 1200)]
    finished.append((a_failed_result(700), ()))
    run = a_run_of(tmp_path / "run", finished, topics=1300)
    path, _ = export(run, "md", None, force=False)

    found = sorted(str(file.relative_to(path)) for file in path.rglob("*.md"))
    assert found == [
        "0000-0499/0000-t0.md",
        "0000-0499/0001-t1.md",
        "0000-0499/0499-t499.md",
        "0000-0499/index.md",
        "0500-0999/0700-t700.md",
        "0500-0999/index.md",
        "1000-1499/1200-t1200.md",
        "1000-1499/index.md",
        "index.md",
    ]
    index = (path / "index.md").read_text()
    assert "5 of 1300 topics have a report" in index
    assert "| [0000-0499](0000-0499/index.md) | 3 | 3 | 0 | 0 |\n" in index
    assert "| [0500-0999](0500-0999/index.md) | 1 | 0 | 0 | 1 |\n" in index
    below = (path / "0000-0499" / "index.md").read_text()
    assert re.findall(r"\]\(([^)]+)\)", below) == [
        "../index.md", "0000-t0.md", "0001-t1.md", "0499-t499.md"
    ]  # fmt: skip


def test_the_front_matter_says_what_the_row_says(tmp_path: Path) -> None:
    said = front_matter(exported(tmp_path, *odd_topics())["000-t0.md"])

    assert said["topic_id"] == "t0"
    assert said["status"] == "ok"
    assert (said["usage_reasoning_tokens"], said["cost"]) == (5, 0.25)
    assert said["metadata"] == {"=1+1": [1, {"deep": "@x"}]}


@settings(max_examples=30)  # each makes files
@given(st.text(), st.text())
def test_no_text_can_end_the_front_matter(
    tmp_path_factory: pytest.TempPathFactory, text: str, other: str
) -> None:
    scratch = tmp_path_factory.mktemp("hypothesis")
    hostile = f"{text}\n---\nstatus: hacked\n{other}"
    (report,) = (
        report
        for name, report in exported(scratch, (a_result(0, topic=hostile), ())).items()
        if name != "index.md"
    )
    assert front_matter(report)["topic"] == hostile
    assert front_matter(report)["status"] == "ok"


def test_a_report_keeps_its_own_title_and_another_output_gets_one(tmp_path: Path) -> None:
    topics = [
        (a_result(0, output="# Mine\n\ntext"), ()),
        (a_result(1, topic="why *me*?", output="plain"), ()),
    ]
    files = exported(tmp_path, *topics)

    assert "\n---\n\n# Mine\n" in files["000-t0.md"]
    assert "\n---\n\n# why \\*me\\*?\n\nplain\n" in files["001-t1.md"]


def test_a_failure_an_output_of_json_and_parts_are_shown(tmp_path: Path) -> None:
    files = exported(tmp_path, *odd_topics())

    assert "> **failed**: no answer" in files["002-etc-passwd.md"]
    assert '```json\n{\n  "any": [' in files["003-con.md"]
    assert "## Parts\n\n### q?\n\na\n" in files["001-量子.md"]


def test_json_that_holds_a_fence_gets_a_longer_one(tmp_path: Path) -> None:
    report = exported(tmp_path, (a_result(0, output=["```"]), ()))["000-t0.md"]
    assert "````json\n" in report


def test_calls_are_listed_with_what_they_cost(tmp_path: Path) -> None:
    report = exported(tmp_path, *odd_topics())["000-t0.md"]
    assert "| first | endpoint | 1 | 10 | 20 | 5 | 0.125000 | 2.00 |" in report
    assert "| second | endpoint | 1 | 10 | 20 | 5 | not known | 2.00 |" in report


@pytest.mark.parametrize(
    ("topic_id", "name"),
    [
        ("tea", "007-tea.md"),
        ("CON", "007-CON.md"),
        ("", "007.md"),
        ("..", "007.md"),
        ("../../etc/passwd", "007-etc-passwd.md"),
        ("C:\\windows\\nul.txt", "007-C-windows-nul.txt.md"),
        ("a/b\x00c\n*?|<>", "007-a-b-c.md"),
        ("量子纠缠", "007-量子纠缠.md"),
        ("é", "007-é.md"),
        ("-rf .hidden", "007-rf-.hidden.md"),
        ("\ud800", "007.md"),
    ],
)
def test_an_id_becomes_a_name(topic_id: str, name: str) -> None:
    assert report_name(7, topic_id, topics=42) == name


@given(st.text(), st.integers(0, 99_999))
def test_any_id_becomes_a_name_that_every_file_system_takes(topic_id: str, index: int) -> None:
    name = report_name(index, topic_id, topics=100_000)

    assert len(name.encode()) <= 120
    assert not set(name) & set('<>:"/\\|?*') | {
        character for character in name if ord(character) < 32
    }
    assert name.startswith(f"{index:05d}")
    assert name.endswith(".md")
    assert name.split(".")[0].casefold() not in RESERVED


@given(st.text(), st.text())
def test_names_of_two_topics_differ_whatever_their_ids(one: str, other: str) -> None:
    assert report_name(1, one, topics=10).casefold() != report_name(2, other, topics=10).casefold()


def test_names_sort_as_the_dataset_does() -> None:
    names = [
        report_name(index, "z" if index < 5 else "a", topics=12_000)
        for index in range(0, 12_000, 7)
    ]
    assert names == sorted(names)
