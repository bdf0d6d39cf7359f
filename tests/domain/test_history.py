from __future__ import annotations

from harness.domain.history import Levels


def levels_of(steps: list[tuple[float, int]]) -> Levels:
    levels = Levels()
    for at_s, level in steps:
        levels.note(at_s, level)
    return levels


def test_only_changes_are_steps() -> None:
    assert list(levels_of([(0, 8), (1, 8), (2, 16), (3, 16), (4, 8)]).since(0)) == [
        (0, 8),
        (2, 16),
        (4, 8),
    ]


def test_of_changes_at_one_instant_the_last_holds() -> None:
    assert list(levels_of([(0, 8), (1, 4), (1, 2)]).since(0)) == [(0, 8), (1, 2)]


def test_times_count_from_an_origin_and_none_is_before_it() -> None:
    assert list(levels_of([(5, 8), (12, 4)]).since(10)) == [(0, 8), (2, 4)]


def test_a_long_story_keeps_its_ends_and_its_lows() -> None:
    steps = [(float(at_s), 2 + at_s % 2) for at_s in range(Levels.MOST + 1)]
    steps[7] = (7.0, 1)
    kept = list(levels_of(steps).since(0))
    assert len(kept) == Levels.MOST // 2 + 1
    assert (kept[0], kept[-1]) == ((0, 2), (float(Levels.MOST), 2))
    assert min(level for _, level in kept) == 1


def test_however_long_the_story_it_stays_short() -> None:
    kept = list(levels_of([(float(at_s), at_s % 7) for at_s in range(20_000)]).since(0))
    assert len(kept) <= Levels.MOST
    assert [at_s for at_s, _ in kept] == sorted(at_s for at_s, _ in kept)


def test_several_numbers_are_added_up_at_each_time_within_a_bound() -> None:
    one, other = Levels(), Levels()
    for at_s, level in ((0.0, 8), (2.0, 16)):
        one.note(at_s, level)
    other.note(1.0, 4)
    assert list(Levels.sum_of([one, other], most=18).since(0.0)) == [(0.0, 8), (1.0, 12), (2.0, 18)]
