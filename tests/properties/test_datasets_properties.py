"""Whatever a file holds: rows in are rows out, or a DatasetError."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from itertools import pairwise
from typing import BinaryIO

from hypothesis import given
from hypothesis import strategies as st

from harness.datasets.byte_lines import split_lines
from harness.datasets.dataset import Dataset, DatasetSpec, open_dataset
from harness.datasets.topic_line import is_blank
from harness.errors import DatasetError

lines = st.one_of(
    st.sampled_from(
        [
            b"",
            b" ",
            b"{}",
            b'"a"',
            b'"b"',
            b"[[",
            b'{"topic": "a"}',
            b'{"id": "7", "topic": "b"}',
            b"\xff",
        ]
    ),
    st.builds(
        lambda own_id, topic: json.dumps({"id": own_id, "topic": topic}).encode(),
        st.one_of(st.integers(0, 3), st.text(max_size=3), st.none(), st.floats()),
        st.one_of(st.text(max_size=5), st.integers()),
    ),
    st.binary(max_size=12),
)
contents = st.builds(b"\n".join, st.lists(lines, max_size=12))


def opened(spec: DatasetSpec, stdin: BinaryIO) -> Dataset | DatasetError:
    try:
        return open_dataset(spec, stdin=stdin)
    except DatasetError as error:
        return error


@given(
    contents,
    st.booleans(),
    st.one_of(st.none(), st.integers()),
    st.one_of(st.none(), st.integers(1, 15)),
)
def test_every_line_that_is_not_blank_is_a_topic_that_is_read_once_or_a_bad_line(
    content: bytes, zipped: bool, seed: int | None, limit: int | None
) -> None:
    stdin = io.BytesIO(gzip.compress(content) if zipped else content)
    expected = sum(not is_blank(line) for line in split_lines([content]))
    dataset = opened(DatasetSpec(path="-", shuffle_seed=seed, limit=limit), stdin)
    if isinstance(dataset, DatasetError):
        assert str(dataset).startswith("<stdin>:1: ")
        return
    with dataset:
        items = list(dataset.read())
        assert items == list(dataset.read())

    good = dataset.report.topics
    assert good + dataset.report.bad == expected
    assert len(items) == dataset.count == min(good, limit or good)
    indexes = [item.index for item in items]
    assert indexes == sorted(set(indexes))
    assert dataset.end == (indexes[-1] + 1 if indexes else 0)
    ids = Counter(item.id for item in items)
    assert all(count == 1 for count in ids.values())
    assert len(dataset.report.errors) == min(20, dataset.report.bad)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_lines_do_not_depend_on_how_the_bytes_arrive(content: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    blocks = [content[start:end] for start, end in pairwise(places)]

    split = list(split_lines(blocks))

    assert (
        [line.data for line in split] == content.removesuffix(b"\n").split(b"\n")
        if content
        else split == []
    )
    assert all(content[line.offset :].startswith(line.data or b"") for line in split)
    assert [line.number for line in split] == list(range(1, len(split) + 1))
