from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulation.fit import Sample, fit_steps


def samples(*points: tuple[int, float], step: str = "ask") -> list[Sample]:
    return [Sample(step=step, output_tokens=tokens, duration_s=took) for tokens, took in points]


def test_a_straight_line_is_found_and_scatters_nowhere() -> None:
    fit = fit_steps(samples((100, 3.0), (200, 5.0), (300, 7.0)))["ask"]

    assert fit.base_s == pytest.approx(1.0)
    assert fit.per_token_s == pytest.approx(0.02)
    assert [fit.draw_s(150, draw) for draw in (0.0, 0.5, 0.99)] == pytest.approx([4.0, 4.0, 4.0])


def test_each_step_has_a_fit_of_its_own() -> None:
    fits = fit_steps([*samples((10, 1.0), step="short"), *samples((10, 9.0), step="long")])

    assert {step: fit.mean_s for step, fit in fits.items()} == {"short": 1.0, "long": 9.0}


def test_a_single_call_is_its_own_fit() -> None:
    fit = fit_steps(samples((50, 2.5)))["ask"]

    assert (fit.draw_s(50, 0.3), fit.draw_s(5000, 0.9)) == (2.5, 2.5)


def test_a_falling_line_is_taken_for_level() -> None:
    fit = fit_steps(samples((100, 5.0), (200, 3.0)))["ask"]

    assert (fit.per_token_s, fit.base_s) == (0.0, 4.0)


def test_long_answers_scatter_more_than_short_ones_where_they_did() -> None:
    short = [(tokens, 1.0) for tokens in range(100, 200)]
    long = [(tokens, 10.0 + (5.0 if tokens % 2 else -5.0)) for tokens in range(1000, 1100)]
    fit = fit_steps(samples(*short, *long))["ask"]

    def spread(tokens: int) -> float:
        drawn = [fit.draw_s(tokens, number / 100) for number in range(100)]
        return max(drawn) - min(drawn)

    assert spread(1050) > 9.0
    assert spread(150) < 1.0


def test_no_call_is_shorter_than_the_shortest_recorded() -> None:
    fit = fit_steps(samples((100, 1.0), (200, 20.0), (300, 12.0)))["ask"]

    assert min(fit.draw_s(0, number / 10) for number in range(10)) >= 1.0


def test_the_time_to_the_first_token_is_the_median_of_the_calls_that_tell_it() -> None:
    told = [
        Sample(step="ask", output_tokens=1, duration_s=9.0, ttft_s=ttft)
        for ttft in (0.1, 0.3, 5.0, None)
    ]

    assert fit_steps(told)["ask"].ttft_s == 0.3


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0.01, 1000)), min_size=1, max_size=40))
def test_residuals_leave_the_mean_as_it_was(points: list[tuple[int, float]]) -> None:
    fit = fit_steps(samples(*points))["ask"]

    assert sum(fit.residuals_s) == pytest.approx(0.0, abs=1e-6)
    assert sum(map(fit.line_s, fit.tokens)) / len(points) == pytest.approx(fit.mean_s)
