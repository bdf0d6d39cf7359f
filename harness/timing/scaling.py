"""How throughput grows with calls in flight: Amdahl's law and the universal scalability law, and where it pays no more.

The universal scalability law (N. J. Gunther, "A General Theory of Computational Scalability Based on Rational
Functions", arXiv:0808.1431, 2008; "Guerrilla Capacity Planning", 2007) is

    X(N) = gamma N / (1 + alpha (N - 1) + beta N (N - 1))

with `alpha` for what is done one at a time and `beta` for what each pays to all others. With beta = 0 it is Amdahl's
law (G. M. Amdahl, "Validity of the single processor approach to achieving large scale computing capabilities", AFIPS
1967).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MIN_POINTS = 3

_Term = Callable[[float], float]
# N / X(N) is linear in 1/gamma, alpha/gamma and beta/gamma: these are what they are multiplied with.
_TERMS: tuple[_Term, ...] = (lambda n: 1.0, lambda n: n - 1.0, lambda n: n * (n - 1.0))
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """A fitted law. `gamma` is the throughput of one call in flight; `error` the root mean square relative error."""

    gamma: float
    alpha: float
    beta: float
    error: float

    def throughput(self, in_flight: float) -> float:
        """What the law says of so many calls in flight, in the unit of what was fitted."""
        return self.gamma * in_flight / (1 + self.alpha * (in_flight - 1) + self.beta * in_flight * (in_flight - 1))

    @property
    def knee(self) -> float | None:
        """Calls in flight beyond which waiting grows faster than throughput, or None: there is no such number.

        Where throughput divided by response time is greatest: L. Kleinrock, "Power and deterministic rules of thumb
        for probabilistic problems in computer communications", ICC 1979. In a closed system that is the maximum of
        X(N)^2 / N. Amdahl's law alone has it where half of each added call is lost.
        """
        rest = max(0.0, 1 - self.alpha)
        if self.beta > 0:
            half = self.alpha - self.beta
            return max(1.0, (math.sqrt(half * half + 12 * self.beta * rest) - half) / (6 * self.beta))
        return max(1.0, rest / self.alpha) if self.alpha > 0 else None

    @property
    def peak(self) -> float | None:
        """Calls in flight beyond which throughput falls, or None: it never does."""
        return max(1.0, math.sqrt(max(0.0, 1 - self.alpha) / self.beta)) if self.beta > 0 else None


def fit_amdahl(points: Sequence[tuple[float, float]]) -> Scaling | None:
    """Amdahl's law through (calls in flight, throughput); see `fit_usl`."""
    return _fit(points, ((0,), (0, 1)))


def fit_usl(points: Sequence[tuple[float, float]]) -> Scaling | None:
    """The universal scalability law through (calls in flight, throughput).

    Least squares of the relative error of N / X(N), no parameter negative. None with fewer than three different
    numbers of calls, which any curve would fit, or without throughput.
    """
    return _fit(points, ((0,), (0, 1), (0, 2), (0, 1, 2)))


def _fit(points: Sequence[tuple[float, float]], choices: Sequence[tuple[int, ...]]) -> Scaling | None:
    if len({n for n, _ in points}) < MIN_POINTS or any(x <= 0 or n < 1 for n, x in points):
        return None
    best: Scaling | None = None
    for terms in choices:
        found = _least_squares(points, terms)
        if found is None or found[0] <= 0 or min(found) < 0:
            continue
        law = Scaling(gamma=1 / found[0], alpha=found[1] / found[0], beta=found[2] / found[0], error=0.0)
        errors = [(x / law.throughput(n) - 1) ** 2 for n, x in points]
        law = Scaling(gamma=law.gamma, alpha=law.alpha, beta=law.beta, error=math.sqrt(math.fsum(errors) / len(errors)))
        # Of laws that fit equally well the one with fewer parameters is meant.
        if best is None or law.error < best.error - _NEGLIGIBLE:
            best = law
    return best


def _least_squares(points: Sequence[tuple[float, float]], terms: tuple[int, ...]) -> tuple[float, float, float] | None:
    """The factors of these terms that bring N / X(N) nearest, each point weighed by X(N) / N; None: not determined."""
    rows = [[_TERMS[term](n) * x / n for term in terms] for n, x in points]
    matrix = [
        [*(math.fsum(row[i] * row[j] for row in rows) for j in range(len(terms))), math.fsum(row[i] for row in rows)]
        for i in range(len(terms))
    ]
    solved = _solved(matrix)
    if solved is None:
        return None
    factors = [0.0, 0.0, 0.0]
    for term, factor in zip(terms, solved, strict=True):
        # What is negative by rounding only is zero.
        factors[term] = 0.0 if abs(factor) * _TERMS[term](points[-1][0]) < _NEGLIGIBLE * abs(solved[0]) else factor
    return factors[0], factors[1], factors[2]


def _solved(matrix: list[list[float]]) -> list[float] | None:
    """Gauss's elimination with the greatest pivot, of equations with their right-hand side; None: they are singular."""
    size = len(matrix)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) < _NEGLIGIBLE:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                matrix[row] = [value - factor * other for value, other in zip(matrix[row], matrix[column], strict=True)]
    return [matrix[row][size] / matrix[row][row] for row in range(size)]
