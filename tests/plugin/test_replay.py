"""The fixture `replay` in a project: recording from a server on a real socket, and never by
accident.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_runs import AUTO, Run
from processes import Server

from harness.cache.cassette_file import read_cassette
from harness.testing import FakeDeepSeek

CANARY = "sk-canary-0123456789abcdef"

TEST_FILE = """
import os
from harness import Step, Topic

SERVER = {"base_url": os.environ["SERVER"], "model": "deepseek-flash"}

async def shout(step: Step, topic: Topic) -> str:
    return (await step.complete("shout", f"Shout: {topic.text}")).content.upper()

async def test_asking(replay):
    answer = await replay.ask("Why is the sky blue?", **SERVER)
    assert len(answer.content) > 20

async def test_running(replay):
    cases = await replay.run(["bees", "tides"], workflow=shout, **SERVER)
    assert [case.row["status"] for case in cases] == ["ok", "ok"]
    assert cases[0].row["output"].isupper()

def test_not_async(replay):
    assert replay.ask_sync("Why is the sky blue?", **SERVER).content
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(FakeDeepSeek(keys=[CANARY])) as server:
        monkeypatch.setenv("SERVER", server.url)
        monkeypatch.setenv("HARNESS_API_KEY", CANARY)
        yield server


def test_nothing_is_sent_unless_it_is_asked_for(run: Run, server: Server) -> None:
    done = run(TEST_FILE)
    done.assert_outcomes(failed=3)
    done.stdout.fnmatch_lines(
        [
            (
                "*CacheMiss: there is no cassette cassettes/test_it/test_asking.jsonl yet; record"
                " it, which asks *"
            ),
            "E         pytest --harness-record=once test_it.py::test_asking",
            "*- replay -*",
            "cassette cassettes/test_it/test_asking.jsonl, which is not there yet",
        ]
    )
    assert server.seen == 0


def test_once_records_and_none_replays_without_the_server(
    run: Run, server: Server, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(TEST_FILE, "--harness-record=once").assert_outcomes(passed=3)
    # Two tests ask the same, and share the answer through the cache: nothing is paid for twice.
    assert server.seen == 3
    cassettes = sorted((pytester.path / "cassettes" / "test_it").iterdir())
    assert [path.name for path in cassettes] == [
        "test_asking.jsonl",
        "test_not_async.jsonl",
        "test_running.jsonl",
    ]
    assert CANARY not in "".join(path.read_text() for path in cassettes)

    monkeypatch.delenv("HARNESS_API_KEY")
    run(TEST_FILE).assert_outcomes(passed=3)
    run(TEST_FILE, "--harness-record=once").assert_outcomes(passed=3)
    assert server.seen == 3


def test_what_changed_is_explained_and_not_recorded_by_once(run: Run, server: Server) -> None:
    run(TEST_FILE, "--harness-record=once").assert_outcomes(passed=3)
    done = run(TEST_FILE.replace("Shout: ", "Cry: "), "--harness-record=once")
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(
        [
            "*CacheMiss: 2 calls of 2 topics, the first of them: step 'shout' of topic *",
            "*message 1 (user) changed: [[]-Shout-]{+Cry+}: *",
            "*pytest --harness-record=all test_it.py::test_running",
        ]
    )
    assert server.seen == 3


def test_all_asks_everything_anew(run: Run, server: Server, pytester: pytest.Pytester) -> None:
    run(TEST_FILE, "--harness-record=once").assert_outcomes(passed=3)
    run(TEST_FILE.replace("Shout: ", "Cry: "), "--harness-record=all").assert_outcomes(passed=3)
    assert server.seen == 3 + 4
    recorded = read_cassette(pytester.path / "cassettes/test_it/test_running.jsonl")
    assert [one.request.count("Cry: ") for one in recorded] == [1, 1]


def test_a_test_that_fails_by_itself_keeps_what_it_recorded(
    run: Run, server: Server, pytester: pytest.Pytester
) -> None:
    failing = TEST_FILE.replace("> 20", "< 0")
    run(failing, "-k", "asking", "--harness-record=once").assert_outcomes(failed=1)
    assert len(read_cassette(pytester.path / "cassettes/test_it/test_asking.jsonl")) == 1
    run(TEST_FILE, "-k", "asking").assert_outcomes(passed=1)


def test_a_recording_that_was_interrupted_goes_on_from_the_cache(
    run: Run, server: Server, pytester: pytest.Pytester
) -> None:
    two = """
    import os, pytest
    SERVER = {"base_url": os.environ["SERVER"], "model": "deepseek-flash"}

    async def test_it(replay):
        await replay.ask("first", **SERVER)
        await replay.ask("second", **SERVER)
    """
    server.fake.balance_usd = 0
    done = run(two, "--harness-record=once")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*FatalError: * answered 402: Insufficient Balance*"])
    assert not (pytester.path / "cassettes").exists()
    server.fake.balance_usd = 100
    run(two, "--harness-record=once").assert_outcomes(passed=1)
    assert server.fake.statuses == {402: 1, 200: 2}


def test_a_torn_cassette_is_an_error_with_its_line(
    run: Run, server: Server, pytester: pytest.Pytester
) -> None:
    run(TEST_FILE, "-k", "asking", "--harness-record=once").assert_outcomes(passed=1)
    path = pytester.path / "cassettes/test_it/test_asking.jsonl"
    path.write_text(path.read_text()[:-100])
    done = run(TEST_FILE, "-k", "asking")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ["*test_asking.jsonl: not a sound cassette*", "*test_asking.jsonl:1: not JSON*"]
    )


def test_every_test_has_a_cassette_of_its_own(run: Run, pytester: pytest.Pytester) -> None:
    tests = """
    import pytest

    class TestColours:
        @pytest.mark.parametrize("text", ["a/b", "a:b"])
        async def test_it(self, replay, text):
            await replay.ask(text, endpoint="mock")

    def test_it(replay):
        replay.ask_sync("c", endpoint="mock")
    """
    run(tests, "--harness-record=once").assert_outcomes(passed=3)
    names = sorted(path.name for path in (pytester.path / "cassettes/test_it").iterdir())
    assert len(names) == 3
    assert [name.partition("-")[0] for name in names] == [
        "TestColours.test_it",
        "TestColours.test_it",
        "test_it.jsonl",
    ]
    run(tests).assert_outcomes(passed=3)


def test_under_anyio_alone(run: Run) -> None:
    tests = """
    import pytest

    @pytest.mark.anyio
    async def test_it(replay, anyio_backend_name):
        await replay.ask("Why?", endpoint="mock")

    @pytest.mark.anyio
    async def test_on_virtual_time(replay, virtual_time):
        await replay.ask("Why?", endpoint="mock", latency="fixed:60")
    """
    asyncio_only = "import pytest\n\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'"
    arguments = ("-p", "no:asyncio")
    run(tests, *arguments, "--harness-record=once", ini="", conftest=asyncio_only).assert_outcomes(
        passed=2
    )
    run(tests, *arguments, ini="", conftest=asyncio_only).assert_outcomes(passed=2)


def test_workers_record_side_by_side(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{AUTO}")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", range(8))
        async def test_it(replay, number):
            await replay.ask(f"question {number % 4}", endpoint="mock")

        async def test_mocked(mock_deepseek, virtual_time):
            pass
        """)
    plugins = (
        "-p",
        "xdist",
        "-p",
        "asyncio",
        "-p",
        "harness.pytest_plugin",
        "-p",
        "no:cacheprovider",
    )
    done = pytester.runpytest_subprocess(*plugins, "-n", "2", "--harness-record=once")
    done.assert_outcomes(passed=9)
    cassettes = sorted((pytester.path / "cassettes").rglob("*.jsonl"))
    assert len(cassettes) == 8
    assert all(len(read_cassette(path)) == 1 for path in cassettes)
