"""The figures that repeated draws give: the chance to pass in k of them, and how much a number
varies from draw to draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def pass_at_k(draws: int, passed: int, k: int) -> float:
    """The chance that at least one of `k` draws passes, given that `passed` of `draws` did.

    The unbiased estimate 1 - C(n-c, k) / C(n, k) of M. Chen et al., "Evaluating Large Language
    Models Trained on Code", arXiv:2107.03374 (2021). Raises ValueError unless 0 <= passed <= draws
    and 1 <= k <= draws.
    """
    if not 0 <= passed <= draws or not 1 <= k <= draws:
        raise ValueError(f"no pass@{k} of {passed} passed in {draws} draws")
    return 1.0 - math.comb(draws - passed, k) / math.comb(draws, k)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A number over repeated draws. `variance` is the unbiased one between draws."""

    mean: float
    variance: float

    @property
    def deviation(self) -> float:
        return math.sqrt(self.variance)


def spread_of(groups: Iterable[Sequence[float]]) -> Spread | None:
    """Of the draws of each group: the mean of the groups' means, and the mean of their variances.

    So groups may be as different as they like; what counts is how much each varies in itself. A
    group of a single draw says nothing of that. None without a group that says anything.
    """
    found = [
        Spread(mean=_mean(group), variance=_variance(group)) for group in groups if len(group) > 1
    ]
    if not found:
        return None
    return Spread(
        mean=_mean([one.mean for one in found]), variance=_mean([one.variance for one in found])
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
