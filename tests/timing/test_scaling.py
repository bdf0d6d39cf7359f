from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.timing.scaling import Scaling, fitted

SWEEP = (1, 2, 4, 8, 16, 32, 64)


def points(law: Scaling) -> list[tuple[float, float]]:
    return [(n, law.throughput(n)) for n in SWEEP]


@given(
    st.floats(0.01, 1000),
    st.one_of(st.just(0.0), st.floats(0.001, 0.9)),
    st.one_of(st.just(0.0), st.floats(0.0001, 0.1)),
)
def test_a_fit_finds_the_law_that_made_its_points(gamma: float, alpha: float, beta: float) -> None:
    found = fitted(points(Scaling(gamma=gamma, alpha=alpha, beta=beta, error=0.0)))
    assert found is not None
    assert found.gamma == pytest.approx(gamma, rel=1e-4)
    assert found.alpha == pytest.approx(alpha, abs=1e-5)
    assert found.beta == pytest.approx(beta, abs=1e-6)
    assert found.error < 1e-5


def test_what_pays_no_price_of_talking_to_each_other_is_amdahls_law_and_never_falls() -> None:
    found = fitted(points(Scaling(gamma=2.0, alpha=0.02, beta=0.0, error=0.0)))
    assert found is not None
    assert found.beta == 0.0
    assert found.alpha == pytest.approx(0.02)
    assert found.peak is None


def test_a_negative_price_is_none() -> None:
    found = fitted([(1, 1.0), (2, 2.2), (4, 5.0), (8, 11.0)])
    assert found is not None
    assert found.alpha == found.beta == 0.0
    assert found.error > 0.05


def test_amdahls_knee_is_where_half_of_a_call_is_lost() -> None:
    law = Scaling(gamma=3.0, alpha=0.02, beta=0.0, error=0.0)
    assert law.knee == pytest.approx(49.0)
    assert law.throughput(49.0) / (3.0 * 49.0) == pytest.approx(0.51, abs=0.001)


def test_the_knee_is_where_throughput_by_response_time_is_greatest() -> None:
    law = Scaling(gamma=1.0, alpha=0.02, beta=0.0005, error=0.0)
    power = {n: law.throughput(n) ** 2 / n for n in range(1, 200)}
    assert law.knee == pytest.approx(max(power, key=power.__getitem__), abs=0.5)
    assert law.peak is not None
    assert law.peak > law.knee  # type: ignore[operator]
    assert law.throughput(law.peak) >= max(law.throughput(n) for n in range(1, 200)) - 1e-9


def test_what_grows_for_ever_has_no_knee() -> None:
    assert Scaling(gamma=1.0, alpha=0.0, beta=0.0, error=0.0).knee is None
    assert Scaling(gamma=1.0, alpha=1.5, beta=0.0, error=0.0).knee == 1.0
    assert Scaling(gamma=1.0, alpha=1.5, beta=0.1, error=0.0).peak == 1.0


@pytest.mark.parametrize(
    "few",
    [[], [(1, 1.0), (4, 3.0)], [(1, 1.0), (1, 1.1), (4, 3.0)], [(1, 1.0), (2, 0.0), (4, 3.0)]],
)
def test_points_that_say_nothing_have_no_fit(few: list[tuple[float, float]]) -> None:
    assert fitted(few) is None


def test_points_that_no_law_can_make_have_no_fit_of_three_parameters() -> None:
    # Throughputs so far apart that the equations cannot be told apart from singular ones.
    assert fitted([(1, 1e-7), (2, 1e-7), (4, 1e-7)]) is None
