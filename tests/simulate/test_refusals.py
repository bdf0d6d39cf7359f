from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nights import recorded

from harness.domain.completion import FailedAttempt
from harness.simulation.from_run import read_run
from harness.simulation.refusals import Explanation, Flights, explained
from harness.testing.deepseek.fake import FakeDeepSeek
from harness.testing.deepseek.latency import Latency
from harness.testing.transport import FakeTransport

NAMES_TEN = "You have reached your concurrency limit of 10"


def flights(*pairs: tuple[float, float]) -> Flights:
    found = Flights()
    for sent_s, ended_s in pairs:
        found.add_times(sent_s, ended_s)
    return found


def refused(*messages: str) -> list[FailedAttempt]:
    return [FailedAttempt(number=1, kind="rate_limited", message=message) for message in messages]


def limit(
    *messages: str, in_flight: int | None = None, shown: int | None = None
) -> tuple[int | None, bool]:
    found = explained(refused(*messages), in_flight=in_flight, shown=shown)
    return found.limit, found.named


def test_what_ends_at_an_instant_is_not_under_way_with_what_begins_then() -> None:
    found = flights((0, 4), (1, 3), (4, 6))

    assert list(found.under_way([0, 1, 3, 4, 7])) == [1, 2, 1, 1, 0]
    assert found.most() == 2


def test_the_limit_that_most_refusals_name_explains_them() -> None:
    assert limit(NAMES_TEN, NAMES_TEN, "concurrency limit of 99", "slow down") == (10, True)


def test_a_limit_that_the_run_could_not_pass_explains_nothing() -> None:
    assert limit(NAMES_TEN, in_flight=11) == (10, True)
    assert limit(NAMES_TEN, in_flight=10, shown=7) == (None, False)


def test_a_limit_that_was_shown_explains_refusals_that_are_not_about_a_rate() -> None:
    assert limit("slow down", shown=7) == (7, False)
    assert limit("Rate limit reached for TPM", shown=7) == (None, False)
    assert limit(shown=7) == (None, False)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Explanation(refusals=0, limit=None, named=False), []),
        (
            Explanation(refusals=3, limit=None, named=False),
            ["met 3 refusals (429) that no limit", "meets its own again"],
        ),
        (
            Explanation(refusals=3, limit=10, named=True),
            ["most of which name a limit of 10", "--provider-limit"],
        ),
        (
            Explanation(refusals=3, limit=10, named=False),
            ["never more than 10 requests", "--provider-limit"],
        ),
    ],
)
def test_what_is_made_of_refusals_is_said(found: Explanation, said: list[str]) -> None:
    notes = " ".join(found.notes())

    assert bool(notes) == bool(said)
    assert all(words in notes for words in said)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=1, max_size=20))
def test_never_more_are_under_way_than_the_most(pairs: list[tuple[float, float]]) -> None:
    found = flights(*((sent_s, sent_s + took_s) for sent_s, took_s in pairs))

    assert all(
        0 <= number <= found.most() for number in found.under_way(float(at) for at in range(110))
    )


@pytest.mark.parametrize("carried", [5, 12])
def test_a_limit_that_nobody_names_is_found_in_the_run(tmp_path: Path, carried: int) -> None:
    fake = FakeDeepSeek(
        concurrency_limit=carried,
        announce_limit=False,
        latency=Latency.parse("lognormal:5:0.4"),
        delta_tokens=8,
        log_size=0,
    )
    recorded(tmp_path, 20, transport=FakeTransport(fake), latency="lognormal:5:0.4", in_flight=64)

    assert read_run(tmp_path / "out", seed=0).provider_limit == carried


def test_refusals_at_random_show_no_limit_in_the_run(tmp_path: Path) -> None:
    recorded(
        tmp_path, 20, latency="lognormal:5:0.4", faults="429-retry-after-seconds=0.1", in_flight=24
    )

    assert read_run(tmp_path / "out", seed=0).provider_limit is None
