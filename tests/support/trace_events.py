"""What importers of the Trace Event Format ask of a trace, for tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

PHASES = {
    "X": {"ph", "name", "cat", "pid", "tid", "ts", "dur"},
    "M": {"ph", "name", "pid", "args"},
    "C": {"ph", "name", "pid", "ts", "args"},
}
"""The phases that we write, with the fields that each needs; a slice may have `args`, metadata a
`tid`.
"""

METADATA = {"process_name": "name", "process_sort_index": "sort_index", "thread_name": "name",
            "thread_sort_index": "sort_index"}  # fmt: skip


def assert_valid(events: Sequence[dict[str, Any]]) -> None:
    """Known phases with their fields, whole microseconds, threads that belong to one process and
    have a name, and the slices of a thread in the order of their beginning, nested or apart.
    """
    threads: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    named = set()
    for event in events:
        needed = PHASES[event["ph"]]
        assert needed <= event.keys() <= needed | {"args", "tid"}
        assert type(event["pid"]) is int
        assert isinstance(event["name"], str)
        assert event["name"]
        match event["ph"]:
            case "M":
                assert list(event["args"]) == [METADATA[event["name"]]]
                assert ("tid" in event) == event["name"].startswith("thread")
                if event["name"] == "thread_name":
                    named.add((event["pid"], event["tid"]))
            case "C":
                assert_instant(event["ts"])
                assert all(type(value) is int and value >= 0 for value in event["args"].values())
            case "X":
                assert_instant(event["ts"])
                assert_instant(event["dur"])
                threads[event["pid"], event["tid"]].append(event)
    assert threads.keys() == named
    assert len({tid for _, tid in named}) == len(named)
    for slices in threads.values():
        assert_nested(slices)


def assert_instant(value: object) -> None:
    """Whole microseconds, from zero on."""
    assert type(value) is int
    assert value >= 0


def assert_nested(slices: Sequence[dict[str, Any]]) -> None:
    """Each begins after the one before it, and ends within the one that is open then."""
    open_until: list[int] = []
    last = 0
    for event in slices:
        assert event["ts"] >= last
        last = event["ts"]
        while open_until and open_until[-1] <= event["ts"]:
            open_until.pop()
        end = event["ts"] + event["dur"]
        assert not open_until or end <= open_until[-1]
        if event["dur"]:
            open_until.append(end)
