from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.timing.shape import Timed, longest_chain_s, turns_of


def at(start_s: float, end_s: float, *path: str) -> Timed:
    return Timed(path=path, start_s=start_s, end_s=end_s)


def test_calls_that_overlap_were_wanted_in_parallel_and_the_next_waited_for_all_of_them() -> None:
    ask, one, two, report = at(0, 2), at(2, 9, "part.1"), at(2, 5, "part.2"), at(9, 12)

    turns = turns_of([ask, one, two, report])

    assert [turn.after for turn in turns] == [(), (0,), (0,), (1, 2)]


def test_parts_of_a_fan_out_are_parallel_even_where_they_ran_one_after_another() -> None:
    # Both were wanted at 2; the second waited for its place until 5.
    turns = turns_of([at(0, 2), at(2, 5, "part.1"), at(2, 8, "part.2")])

    assert [turn.after for turn in turns] == [(), (0,), (0,)]


def test_calls_one_after_another_wait_only_for_the_one_before() -> None:
    turns = turns_of([at(0, 1), at(1, 2), at(2, 3)])

    assert [turn.after for turn in turns] == [(), (0,), (1,)]


def test_a_chain_within_a_part_does_not_wait_for_other_parts() -> None:
    turns = turns_of(
        [at(0, 1, "part.1"), at(1, 2, "part.1"), at(0, 7, "part.2"), at(7, 9, "part.2"), at(9, 10)]
    )

    assert [turn.after for turn in turns] == [(), (0,), (), (2,), (0, 1, 2, 3)]


def test_the_first_calls_of_a_nested_step_wait_for_what_their_step_waited_for() -> None:
    turns = turns_of(
        [at(0, 1), at(1, 3, "outer", "in.1"), at(1, 4, "outer", "in.2"), at(4, 5, "outer")]
    )

    assert [turn.after for turn in turns] == [(), (0,), (0,), (1, 2)]


def test_what_the_workflow_does_between_calls_is_a_gap() -> None:
    turns = turns_of([at(10, 12), at(15.5, 16)])

    assert [turn.gap_s for turn in turns] == [0.0, 3.5]


def test_the_harness_own_work_between_calls_is_no_gap() -> None:
    assert [turn.gap_s for turn in turns_of([at(0, 1), at(1.0009, 2)])] == [0.0, 0.0]


def test_two_calls_without_length_at_one_instant_wait_for_neither() -> None:
    assert [turn.after for turn in turns_of([at(1, 1), at(1, 1)])] == [(), ()]


@given(
    st.lists(
        st.builds(
            lambda start, length, path: at(start, start + length, *path),
            st.integers(0, 20),
            st.integers(0, 10),
            st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
        ),
        max_size=12,
    )
)
def test_no_call_ever_waits_for_one_that_ended_after_it_was_wanted(calls: list[Timed]) -> None:
    for call, turn in zip(calls, turns_of(calls), strict=True):
        assert all(calls[other].end_s <= call.start_s for other in turn.after)
        assert all(calls[other].start_s < call.start_s for other in turn.after)


@given(
    st.lists(
        st.builds(
            lambda start, length, path: at(start, start + length, *path),
            st.integers(0, 20),
            st.integers(0, 10),
            st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_no_chain_is_longer_than_its_topic_took(calls: list[Timed]) -> None:
    took = max(call.end_s for call in calls) - min(call.start_s for call in calls)
    longest = longest_chain_s(calls, [call.end_s - call.start_s for call in calls])
    assert max(call.end_s - call.start_s for call in calls) <= longest <= took


def test_a_chain_goes_through_the_longest_part_of_a_fan_out() -> None:
    calls = [at(0, 2), at(2, 9, "part.1"), at(2, 5, "part.2"), at(9, 12)]

    assert longest_chain_s(calls, [2, 7, 3, 3]) == 2 + 7 + 3
    # Of the first part's seven seconds six were a wait.
    assert longest_chain_s(calls, [2, 1, 3, 3]) == 2 + 3 + 3


def test_rounds_that_a_workflow_runs_one_after_another_are_a_chain_whatever_their_names() -> None:
    assert longest_chain_s([at(0, 2, "round.1"), at(2, 5, "round.2")], [2, 3]) == 5


def test_of_calls_in_any_order_the_chain_is_the_same() -> None:
    assert longest_chain_s([at(5, 6), at(0, 2), at(2, 5)], [1, 2, 3]) == 6
    assert longest_chain_s([], []) == 0
