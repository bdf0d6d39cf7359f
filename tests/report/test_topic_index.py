"""The view's table of topics: what a page asks for, and what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.digest import TopicLine
from harness.report.topic_index import TopicIndex, TopicTable, sorting_key
from harness.report.topic_query import Query, query_of


def a_line(index: int, **fields: Any) -> TopicLine:
    shape: dict[str, Any] = {
        "id": f"t{index}", "title": f"Why number {index}?", "index": index, "status": "ok",
        "cause": -1, "calls": 1, "retries": 0, "output_tokens": 10, "cost": 0.5, "elapsed_s": 1.0,
        "print": 7,
    }  # fmt: skip
    return TopicLine(**{**shape, **fields})


@dataclass
class Tables:
    index: TopicIndex

    def of(self, *lines: TopicLine) -> TopicTable:
        table = self.index.new_table()
        table.put((line, 0) for line in lines)
        return table

    def ids(self, *tables: TopicTable, start: int = 0, most: int = 100, **query: Any) -> list[str]:
        found = self.index.window(tables, Query(**query), start=start, most=most)
        return [row["id"] for row in found["rows"]]


@pytest.fixture
def tables() -> Iterator[Tables]:
    index = TopicIndex()
    yield Tables(index)
    index.close()


def test_a_window_is_a_part_of_all_and_says_how_many_there_are(tables: Tables) -> None:
    table = tables.of(*(a_line(index) for index in range(10)), a_line(10, status="failed"))
    found = tables.index.window([table], Query(status="ok"), start=3, most=2)
    assert [row["id"] for row in found["rows"]] == ["t3", "t4"]
    assert (found["wanted"], found["counts"]) == (10, {"all": 11, "ok": 10, "failed": 1})


def test_topics_stand_in_the_order_of_the_dataset_whenever_they_came(tables: Tables) -> None:
    assert tables.ids(tables.of(a_line(2), a_line(0), a_line(1))) == ["t0", "t1", "t2"]


def test_every_word_must_be_in_the_id_or_the_title(tables: Tables) -> None:
    lines = [a_line(0, title="Tea and Rum"), a_line(1, title="rum"), a_line(2, id="TEA-2")]
    table = tables.of(*lines)
    assert tables.ids(table, words=("tea", "rum")) == ["t0"]
    assert tables.ids(table, words=("tea",)) == ["t0", "TEA-2"]
    assert tables.ids(table, words=("%",)) == []


def test_what_is_not_known_comes_last_whichever_way_it_is_sorted(tables: Tables) -> None:
    lines = [a_line(0, cost=None), a_line(1, cost=0.5), a_line(2, cost=2.0), a_line(3, cost=0.5)]
    table = tables.of(*lines)
    assert tables.ids(table, column="cost") == ["t1", "t3", "t2", "t0"]
    assert tables.ids(table, column="cost", down=True) == ["t2", "t1", "t3", "t0"]


def test_topics_of_a_cause_are_found_and_counted(tables: Tables) -> None:
    lines = [a_line(index, status="failed", cause=index % 2) for index in range(3)]
    table = tables.of(*lines, a_line(3, status="degraded", cause=1), a_line(4))
    assert tables.ids(table, status="failed", cause=(0, "failed", 0)) == ["t0", "t2"]
    assert table.cause_counts() == {("failed", 0): 2, ("failed", 1): 1, ("degraded", 1): 1}


def test_a_topic_that_was_run_again_takes_the_place_of_its_earlier_row(tables: Tables) -> None:
    table = tables.of(a_line(0, status="failed", cause=0), a_line(1))
    table.put([(a_line(0, cost=9.0), 4711)])
    found = tables.index.window([table], Query(), start=0, most=9)
    assert found["counts"] == {"all": 2, "ok": 2}
    assert found["rows"][0]["cells"][0]["cost"] == 9.0
    assert table.places(0) == (4711, None)
    table.complete([(0, 3, 99)])
    assert table.places(0) == (4711, 99)


def test_two_runs_are_one_table_in_which_a_topic_of_one_of_them_has_no_cells_of_the_other(
    tables: Tables,
) -> None:
    first = tables.of(a_line(0), a_line(1), a_line(2, status="failed"))
    second = tables.of(a_line(1, print=8), a_line(2), a_line(3))
    found = tables.index.window([first, second], Query(), start=0, most=9)
    assert [row["id"] for row in found["rows"]] == ["t0", "t1", "t2", "t3"]
    assert [[cells is not None for cells in row["cells"]] for row in found["rows"]] == [
        [True, False], [True, True], [True, True], [False, True],
    ]  # fmt: skip
    # As the page of a file counts: each topic once for each status that it has in either run.
    assert found["counts"] == {"all": 4, "differs": 3, "ok": 4, "failed": 1, "missing": 2}
    assert tables.ids(first, second, status="missing") == ["t0", "t3"]
    assert tables.ids(first, second, status="differs") == ["t0", "t1", "t3"]
    assert tables.ids(first, second, status="failed") == ["t2"]


def test_a_topic_is_found_with_those_beside_it_in_the_order_that_is_shown(tables: Tables) -> None:
    table = tables.of(*(a_line(index, cost=float(-index)) for index in range(5)))
    order = Query(column="cost")
    found = tables.index.find([table], order, "t1")
    assert found is not None
    assert (found.row["id"], found.before, found.after) == ("t1", "t2", "t0")
    left_out = tables.index.find([table], Query(words=("t4",)), "t1")
    assert left_out is not None
    assert (left_out.before, left_out.after) == (None, None)
    assert tables.index.find([table], order, "t9") is None


def test_half_a_pair_of_surrogates_is_kept(tables: Tables) -> None:
    table = tables.of(a_line(0, id="\ud83d", title="a \udc00 b"))
    found = tables.index.window([table], Query(), start=0, most=1)
    assert (found["rows"][0]["id"], found["rows"][0]["title"]) == ("\ud83d", "a \udc00 b")
    table.put([(a_line(1), 0)])
    beside = tables.index.find([table], Query(), "t1")
    itself = tables.index.find([table], Query(), "\ud83d")
    assert beside is not None
    assert itself is not None
    assert (beside.before, itself.after) == ("\ud83d", "t1")


def test_ids_sort_as_people_count() -> None:
    ids = ["t10", "T2", "t1", "t02b", "a", "É", "f", "10", "9"]
    assert sorted(ids, key=sorting_key) == ["9", "10", "a", "É", "f", "t1", "T2", "t02b", "t10"]


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_in_ids_sort_by_size(one: int, other: int) -> None:
    assert (sorting_key(f"t{one}") < sorting_key(f"t{other}")) == (one < other)


@pytest.mark.parametrize(
    "told",
    [
        {"status": "x"},
        {"sort": "id; DROP TABLE topics_1"},
        {"run": "1"},
        {"run": "-1"},
        {"run": "x"},
        {"cause": "0,failed"},
        {"cause": "0,ok) OR (1,1"},
        {"cause": "1,failed,0"},
        {"cause": f"0,failed,{2**70}"},
        {"words": " ".join(map(str, range(101)))},
    ],
)
def test_a_query_that_no_page_asks_is_refused(told: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        query_of(told, 1)


def test_a_query_is_read_from_an_address() -> None:
    told = {"status": "failed", "words": "Tea  rum", "cause": "1,failed,2", "sort": "cost",
            "run": "1", "down": "1"}  # fmt: skip
    assert query_of(told, 2) == Query(
        status="failed", words=("tea", "rum"), cause=(1, "failed", 2), column="cost", run=1,
        down=True,
    )  # fmt: skip
