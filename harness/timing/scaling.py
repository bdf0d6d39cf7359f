"""The growth of throughput with calls in flight, by the universal scalability law.

    X(N) = gamma N / (1 + alpha (N - 1) + beta N (N - 1))

`alpha` is the share of the work that is done one at a time, `beta` what each call in flight costs
all others. Source: N. J. Gunther, "A General Theory of Computational Scalability Based on Rational
Functions", arXiv:0808.1431, 2008; "Guerrilla Capacity Planning", 2007.

It is the only law here, because it contains the other one in use: with beta = 0 it is Amdahl's law
(G. M. Amdahl, "Validity of the single processor approach to achieving large scale computing
capabilities", AFIPS 1967). Amdahl's law alone cannot bend down, so it misses a throughput that
falls again under load. `fitted` takes beta = 0 wherever a beta fits no better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

MIN_POINTS = 3

_Term = Callable[[float], float]
# N / X(N) is linear in 1/gamma, alpha/gamma and beta/gamma: these are what they are multiplied
# with.
_TERMS: tuple[_Term, ...] = (lambda n: 1.0, lambda n: n - 1.0, lambda n: n * (n - 1.0))
_CHOICES = ((0,), (0, 1), (0, 2), (0, 1, 2))
_NEGLIGIBLE = 1e-9

Point = tuple[float, float]
"""Calls in flight, and throughput."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """A fitted law.

    `gamma` is the throughput of one call in flight, `error` the root mean square relative error.
    """

    gamma: float
    alpha: float
    beta: float
    error: float

    def throughput(self, in_flight: float) -> float:
        """Return the throughput of so many calls in flight, in the unit of what was fitted."""
        serial = self.alpha * (in_flight - 1)
        crosstalk = self.beta * in_flight * (in_flight - 1)
        return self.gamma * in_flight / (1 + serial + crosstalk)

    @property
    def knee(self) -> float | None:
        """Calls in flight beyond which waiting grows faster than throughput; None: there is no such
        number.

        Where throughput divided by response time is greatest: L. Kleinrock, "Power and
        deterministic rules of thumb for probabilistic problems in computer communications", ICC
        1979. In a closed system that is the maximum of X(N)^2 / N. With beta = 0 it is where half
        of each added call is lost.
        """
        rest = max(0.0, 1 - self.alpha)
        if self.beta > 0:
            half = self.alpha - self.beta
            return max(
                1.0, (math.sqrt(half * half + 12 * self.beta * rest) - half) / (6 * self.beta)
            )
        if self.alpha > 0:
            return max(1.0, rest / self.alpha)
        return None

    @property
    def peak(self) -> float | None:
        """Calls in flight beyond which throughput falls; None: it never does."""
        if self.beta <= 0:
            return None
        return max(1.0, math.sqrt(max(0.0, 1 - self.alpha) / self.beta))


def fitted(points: Sequence[Point]) -> Scaling | None:
    """Fit the law to (calls in flight, throughput).

    Least squares of the relative error of N / X(N), no parameter negative. None with fewer than
    three different numbers of calls, which any curve would fit, or without throughput.
    """
    if len({n for n, _ in points}) < MIN_POINTS or any(x <= 0 or n < 1 for n, x in points):
        return None
    best: Scaling | None = None
    for terms in _CHOICES:
        law = _law_of(points, terms)
        # Of laws that fit equally well the one with fewer parameters is meant.
        if law is not None and (best is None or law.error < best.error - _NEGLIGIBLE):
            best = law
    return best


def _law_of(points: Sequence[Point], terms: tuple[int, ...]) -> Scaling | None:
    """Return the law with these terms that fits best; None where one would be negative."""
    found = _least_squares(points, terms)
    if found is None or found[0] <= 0 or min(found) < 0:
        return None
    law = Scaling(
        gamma=1 / found[0], alpha=found[1] / found[0], beta=found[2] / found[0], error=0.0
    )
    squares = [(x / law.throughput(n) - 1) ** 2 for n, x in points]
    return replace(law, error=math.sqrt(math.fsum(squares) / len(squares)))


def _least_squares(
    points: Sequence[Point], terms: tuple[int, ...]
) -> tuple[float, float, float] | None:
    """Return the factors of these terms that bring N / X(N) nearest; None: they are not determined.

    Each point is weighed by X(N) / N.
    """
    rows = [[_TERMS[term](n) * x / n for term in terms] for n, x in points]
    # The normal equations, each with its right-hand side.
    matrix = []
    for i in range(len(terms)):
        equation = [math.fsum(row[i] * row[j] for row in rows) for j in range(len(terms))]
        matrix.append([*equation, math.fsum(row[i] for row in rows)])
    solved = _solved(matrix)
    if solved is None:
        return None
    factors = [0.0, 0.0, 0.0]
    for term, factor in zip(terms, solved, strict=True):
        size = abs(factor) * _TERMS[term](points[-1][0])
        # What is negative by rounding only is zero.
        factors[term] = 0.0 if size < _NEGLIGIBLE * abs(solved[0]) else factor
    return factors[0], factors[1], factors[2]


def _solved(matrix: list[list[float]]) -> list[float] | None:
    """Solve equations with their right-hand side by Gauss's elimination; None: they are singular.

    The pivot is the greatest of its column.
    """
    size = len(matrix)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) < _NEGLIGIBLE:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                pairs = zip(matrix[row], matrix[column], strict=True)
                matrix[row] = [value - factor * other for value, other in pairs]
    return [matrix[row][size] / matrix[row][row] for row in range(size)]
