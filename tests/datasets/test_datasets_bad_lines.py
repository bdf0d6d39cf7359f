"""Bad lines and bad files, as users have them: each with the exact beginning of its message."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from pathlib import Path

import pytest

from harness.datasets.dataset import DatasetSpec, open_dataset
from harness.errors import DatasetError

LIMIT = 1024 * 1024
GOOD = b'{"id": "good", "topic": "Tides"}\n'


def obj(fields: str) -> bytes:
    """A good line, then one with these fields."""
    return GOOD + b"{" + fields.encode("utf-8", "surrogatepass") + b"}\n"


# The case, the content, and how the message begins: with the name that the file gets.
BAD_LINES = [
    ("plain text in JSONL", b"hello\n", "t.jsonl:1: invalid JSON: expecting value at column 1; a file of plain"),
    ("cut off", GOOD + b'{"topic": "x', "t.jsonl:2: invalid JSON: unterminated string at column 11"),
    ("no closing brace", GOOD + b'{"topic": "x"\n', "t.jsonl:2: invalid JSON: expecting ',' delimiter at column 14"),
    ("single quotes", b"{'topic': 'x'}\n", "t.jsonl:1: invalid JSON: expecting property name"),
    ("trailing comma", obj('"topic": "x",'), "t.jsonl:2: invalid JSON: "),
    ("comment", obj('"topic": "x" /* why */'), "t.jsonl:2: invalid JSON: expecting ',' delimiter at column 15"),
    ("two objects", b'{"topic": "x"} {"topic": "y"}\n', "t.jsonl:1: invalid JSON: extra text after the value at colum"),
    ("old Mac line ends", b'{"topic": "x"}\r{"topic": "y"}', "t.jsonl:1: invalid JSON: extra text after the value"),
    ("broken JSON, text file", b'{"topic": "x"}\n{"topic"\n', "t.txt:2: invalid JSON: expecting ':' delimiter"),
    ("tab in a string", obj('"topic": "a\tb"'), "t.jsonl:2: invalid JSON: invalid control character at column 13"),
    ("bad escape", obj(r'"topic": "\q"'), "t.jsonl:2: invalid JSON: invalid \\escape"),
    ("NaN", obj('"topic": "x", "n": NaN'), "t.jsonl:2: invalid JSON: NaN is not a JSON number"),
    ("infinity", obj('"topic": "x", "n": Infinity'), "t.jsonl:2: invalid JSON: Infinity is not a JSON number"),
    ("minus infinity", obj('"topic": "x", "n": -Infinity'), "t.jsonl:2: invalid JSON: -Infinity is not"),
    ("1e999", obj('"topic": "x", "n": 1e999'), "t.jsonl:2: invalid JSON: the number 1e999 is out of range"),
    ("-1e999", obj('"topic": "x", "n": [-1e999]'), "t.jsonl:2: invalid JSON: the number -1e999 is out of range"),
    ("5,000 digits", obj('"topic": "x", "n": ' + "9" * 5000), "t.jsonl:2: invalid JSON: a number has too many digits"),
    ("leading zero", obj('"topic": "x", "n": 01'), "t.jsonl:2: invalid JSON: expecting ',' delimiter"),
    ("key twice", obj('"topic": "x", "topic": "y"'), 't.jsonl:2: invalid JSON: the key "topic" appears twice'),
    ("key twice inside", obj('"topic": "x", "m": {"a": 1, "a": 1}'), 't.jsonl:2: invalid JSON: the key "a" appears tw'),
    ("same key, escaped", obj(r'"topic": "x", "\u0074opic": "y"'), 't.jsonl:2: invalid JSON: the key "topic" appears'),
    ("high surrogate", obj(r'"topic": "\ud83d alone"'), "t.jsonl:2: invalid JSON: a string holds half of a surrogate"),
    ("low surrogate", obj(r'"topic": "x", "m": ["\udE00"]'), "t.jsonl:2: invalid JSON: a string holds half of a"),
    ("surrogate in a key", obj(r'"topic": "x", "\ud83d": 1'), "t.jsonl:2: invalid JSON: a string holds half of a"),
    ("surrogate bytes", obj('"topic": "\ud83d"'), "t.jsonl:2: not UTF-8: byte 0xed at byte 12 of the line"),
    ("arrays as a bomb", GOOD + b"[" * 100_000 + b"\n", "t.jsonl:2: invalid JSON: nested deeper than 100 levels"),
    ("closed arrays", GOOD + b"[" * 500_000 + b"]" * 500_000, "t.jsonl:2: invalid JSON: nested deeper than 100"),
    ("objects as a bomb", b'{"a":' * 50_000 + b"\n", "t.jsonl:1: invalid JSON: nested deeper than 100 levels"),
    ("101 levels", obj('"topic": "x", "m": ' + "[" * 100 + "]" * 100), "t.jsonl:2: invalid JSON: nested deeper"),
    ("no topic", obj('"prompt": "x", "n": 1'), "t.jsonl:2: no field 'topic' (fields here: 'prompt', 'n'); name the"),
    ("empty object", GOOD + b"{}\n", "t.jsonl:2: no field 'topic' (fields here: none)"),
    ("other letter case", obj('"Topic": "x"'), "t.jsonl:2: no field 'topic' (fields here: 'Topic')"),
    ("empty topic", obj('"topic": ""'), "t.jsonl:2: the field 'topic' is blank"),
    ("blank topic", obj(r'"topic": " \n\u3000 "'), "t.jsonl:2: the field 'topic' is blank"),
    ("NUL in a topic", obj(r'"topic": "a\u0000b"'), "t.jsonl:2: the field 'topic' holds a NUL character"),
    ("topic null", obj('"topic": null'), "t.jsonl:2: the field 'topic' is null, not a string"),
    ("topic number", obj('"topic": 7'), "t.jsonl:2: the field 'topic' is a number, not a string"),
    ("topic true", obj('"topic": true'), "t.jsonl:2: the field 'topic' is true, not a string"),
    ("topic array", obj('"topic": ["x"]'), "t.jsonl:2: the field 'topic' is an array, not a string"),
    ("topic object", obj('"topic": {"text": "x"}'), "t.jsonl:2: the field 'topic' is an object, not a string"),
    ("topics put together", b'\xef\xbb\xbf"a"\n\xef\xbb\xbf"b"\n', "t.jsonl:2: a byte order mark (BOM) stands amid"),
    ("texts put together", b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", "t.txt:2: a byte order mark (BOM) stands amid"),
    ("BOM amid a line", b'"a"\xef\xbb\xbf"b"\n', "t.jsonl:1: invalid JSON: extra text after the value at column 4"),
    ("id null", obj('"topic": "x", "id": null'), "t.jsonl:2: the field 'id' is null; an id is a string or a"),
    ("id false", obj('"topic": "x", "id": false'), "t.jsonl:2: the field 'id' is false; an id is a string"),
    ("id array", obj('"topic": "x", "id": [1]'), "t.jsonl:2: the field 'id' is an array; an id is"),
    ("id object", obj('"topic": "x", "id": {}'), "t.jsonl:2: the field 'id' is an object; an id is"),
    ("id empty", obj('"topic": "x", "id": ""'), "t.jsonl:2: the field 'id' is blank"),
    ("id blank", obj('"topic": "x", "id": "  "'), "t.jsonl:2: the field 'id' is blank"),
    ("id of 201 characters", obj(f'"topic": "x", "id": "{"é" * 201}"'), "t.jsonl:2: the field 'id' has 201 characters"),
    ("id with NUL", obj(r'"topic": "x", "id": "a\u0000"'), "t.jsonl:2: the field 'id' holds the control character U+0"),
    ("id with escape", obj(r'"topic": "x", "id": "\u001b[2J"'), "t.jsonl:2: the field 'id' holds the control characte"),
    ("id with newline", obj(r'"topic": "x", "id": "a\nb"'), "t.jsonl:2: the field 'id' holds the control character U+"),
    ("id with C1", obj(r'"topic": "x", "id": "a\u009b"'), "t.jsonl:2: the field 'id' holds the control character U+00"),
    ("id with U+2028", obj('"topic": "x", "id": "a\u2028"'), "t.jsonl:2: the field 'id' holds the control character U"),
    ("id twice", GOOD + GOOD, "t.jsonl:2: the id 'good' is that of line 1 too; ids must differ"),
    ("id as number and text", b'{"id": 7, "topic": "x"}\n{"id": "7", "topic": "y"}', "t.jsonl:2: the id '7' is that o"),
    ("id equal to a derived one", b'"x"\n{"id": "t-2d711642b726b044", "topic": "y"}', "t.jsonl:2: the id 't-2d711642b"),
    ("a number", GOOD + b"42\n", "t.jsonl:2: the line is a number, expected an object or a string"),
    ("null", GOOD + b"null\n", "t.jsonl:2: the line is null, expected an object or a string"),
    ("true", GOOD + b"true\n", "t.jsonl:2: the line is true, expected an object or a string"),
    ("an array", b'[{"topic": "x"}]\n', "t.json:1: the line is an array, expected an object or a string; one JSON"),
    ("an array over lines", b'[\n{"topic": "x"}\n]\n', "t.json:1: invalid JSON: expecting value at column 2"),
    ("empty JSON string", GOOD + b'""\n', "t.jsonl:2: the topic is blank"),
    ("Latin-1", GOOD + '{"topic": "café"}'.encode("latin-1"), "t.jsonl:2: not UTF-8: byte 0xe9 at byte 15 of the line"),
    ("cut character", b"caf\xc3\n", "t.txt:1: not UTF-8: byte 0xc3 at byte 4 of the line"),
    ("overlong encoding", b"a\xc0\xafb\n", "t.txt:1: not UTF-8: byte 0xc0 at byte 2 of the line"),
    ("NUL in text", b"a long enough line of text with \x00 in it\n", "t.txt:1: the line holds a NUL character"),
    ("a line too long", b"a" * (LIMIT + 1) + b"\n", "t.txt:1: the line is longer than 1,048,576 bytes"),
    ("too long at the end", b"one\n" + b"a" * (LIMIT + 1), "t.txt:2: the line is longer than 1,048,576 bytes"),
    ("gzip of a bad line", gzip.compress(GOOD + b"no\n"), "t.jsonl.gz:2: invalid JSON: expecting value at column 1"),
]  # fmt: skip

DAMAGED = bytearray(gzip.compress(GOOD * 1000))
DAMAGED[-8] ^= 1

BAD_FILES = [
    ("empty", b"", "t.jsonl:1: the file is empty, it holds no topics"),
    ("blank lines", b"\n \r\n\xef\xbb\xbf", "t.jsonl:1: the file has only blank lines, it holds no topics"),
    ("empty gzip", gzip.compress(b""), "t.jsonl.gz:1: the file is empty"),
    ("UTF-16 with mark", '{"topic": "x"}'.encode("utf-16"), "t.jsonl:1: this is UTF-16 text; save it as UTF-8"),
    ("UTF-16 LE", '{"topic": "x"}\n'.encode("utf-16-le"), "t.jsonl:1: this is UTF-16 text; save it as UTF-8"),
    ("UTF-16 BE", '{"topic": "x"}\n'.encode("utf-16-be"), "t.jsonl:1: this is UTF-16 text; save it as UTF-8"),
    ("UTF-32 BE", b"\x00\x00\xfe\xff\x00\x00\x00{", "t.jsonl:1: this is UTF-32 text; save it as UTF-8"),
    ("binary", bytes(range(16)) * 20 + b"\x00\x00" * 30, "t.jsonl:1: this is binary data; a topic file is UTF-8"),
    ("zip", b"PK\x03\x04rest", "t.jsonl:1: this is a zip archive; a topic file is UTF-8 text"),
    ("bzip2", bz2.compress(GOOD), "t.jsonl:1: this is a bzip2 file"),
    ("xz", lzma.compress(GOOD), "t.jsonl:1: this is an xz file"),
    ("zstd", b"\x28\xb5\x2f\xfd\x04", "t.jsonl:1: this is a zstd file"),
    ("Parquet", b"PAR1\x15\x04", "t.parquet:1: this is a Parquet file"),
    ("SQLite", b"SQLite format 3\x00", "t.db:1: this is an SQLite database"),
    ("PDF", b"%PDF-1.7\n", "t.pdf:1: this is a PDF file"),
    ("PNG", b"\x89PNG\r\n\x1a\n", "t.png:1: this is an image"),
    ("gzip cut off", gzip.compress(GOOD * 1000)[:-4], "t.gz:1001: the gzip data is cut off here; fetch the file"),
    ("gzip damaged", bytes(DAMAGED), "t.gz:1: the gzip data is damaged at or after this line"),
    ("gzip with junk", gzip.compress(GOOD) + b"junk", "t.gz:2: the gzip data is damaged at or after this line"),
    ("gzip of zip", gzip.compress(b"PK\x03\x04rest"), "t.gz:1: this is a zip archive"),
    ("gzip of UTF-16", gzip.compress('{"topic": "x"}'.encode("utf-16")), "t.gz:1: this is UTF-16 text"),
]  # fmt: skip


def ids(cases: list[tuple[str, bytes, str]]) -> list[str]:
    return [case[0] for case in cases]


def spec_of(directory: Path, name: str, content: bytes) -> DatasetSpec:
    (directory / name).write_bytes(content)
    return DatasetSpec(path=str(directory / name), name=name)


@pytest.mark.parametrize(("case", "content", "message"), BAD_LINES, ids=ids(BAD_LINES))
def test_a_bad_line_is_named_with_its_reason(
    tmp_path: Path, case: str, content: bytes, message: str
) -> None:
    with open_dataset(spec_of(tmp_path, message.partition(":")[0], content)) as dataset:
        with pytest.raises(DatasetError) as caught:
            dataset.check(skip_bad=False)
        topics = list(dataset.read())

    assert str(caught.value).startswith(message)
    assert dataset.report.errors[0].startswith(message)
    assert len(topics) == dataset.report.topics


@pytest.mark.parametrize(("case", "content", "message"), BAD_FILES, ids=ids(BAD_FILES))
def test_a_file_that_is_no_topic_file_is_refused_as_a_whole(
    tmp_path: Path, case: str, content: bytes, message: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        open_dataset(spec_of(tmp_path, message.partition(":")[0], content))

    assert str(caught.value).startswith(message)


def test_a_missing_file_a_directory_and_a_path_with_nul_are_refused(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "gone.jsonl", "x: no such file"),
        (tmp_path, "x: is a directory; name a file in it"),
        (tmp_path / "a\x00b", "x: cannot be opened: embedded null byte"),
        (tmp_path / ("n" * 300), "x: cannot be opened: File name too long"),
    ):
        with pytest.raises(DatasetError) as caught:
            open_dataset(DatasetSpec(path=str(path), name="x"))
        assert str(caught.value) == message


def test_empty_standard_input_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"^<stdin>:1: the file is empty"):
        open_dataset(DatasetSpec(path="-"), stdin=io.BytesIO())


def test_a_gzip_bomb_is_stopped_long_before_it_is_unpacked(tmp_path: Path) -> None:
    zeros = gzip.compress(b"a" * 1024**2)
    bomb = zeros * 2048  # 2 GiB

    with pytest.raises(DatasetError) as caught:
        open_dataset(spec_of(tmp_path, "bomb.jsonl.gz", bomb))

    assert str(caught.value).startswith("bomb.jsonl.gz:1: the gzip data grows more than 200-fold")


def test_the_first_20_errors_are_listed_in_the_order_of_the_file_with_their_count(
    tmp_path: Path,
) -> None:
    content = GOOD + b"".join(b"{}\n" + GOOD for _ in range(25))

    with (
        open_dataset(spec_of(tmp_path, "t.jsonl", content)) as dataset,
        pytest.raises(DatasetError) as caught,
    ):
        dataset.check(skip_bad=False)

    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines[:20]] == [
        f"t.jsonl:{number}:" for number in range(2, 22)
    ]
    assert lines[20] == "… and 30 more"
    assert lines[21].startswith(
        "50 bad lines, 1 good. Nothing was sent. Correct the file, or let `harness run --skip-bad`"
    )
    assert len(lines) == 22


def test_one_bad_line_is_counted_as_one(tmp_path: Path) -> None:
    with (
        open_dataset(spec_of(tmp_path, "t.jsonl", GOOD + b"{}")) as dataset,
        pytest.raises(DatasetError, match=r"\n1 bad line, 1 good\."),
    ):
        dataset.check(skip_bad=False)
