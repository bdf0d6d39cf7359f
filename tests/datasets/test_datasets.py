"""Good datasets: what is a topic, where it comes from, which are selected and in what order."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.datasets.byte_source import Content, open_content
from harness.datasets.dataset import DatasetSpec, open_dataset
from harness.datasets.index import LineIndex
from harness.domain.filters import parse_filter
from harness.domain.run import Topic
from harness.errors import DatasetError, SettingsError, StorageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "topics.jsonl"


def written(path: Path, *rows: object) -> str:
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    return str(path)


def read(spec: DatasetSpec, stdin: bytes | None = None) -> list[Topic]:
    with open_dataset(spec, stdin=None if stdin is None else io.BytesIO(stdin)) as dataset:
        topics = list(dataset.read())
        assert len(topics) == dataset.count
        return topics


def bad_lines(spec: DatasetSpec) -> tuple[str, ...]:
    with open_dataset(spec) as dataset:
        return dataset.report.errors


def topic_ids(spec: DatasetSpec) -> list[str]:
    return [topic.id for topic in read(spec)]


def test_a_topic_has_its_id_its_text_and_all_other_fields_as_metadata(file: Path) -> None:
    path = written(
        file,
        {"id": "a", "topic": " Tides ", "language": "en", "tags": ["sea", 1, None]},
        {"topic": "Ebb"},
    )

    first, second = read(DatasetSpec(path=path))

    assert first == Topic(
        id="a", text=" Tides ", index=0, metadata={"language": "en", "tags": ["sea", 1, None]}
    )
    assert second == Topic(id=f"t-{hashlib.sha256(b'Ebb').hexdigest()[:16]}", text="Ebb", index=1)


def test_fields_may_have_other_names_and_then_topic_and_id_are_metadata(file: Path) -> None:
    path = written(file, {"qid": 7, "prompt": "Tides", "topic": "Science", "id": [1]})

    assert read(DatasetSpec(path=path, topic_field="prompt", id_field="qid")) == [
        Topic(id="7", text="Tides", metadata={"topic": "Science", "id": [1]})
    ]


def test_equal_topics_without_ids_are_numbered_by_occurrence(file: Path) -> None:
    path = written(file, "x", {"topic": "x", "n": 1}, "y", "x")
    x, y = (f"t-{hashlib.sha256(text).hexdigest()[:16]}" for text in (b"x", b"y"))

    assert topic_ids(DatasetSpec(path=path)) == [x, f"{x}-2", y, f"{x}-3"]


def test_an_explicit_id_that_a_numbered_one_would_take_is_a_repetition(file: Path) -> None:
    x = f"t-{hashlib.sha256(b'x').hexdigest()[:16]}"
    path = written(file, "x", "x", {"id": f"{x}-2", "topic": "y"})

    (bad,) = bad_lines(DatasetSpec(path=path, name="f"))
    assert bad.startswith(f"f:3: the id '{x}-2' is that of line 2 too")


@pytest.mark.parametrize(
    "own_id", ["../../etc/passwd", "a/b", "CON", ".", " a", "日本", "x" * 200, "-1", "é\u00a0"]
)
def test_ids_that_would_be_odd_file_names_are_fine(file: Path, own_id: str) -> None:
    assert topic_ids(DatasetSpec(path=written(file, {"id": own_id, "topic": "x"}))) == [own_id]


@pytest.mark.parametrize("number", [0, -3, 2**70])
def test_an_integer_id_becomes_its_decimal_text(file: Path, number: int) -> None:
    assert topic_ids(DatasetSpec(path=written(file, {"id": number, "topic": "x"}))) == [str(number)]


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("t.jsonl", b'{"topic": "a"}\n{"topic": "b"}', ["a", "b"]),
        ("t.jsonl", b'{"topic": "a"}\r\n"b"\r\n', ["a", "b"]),
        ("t.JSONL", b'"a"\n', ["a"]),
        ("t.txt", b'{"topic": "a"}\n', ["a"]),
        ("t.txt", b'"a" and b\n[c]\n', ['"a" and b', "[c]"]),
        ("t.txt", b"  a \r\nb", ["a", "b"]),
        ("t.TXT.GZ", b'"a"\n', ['"a"']),
        ("topics", b'"a"\n"b"\n', ["a", "b"]),
        ("topics", b'"a" or "b"?\n', ['"a" or "b"?']),
        ("topics", b"[1] first\n[2] second\n", ["[1] first", "[2] second"]),
        ("topics", b"one\n{two}\n", ["one", "{two}"]),
        ("t.jsonl", '{"topic": "a\u2028b\u2029c\u0085d"}\n'.encode(), ["a\u2028b\u2029c\u0085d"]),
        ("t.txt", "a\u2028b\u0085c\x0bd\n".encode(), ["a\u2028b\u0085c\x0bd"]),
        ("t.jsonl", rb'{"topic": "\ud83d\ude00 \u00e9"}', ["😀 é"]),
        ("t.jsonl", b'{"topic": "x", "m": ' + b"[" * 99 + b"]" * 99 + b"}", ["x"]),
        ("t.jsonl", b'{"topic": "' + b"[" * 200 + b'\\"["}', ["[" * 200 + '"[']),
        ("t.txt", b"a" * 1024 * 1024 + b"\nb", ["a" * 1024 * 1024, "b"]),
    ],
)
def test_a_file_is_read_by_its_name_and_its_first_line(
    tmp_path: Path, name: str, content: bytes, texts: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)

    assert [topic.text for topic in read(DatasetSpec(path=str(tmp_path / name)))] == texts


def test_a_long_line_is_passed_over_and_the_next_ones_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"one\n" + b"x" * 3_000_000 + b"\ntwo\n")

    spec = DatasetSpec(path=str(path), name="t.txt")
    assert bad_lines(spec) == ("t.txt:2: the line is longer than 1,048,576 bytes",)
    assert [(topic.text, topic.index) for topic in read(spec)] == [("one", 0), ("two", 2)]


def test_gzip_is_known_by_its_content_and_may_have_several_members(tmp_path: Path) -> None:
    plain, zipped, misnamed = tmp_path / "t.jsonl", tmp_path / "t", tmp_path / "u.jsonl.gz"
    rows = b'{"topic": "a"}\n', b'{"topic": "b"}\n' * 20_000
    plain.write_bytes(b"".join(rows))
    zipped.write_bytes(b"\x00".join(map(gzip.compress, rows)) + b"\x00" * 512)
    misnamed.write_bytes(b"".join(rows))

    datasets = [open_dataset(DatasetSpec(path=str(path))) for path in (plain, zipped, misnamed)]

    assert len({dataset.sha256 for dataset in datasets}) == 1
    assert datasets[0].sha256 == hashlib.sha256(plain.read_bytes()).hexdigest()
    assert [dataset.count for dataset in datasets] == [20_001] * 3
    for dataset in datasets:
        dataset.close()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_can_be_read_again_and_saved(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    content = b'{"id": 1, "topic": "a"}\nbroken\n'

    with open_dataset(
        DatasetSpec(path="-"), stdin=io.BytesIO(pack(content)), spool_dir=tmp_path
    ) as dataset:
        first, second = list(dataset.read()), list(dataset.read())
        (bad,) = dataset.report.errors
        saved = dataset.save(tmp_path)

    assert first == second
    assert bad.startswith("<stdin>:2: invalid JSON")
    assert saved.read_bytes() == content
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [saved]
    assert read(DatasetSpec(path=str(saved), name="<stdin>")) == first


def test_plain_text_from_standard_input_is_saved_as_plain_text(tmp_path: Path) -> None:
    with open_dataset(DatasetSpec(path="-"), stdin=io.BytesIO(b'"A" is for?\n[B]\n')) as dataset:
        items = list(dataset.read())
        saved = dataset.save(tmp_path)

    assert saved.name == "dataset.txt"
    assert read(DatasetSpec(path=str(saved))) == items


def test_a_pipe_with_a_name_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b'"a"\n',))
    writer.start()

    assert topic_ids(DatasetSpec(path=str(pipe))) == [f"t-{hashlib.sha256(b'a').hexdigest()[:16]}"]
    writer.join()


def test_a_copy_that_cannot_be_written_is_an_error_of_the_storage(
    tmp_path: Path, file: Path
) -> None:
    gone = tmp_path / "gone"

    with pytest.raises(StorageError, match="point TMPDIR to a directory with room"):
        open_dataset(DatasetSpec(path=written(file, "x")), spool_dir=gone)
    with (
        open_dataset(DatasetSpec(path=str(file))) as dataset,
        pytest.raises(StorageError, match="cannot be copied"),
    ):
        dataset.save(gone)


def test_saving_the_original_during_a_run_disturbs_nothing(file: Path) -> None:
    with open_dataset(DatasetSpec(path=written(file, "a", "b"))) as dataset:
        written(file, "c")
        assert [item.text for item in dataset.read()] == ["a", "b"]


def test_a_large_file_that_is_read_in_place_and_was_changed_is_refused(file: Path) -> None:
    content = open_content(written(file, "a", "b"), name="f", copied_up_to=0)
    assert content.read(4, 3) == b'"b"'

    written(file, "a", "c", "d")

    with pytest.raises(DatasetError, match=r"^f: the file was changed while it was in use"):
        content.read(4, 3)
    content.close()


def test_a_large_file_of_another_kind_is_refused(file: Path) -> None:
    file.write_bytes(b"PK\x03\x04")

    with pytest.raises(DatasetError, match=r"^f:1: this is a zip archive"):
        open_content(str(file), name="f", copied_up_to=0)


def test_limit_takes_the_first_that_the_filters_leave(file: Path) -> None:
    path = written(
        file,
        *({"id": n, "topic": "x", "language": "zh" if n % 3 == 0 else "en"} for n in range(10)),
    )
    zh = (parse_filter("language=zh"),)

    assert topic_ids(DatasetSpec(path=path, filters=zh, limit=3)) == ["0", "3", "6"]
    assert topic_ids(DatasetSpec(path=path, filters=zh, limit=100)) == ["0", "3", "6", "9"]
    assert topic_ids(DatasetSpec(path=path, filters=(*zh, parse_filter("id!=3")))) == [
        "0",
        "6",
        "9",
    ]


def test_filters_know_the_files_own_names_for_topic_and_id(file: Path) -> None:
    path = written(
        file,
        {"qid": 1, "prompt": "Tides", "topic": "Sea"},
        {"qid": 2, "prompt": "Ebb", "topic": "Sea"},
    )
    spec = DatasetSpec(path=path, topic_field="prompt", id_field="qid")

    for condition, wanted in (
        ("qid=2", ["2"]),
        ("id=2", ["2"]),
        ("prompt~TID", ["1"]),
        ("topic=Sea", ["1", "2"]),
    ):
        assert topic_ids(replace(spec, filters=(parse_filter(condition),))) == wanted


def test_a_filter_that_matches_nothing_names_the_fields_there_are(file: Path) -> None:
    path = written(
        file, {"id": 1, "topic": "x", "language": "zh"}, {"id": 2, "topic": "y", "year": 2024}
    )
    filters = (parse_filter("langauge=zh"), parse_filter("year=2024"))

    with pytest.raises(DatasetError) as caught:
        open_dataset(DatasetSpec(path=path, name="f", filters=filters))

    assert (
        str(caught.value)
        == "f: no topic matches --filter langauge=zh --filter year=2024; fields seen: 'id',"
        " 'topic', 'language', 'year'"
    )


def test_an_id_field_that_no_line_has_is_refused(file: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"^f: no line has the field --id-field 'uid'; fields seen: 'id'$"
    ):
        open_dataset(
            DatasetSpec(path=written(file, {"id": 1, "topic": "x"}), name="f", id_field="uid")
        )


def test_a_bad_line_and_a_blank_one_keep_their_place_among_those_that_any_filter_selects(
    file: Path,
) -> None:
    file.write_text('{"topic": "a", "n": 1}\n{\n\n{"topic": "b", "n": 2}\n')

    (topic,) = read(DatasetSpec(path=str(file), filters=(parse_filter("n=2"),)))

    # So each topic has the same index as in a version that took such lines for topics that failed.
    assert (topic.text, topic.index) == ("b", 2)


def test_the_limit_counts_topics_and_not_bad_lines(file: Path) -> None:
    file.write_text(
        '{\n{"id": "a", "topic": "a"}\n{\n{"id": "b", "topic": "b"}\n{"id": "c", "topic": "c"}\n'
    )
    with open_dataset(DatasetSpec(path=str(file), limit=2)) as dataset:
        assert [topic.id for topic in dataset.read()] == ["a", "b"]
        assert (dataset.count, dataset.end, dataset.report.bad) == (2, 4, 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", b'\xef\xbb\xbf{"topic": "a"}\n{"topic": "b"}\n'),
        ("t.jsonl", b'\n{"topic": "a"}\r\n\r\n  \t\n{"topic": "b"}\n\n\n'),
        ("t.jsonl", b'\xef\xbb\xbf\r\n"a"\n"b"\n \n'),
        ("t.txt", b"\xef\xbb\xbfa\n\nb\n\n"),
        ("t.txt", "a\n\u3000\u00a0\n\u0085\n\x1c\nb\n\ufeff".encode()),
        ("topics", b"\n\xef\xbb\xbf\na\nb"),
    ],
)
def test_a_byte_order_mark_at_the_start_and_blank_lines_are_no_errors(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with open_dataset(DatasetSpec(path=str(tmp_path / name))) as dataset:
        assert [topic.text for topic in dataset.read()] == ["a", "b"]
        assert (dataset.count, dataset.report.topics, dataset.report.bad) == (2, 2, 0)


@pytest.mark.parametrize(
    ("written_id", "own_id"),
    [
        ("7", "7"),
        ("1.5", "1.5"),
        ("1.50", "1.50"),
        ("7.0", "7.0"),
        ("1e3", "1e3"),
        ("-0.25", "-0.25"),
        ("0", "0"),
    ],
)
def test_an_id_that_is_a_number_is_its_text_as_it_is_written(
    file: Path, written_id: str, own_id: str
) -> None:
    file.write_text(f'{{"n": 2.5, "id": {written_id}, "topic": "x", "deep": {{"id": 9}}}}\n')
    (topic,) = read(DatasetSpec(path=str(file)))
    assert topic.id == own_id
    assert topic.metadata == {"n": 2.5, "deep": {"id": 9}}


def test_ids_are_compared_by_their_text(file: Path) -> None:
    file.write_text(
        '{"id": 1.5, "topic": "a"}\n{"id": "1.5", "topic": "b"}\n{"id": 1.50, "topic": "c"}\n'
    )
    spec = DatasetSpec(path=str(file), name="f")
    assert bad_lines(spec) == ("f:2: the id '1.5' is that of line 1 too; ids must differ",)
    assert topic_ids(spec) == ["1.5", "1.50"]


def test_a_file_of_bad_lines_only_reports_them_instead_of_its_filters(file: Path) -> None:
    file.write_text("{}\n{}\n")

    with open_dataset(DatasetSpec(path=str(file), filters=(parse_filter("n=2"),))) as dataset:
        assert (dataset.report.topics, dataset.report.bad, dataset.count) == (0, 2, 0)
        with pytest.raises(
            DatasetError,
            match=r"2 bad lines, 0 good\. Nothing was sent\. There is no topic to go on",
        ):
            dataset.check(skip_bad=True)


def test_the_whole_file_is_checked_whatever_is_selected(file: Path) -> None:
    file.write_text('{"topic": "a"}\n{}\n')

    with open_dataset(DatasetSpec(path=str(file), limit=1)) as dataset:
        assert dataset.count == 1
        assert dataset.report.bad == 1


def test_a_shuffled_order_is_that_of_the_hashes_of_seed_and_line_number(file: Path) -> None:
    path = written(file, *({"id": n, "topic": "x"} for n in range(1, 51)))
    by_hash = sorted(
        range(1, 51), key=lambda line: hashlib.sha256(f"7:{line}".encode()).hexdigest()
    )

    shuffled = topic_ids(DatasetSpec(path=path, shuffle_seed=7))

    assert shuffled == [str(line) for line in by_hash]
    assert topic_ids(DatasetSpec(path=path, shuffle_seed=7, limit=5)) == shuffled[:5]
    assert topic_ids(DatasetSpec(path=path, shuffle_seed=8)) != shuffled


def test_lines_added_at_the_end_do_not_change_the_shuffled_order_of_the_others(file: Path) -> None:
    rows = [{"id": n, "topic": "x"} for n in range(60)]
    before = topic_ids(DatasetSpec(path=written(file, *rows[:50]), shuffle_seed=1))
    after = topic_ids(DatasetSpec(path=written(file, *rows), shuffle_seed=1))

    assert [own_id for own_id in after if int(own_id) < 50] == before


def test_a_repetition_names_the_first_line_of_the_file_also_when_shuffled(file: Path) -> None:
    path = written(file, *({"id": n % 2, "topic": "x"} for n in range(6)))

    for seed in range(5):
        reasons = set(bad_lines(DatasetSpec(path=path, name="f", shuffle_seed=seed)))
        assert reasons == {
            f"f:{n + 1}: the id '{n % 2}' is that of line {n % 2 + 1} too; ids must differ"
            for n in range(2, 6)
        }


def test_each_topic_is_drawn_as_often_as_is_asked_and_each_draw_has_a_name_and_a_number(
    file: Path,
) -> None:
    path = written(file, *({"id": name, "topic": "x"} for name in "abc"))
    with open_dataset(DatasetSpec(path=path, limit=2, samples=3)) as dataset:
        drawn = [(topic.id, topic.sample, topic.index) for topic in dataset.read()]
        found = [dataset.index_of(name) for name in ("a", "a#2", "b#3", "a#4", "a#1", "c", "d")]
        some = [topic.index for topic in dataset.read(lambda index: index in (1, 5))]
    assert drawn == [
        ("a", 0, 0),
        ("a#2", 1, 1),
        ("a#3", 2, 2),
        ("b", 0, 3),
        ("b#2", 1, 4),
        ("b#3", 2, 5),
    ]
    assert (dataset.count, some) == (6, [1, 5])
    # `c` is beyond the limit, and no draw is called `#1` or `#4`.
    assert found == [0, 1, 5, None, None, None, None]


def test_an_id_that_a_draw_of_another_topic_would_have_is_refused_where_there_are_that_many_draws(
    file: Path,
) -> None:
    path = written(file, *({"id": name, "topic": "x"} for name in ("a#3", "b#2", "a#03", "a")))
    for samples in (1, 2):
        with open_dataset(DatasetSpec(path=path, name="f", samples=samples)) as dataset:
            assert dataset.report.bad == 0
    with pytest.raises(
        DatasetError, match=r"^f:1: the id 'a#3' is what a draw of line 4 is called, with 3 draws"
    ):
        open_dataset(DatasetSpec(path=path, name="f", samples=3))


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": -1}, {"topic_field": "id"}, {"id_field": "topic"}]
)
def test_settings_that_can_mean_nothing_are_refused(wrong: dict[str, int | str]) -> None:
    with pytest.raises(SettingsError):
        DatasetSpec(path="x", **wrong)  # type: ignore[arg-type]


def test_progress_is_told_and_may_stop_the_check(file: Path) -> None:
    file.write_bytes(b'{"topic": "x"}\n' * 25_000)
    told: list[int] = []

    with open_dataset(DatasetSpec(path=str(file)), progress=told.append):
        assert told == [10_000, 20_000]

    def stop(lines: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_dataset(DatasetSpec(path=str(file)), progress=stop)


def test_a_large_gzip_file_is_copied_all_the_same(file: Path) -> None:
    file.write_bytes(gzip.compress(b'"a"\n'))

    content = open_content(str(file), name="f", copied_up_to=0)

    assert b"".join(content.blocks()) == b'"a"\n'
    content.close()


def test_an_endless_stream_is_stopped() -> None:
    with pytest.raises(
        DatasetError, match=r"^f: holds more than 10 bytes; give a plain file, or split it$"
    ):
        open_content("-", name="f", stdin=io.BytesIO(b"a" * 11), copy_at_most=10)


def test_input_that_breaks_off_with_an_error_is_refused() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(DatasetError, match=r"^<stdin>: cannot be read: Input/output error$"):
        open_dataset(DatasetSpec(path="-"), stdin=Broken())


def test_content_that_can_no_longer_be_read_is_refused() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with (
        open(reading, "rb") as pipe,
        pytest.raises(DatasetError, match=r"^f: cannot be read: Illegal seek$"),
    ):
        Content(name="f", size=1, file=pipe).read(0, 1)


def test_an_index_that_fails_is_an_error_of_the_storage() -> None:
    index = LineIndex()
    index.close()

    with pytest.raises(StorageError, match="point TMPDIR to a directory with room"):
        index.repeated(1)


def test_a_good_file_raises_nothing(file: Path) -> None:
    with open_dataset(DatasetSpec(path=written(file, "x"))) as dataset:
        dataset.check(skip_bad=False)

        assert (dataset.report.topics, dataset.report.bad, dataset.report.errors) == (1, 0, ())


@pytest.mark.parametrize(("name", "count"), [("topics.jsonl", 42), ("quick.jsonl", 3)])
def test_our_own_topics_are_good_and_carry_their_fields(name: str, count: int) -> None:
    topics = read(DatasetSpec(path=str(Path(__file__).parents[2] / "datasets" / name)))

    assert len(topics) == count
    for topic in topics:
        assert isinstance(topic, Topic)
        assert set(topic.metadata) == {"field", "language", "difficulty"}
