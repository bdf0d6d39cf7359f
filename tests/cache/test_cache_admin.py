"""A person's commands on a cache: look, check, move, tidy up."""

from __future__ import annotations

import io
import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.cache.admin import CacheAdmin, Exported, Imported
from harness.cache.answerers import counted_answers
from harness.cache.pruning import Pruned
from harness.cache.reports import JournalStats, ModelStats
from harness.cache.sqlite_cache import SqliteCache
from harness.domain.call import Call
from harness.domain.completion import Completion, Message, Request, Usage
from harness.domain.key import cache_key
from harness.domain.ledger import Spent
from harness.errors import CacheError, InputError, StorageError
from harness.ports import OpenCall, Resolution

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY_S = 86_400.0


@dataclass(frozen=True)
class ClockAt:
    moment: datetime

    def now(self) -> datetime:
        return self.moment


CLOCK = ClockAt(NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


def a_request(text: str, *, model: str = "flash") -> Request:
    return Request(endpoint="mock", model=model, messages=(Message(role="user", content=text),))


async def fill(
    path: Path,
    *texts: str,
    model: str = "flash",
    run_id: str = "run",
    age_s: float = 0.0,
    size: int = 1,
) -> None:
    """Store an answer to each text; it is `size` characters long and `age_s` old at NOON."""
    async with SqliteCache.open(path) as cache:
        for text in texts:
            request = a_request(text, model=model)
            call = Call(run_id=run_id, topic_id=text, span_id="1")
            closed_at = NOON - timedelta(seconds=age_s)
            entry = OpenCall(
                key=cache_key(request),
                call=call,
                opened_at=closed_at,
                cost_at_most=1.0,
                tokens_at_most=100,
            )
            completion = Completion(
                model=model,
                content=text * size,
                finish_reason="stop",
                usage=Usage(output_tokens=5),
                cost=0.25,
            )
            number = await cache.open_call(request, entry)
            resolution = Resolution(
                outcome="stored", closed_at=closed_at, cost=0.25, tokens=5, completion=completion
            )
            await cache.resolve(number, resolution)


async def leave_open(path: Path, run_id: str = "run") -> None:
    async with SqliteCache.open(path) as cache:
        call = Call(run_id=run_id, topic_id="open", span_id="1")
        request = a_request("open")
        await cache.open_call(
            request,
            OpenCall(
                key=cache_key(request),
                call=call,
                opened_at=NOON,
                cost_at_most=1.0,
                tokens_at_most=100,
            ),
        )


async def contents(path: Path, *texts: str) -> list[str]:
    """Which of these the cache can answer."""
    async with SqliteCache.open(path) as cache:
        return [
            text for text in texts if await cache.get(cache_key(a_request(text)), a_request(text))
        ]


def damage(path: Path, text: str) -> str:
    """Change a stored answer behind the cache's back; its key."""
    key = cache_key(a_request(text))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            """UPDATE responses SET value = replace(value, '"stop"', '"halt"') WHERE key = ?""",
            (key,),
        )
    return key


def size_of(path: Path) -> int:
    return path.stat().st_size


def names_in(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def overwrite_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(size_of(path) // 2)
        file.write(b"\xff" * 8192)


async def exported(path: Path) -> bytes:
    stream = io.BytesIO()
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        await admin.export(stream)
    return stream.getvalue()


async def test_a_cache_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="no cache file here"):
        async with CacheAdmin.open(tmp_path / "cache.db", clock=CLOCK):
            raise AssertionError("it was opened")
    assert names_in(tmp_path) == []


async def test_stats_count_entries_by_model_and_the_journal(path: Path) -> None:
    await fill(path, "a", "b", age_s=60)
    await fill(path, "c", model="pro", run_id="other")
    await leave_open(path)
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        stats = await admin.stats()
    assert [(model.endpoint, model.model, model.entries) for model in stats.models] == [
        ("mock", "flash", 2),
        ("mock", "pro", 1),
    ]
    assert (stats.entries, stats.oldest, stats.newest) == (3, NOON - timedelta(seconds=60), NOON)
    assert stats.journal == JournalStats(
        runs=2, calls=4, stored=3, failed=0, open=1, cost=0.75, tokens=15
    )
    assert (
        0
        < stats.bytes
        == sum(model.bytes for model in stats.models)
        < stats.file_bytes
        == size_of(path)
    )


async def test_stats_of_a_new_cache_are_zeros(path: Path) -> None:
    async with CacheAdmin.open(path, clock=CLOCK, create=True) as admin:
        stats = await admin.stats()
    assert (stats.entries, stats.bytes, stats.oldest, stats.newest, stats.models) == (
        0,
        0,
        None,
        None,
        (),
    )


async def test_bytes_are_those_of_the_request_and_the_answer(path: Path) -> None:
    await fill(path, "é")
    with closing(sqlite3.connect(path)) as connection:
        ((request, value),) = connection.execute("SELECT request, value FROM responses")
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        (model,) = (await admin.stats()).models
    assert model == ModelStats(
        endpoint="mock", model="flash", entries=1, bytes=len(request.encode()) + len(value.encode())
    )


async def test_show_finds_an_entry_by_the_beginning_of_its_key(path: Path) -> None:
    await fill(path, *"abcdefgh")
    key = cache_key(a_request("c"))
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        (shown,) = await admin.show(key[:8])
    assert (shown.key, shown.request, shown.stored.completion.content) == (key, a_request("c"), "c")


async def test_show_lists_all_that_an_ambiguous_beginning_names(path: Path) -> None:
    texts = [str(index) for index in range(40)]
    await fill(path, *texts)
    keys = sorted(cache_key(a_request(text)) for text in texts)
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        for digit in {key[0] for key in keys}:
            shown = await admin.show(digit, limit=3)
            assert [entry.key for entry in shown] == [key for key in keys if key.startswith(digit)][
                :3
            ]


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [("", "no key"), ("xyz", "no key"), ("%", "no key"), ("0" * 64, "no readable entry")],
)
async def test_show_says_what_is_wrong_with_a_key(path: Path, prefix: str, reason: str) -> None:
    await fill(path, "a")
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        with pytest.raises(CacheError, match=reason):
            await admin.show(prefix)


async def test_verify_finds_nothing_in_a_sound_cache(path: Path) -> None:
    await fill(path, "a", "b")
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        verified = await admin.verify()
    assert verified.ok
    assert verified.entries == 2


async def test_verify_names_every_row_that_was_changed(path: Path) -> None:
    await fill(path, "a", "b", "c", "d")
    changed = damage(path, "b")
    undecodable = cache_key(a_request("d"))
    other = cache_key(a_request("c"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "UPDATE responses SET run_id = CAST(x'ff' AS TEXT) WHERE key = ?", (undecodable,)
        )
        connection.execute(
            "UPDATE responses SET request = replace(request, 'user', 'tool') WHERE key = ?",
            (other,),
        )
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        verified = await admin.verify()
    assert not verified.ok
    assert {row.key: row.reason for row in verified.bad} == {
        changed: "its digest does not match",
        undecodable: "its digest does not match",
        other: "its key is not that of its request",
    }


async def test_verify_reports_a_page_that_cannot_be_read(path: Path) -> None:
    await fill(path, *(str(index) for index in range(50)), size=2000)
    overwrite_the_middle(path)
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        assert (await admin.verify()).structure != ()


async def test_an_export_that_is_imported_and_exported_again_is_the_same_file(
    path: Path, tmp_path: Path
) -> None:
    await fill(path, "a", "天 \u2028 é", "half \ud83d", size=3)
    first = await exported(path)
    async with CacheAdmin.open(tmp_path / "copy.db", clock=CLOCK, create=True) as admin:
        assert await admin.import_(io.BytesIO(first)) == Imported(added=3)
    assert await exported(tmp_path / "copy.db") == first
    assert await contents(tmp_path / "copy.db", "a", "天 \u2028 é", "half \ud83d") == [
        "a",
        "天 \u2028 é",
        "half \ud83d",
    ]


async def test_an_export_has_a_readable_line_for_each_entry_in_the_order_of_topics(
    path: Path,
) -> None:
    await fill(path, "b", "a", "天")
    lines = (await exported(path)).decode().splitlines()
    assert [line[:36] for line in lines] == [
        f'{{"cassette":2,"topic":"{topic}","call":"1"'[:36] for topic in ("a", "b", "天")
    ]
    assert '"content":"天"' in "".join(lines)


async def test_an_exported_file_is_whole_and_its_owners_only(path: Path, tmp_path: Path) -> None:
    await fill(path, "a")
    target = tmp_path / "cassette.jsonl"
    target.write_text("an older one")
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        assert await admin.export(target) == Exported(entries=1)
    assert target.read_bytes() == await exported(path)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_a_cassette_that_cannot_be_written_is_a_storage_error_and_leaves_nothing(
    path: Path, tmp_path: Path
) -> None:
    await fill(path, "a")
    (tmp_path / "taken").mkdir()
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        with pytest.raises(StorageError, match="taken: the cassette cannot be written"):
            await admin.export(tmp_path / "taken")
        with pytest.raises(StorageError, match="nowhere"):
            await admin.export(tmp_path / "nowhere" / "x.jsonl")
    assert names_in(tmp_path) == ["cache.db", "taken"]


async def test_damaged_entries_are_not_exported_and_named(path: Path) -> None:
    await fill(path, "a", "b")
    key = damage(path, "a")
    stream = io.BytesIO()
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        result = await admin.export(stream)
    assert (result.entries, [row.key for row in result.bad]) == (1, [key])
    assert stream.getvalue().count(b"\n") == 1


async def test_an_import_tells_new_answers_from_other_and_from_equal_ones(
    path: Path, tmp_path: Path
) -> None:
    await fill(tmp_path / "source.db", "new", "other", "equal")
    await fill(path, "other", size=2)
    await fill(path, "equal")
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        result = await admin.import_(io.BytesIO(await exported(tmp_path / "source.db")))
    assert result == Imported(added=1, replaced=1, unchanged=1)
    assert await exported(path) == await exported(tmp_path / "source.db")


async def test_one_bad_line_and_nothing_is_imported(path: Path, tmp_path: Path) -> None:
    await fill(tmp_path / "source.db", "a", "b")
    good = await exported(tmp_path / "source.db")
    cassette = tmp_path / "c.jsonl"
    cassette.write_bytes(good + b"\n[]\n" + good.splitlines()[0] + b"\n")
    async with CacheAdmin.open(path, clock=CLOCK, create=True) as admin:
        with pytest.raises(CacheError) as caught:
            await admin.import_(cassette)
        assert (await admin.stats()).entries == 0
    assert str(caught.value).splitlines() == [
        f"{cassette}: nothing was imported, because of 2 bad lines",
        f"{cassette}:4: not a cassette: a line must be a JSON object",
        f"{cassette}:5: the key stands already in line 1; remove one of them",
    ]


async def test_of_many_bad_lines_the_first_twenty_are_listed(path: Path) -> None:
    async with CacheAdmin.open(path, clock=CLOCK, create=True) as admin:
        with pytest.raises(CacheError) as caught:
            await admin.import_(io.BytesIO(b"x\n" * 25), name="stdin")
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[1][:16], lines[-1]) == (22, "stdin:1: not JSO", "… and 5 more")


async def test_a_cassette_that_cannot_be_read_is_an_error_that_names_it(
    path: Path, tmp_path: Path
) -> None:
    async with CacheAdmin.open(path, clock=CLOCK, create=True) as admin:
        with pytest.raises(CacheError, match=r"none\.jsonl: the cassette cannot be read"):
            await admin.import_(tmp_path / "none.jsonl")


async def test_prune_by_age_removes_what_is_older_and_keeps_the_journal(path: Path) -> None:
    await fill(path, "old", age_s=2 * DAY_S)
    await fill(path, "young", age_s=DAY_S / 2)
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        pruned = await admin.prune(older_than_s=DAY_S)
        assert (await admin.stats()).journal.calls == 2
    assert (pruned.entries, pruned.calls) == (1, 0)
    assert await contents(path, "old", "young") == ["young"]


async def test_prune_by_run_removes_its_answers_and_its_closed_calls(path: Path) -> None:
    await fill(path, "mine", run_id="x")
    await leave_open(path, run_id="x")
    await fill(path, "theirs", run_id="y")
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        pruned = await admin.prune(run_id="x")
    assert (pruned.entries, pruned.calls) == (1, 1)
    assert await contents(path, "mine", "theirs") == ["theirs"]
    async with SqliteCache.open(path) as cache:
        assert await cache.spent("x") == Spent(
            calls=1, cost_at_risk=1.0, tokens_at_risk=100, open_calls=1
        )


async def test_prune_by_age_and_run_removes_what_is_both(path: Path) -> None:
    await fill(path, "a", run_id="x", age_s=2 * DAY_S)
    await fill(path, "b", run_id="x")
    await fill(path, "c", run_id="y", age_s=2 * DAY_S)
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        pruned = await admin.prune(run_id="x", older_than_s=DAY_S)
    assert (pruned.entries, pruned.calls) == (1, 1)
    assert await contents(path, "a", "b", "c") == ["b", "c"]


async def test_prune_by_size_removes_the_oldest_until_the_rest_fits(path: Path) -> None:
    for age, text in enumerate("abcd"):
        await fill(path, text, age_s=age, size=1000)
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        each = (await admin.stats()).bytes // 4
        pruned = await admin.prune(max_bytes=2 * each)
        assert pruned == Pruned(entries=2, bytes=2 * each, calls=0, vacuumed=pruned.vacuumed)
        assert await admin.prune(max_bytes=2 * each) == Pruned(entries=0, bytes=0, calls=0)
    assert await contents(path, *"abcd") == ["a", "b"]


async def test_a_file_that_became_mostly_empty_shrinks(path: Path) -> None:
    await fill(path, *(str(index) for index in range(100)), size=5000)
    before = size_of(path)
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        assert (await admin.prune(max_bytes=0)).vacuumed
        assert size_of(path) < before / 4
        assert size_of(path.with_name("cache.db-wal")) == 0


async def test_a_file_that_lost_little_is_not_rewritten(path: Path) -> None:
    await fill(path, *(str(index) for index in range(50)), size=5000)
    await fill(path, "old", age_s=DAY_S, size=5000)
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        assert not (await admin.prune(older_than_s=1)).vacuumed


async def test_prune_wants_to_be_told_what(path: Path) -> None:
    async with CacheAdmin.open(path, clock=CLOCK, create=True) as admin:
        with pytest.raises(InputError, match="nothing to prune"):
            await admin.prune()
        with pytest.raises(InputError, match="negative"):
            await admin.prune(older_than_s=-1)
        with pytest.raises(InputError, match="negative"):
            await admin.prune(max_bytes=-1)


async def test_a_browser_can_read_the_answers(path: Path) -> None:
    await fill(path, "Why?")
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT created_at, prompt, answer, output_tokens, cost_usd FROM answers"
        ).fetchall()
    assert rows == [("2026-11-20T12:00:00.000000Z", "Why?", "Why?", 5, 0.25)]


async def test_who_answered_is_read_from_the_answers_and_damaged_ones_are_left_out(
    path: Path,
) -> None:
    await fill(path, "a", "b", age_s=DAY_S)
    await fill(path, "c", "d", "e")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        swapped = """'{"model":"flash","fingerprint":"fp_b","earlier":[{"model":"flash","fingerprint":"fp_a"}]}'"""
        for text, value in (
            ("c", swapped),
            ("d", "'[1]'"),
            ("e", """'{"model":"flash","earlier":7}'"""),
        ):
            connection.execute(
                f"UPDATE responses SET value = {value} WHERE key = ?", (cache_key(a_request(text)),)
            )
    async with CacheAdmin.open(path, clock=CLOCK) as admin:
        found = await admin.answerers()
    yesterday = NOON - timedelta(seconds=DAY_S)
    assert [
        (one.asked, one.model, one.fingerprint, one.answers, one.first, one.last) for one in found
    ] == [
        ("flash", "flash", None, 2, yesterday, yesterday),
        ("flash", "flash", "fp_a", 1, NOON, NOON),
        ("flash", "flash", "fp_b", 1, NOON, NOON),
    ]
    assert counted_answers(found).total() == 4
