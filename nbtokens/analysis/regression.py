"""Least squares: how a measure depends on one or a few others, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, sqrt
from typing import TYPE_CHECKING, Final

from nbtokens.analysis.student import quantile, two_sided_p

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE: Final = 0.95
_NO_SPREAD: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Effect:
    """One coefficient.

    Attributes:
        value: how much the measure changes with one more of it.
        low: the least that is plausible, at 95 % confidence.
        high: the most.
        p: how likely so much is where there is no effect at all.
    """

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A line, or a plane, through some points.

    Attributes:
        count: how many points.
        intercept: the measure where all the others are 0.
        slopes: one effect for each of the others, the rest of them being equal.
        r_squared: the share of the measure's variance that they explain.
        collinear: the greatest share of one of the others' variance that the rest of them explain: near 1, their
            effects can't be told apart.
    """

    count: int
    intercept: Effect
    slopes: tuple[Effect, ...]
    r_squared: float
    collinear: float = 0.0


def fit(measure: Sequence[float], *others: Sequence[float]) -> Fit | None:
    """Fit a measure to others, with an intercept; None where there are too few points, or one has no spread.

    Intervals and p are those of heteroscedasticity-consistent errors (HC3; Long and Ervin, The American
    Statistician 54, 2000): long calls vary more than short ones.
    """
    count, free = len(measure), len(measure) - len(others) - 1
    if free < 1:
        return None
    means = [fsum(other) / count for other in others]
    spreads = [sqrt(fsum((x - mean) ** 2 for x in other)) for other, mean in zip(others, means, strict=True)]
    if any(spread <= _NO_SPREAD * max(abs(mean), 1) * count for spread, mean in zip(spreads, means, strict=True)):
        return None
    scaled = [[(x - m) / s for x in other] for other, m, s in zip(others, means, spreads, strict=True)]
    mean = fsum(measure) / count
    rest = [y - mean for y in measure]
    inverse = _inverted([[fsum(map(_times, a, b)) for b in scaled] for a in scaled])
    if inverse is None:
        return None
    toward = [fsum(map(_times, a, rest)) for a in scaled]
    slopes = [fsum(map(_times, row, toward)) for row in inverse]
    points = list(zip(*scaled, strict=True)) if scaled else [()] * count
    errors = [y - fsum(map(_times, slopes, x)) for y, x in zip(rest, points, strict=True)]
    variance = fsum(y * y for y in rest)
    spread_of = _covariance(points, errors, inverse, means, spreads)
    values = [slope / spread for slope, spread in zip(slopes, spreads, strict=True)]
    intercept = mean - fsum(map(_times, values, means))
    reach = quantile((1 + CONFIDENCE) / 2, free)
    effects = [
        _effect(value, sqrt(var), reach, free) for value, var in zip((intercept, *values), spread_of, strict=True)
    ]
    explained = 1 - fsum(e * e for e in errors) / variance if variance else 0.0
    collinear = max((1 - 1 / row[n] for n, row in enumerate(inverse)), default=0.0)
    return Fit(count, effects[0], tuple(effects[1:]), explained, collinear)


def _covariance(
    points: Sequence[Sequence[float]],
    errors: Sequence[float],
    inverse: list[list[float]],
    means: Sequence[float],
    spreads: Sequence[float],
) -> list[float]:
    """HC3 variances of the intercept and of each slope, in the units of the measure."""
    count, others = len(points), range(len(means))
    shift = [mean / spread for mean, spread in zip(means, spreads, strict=True)]
    sums = [0.0] * (len(means) + 1)
    for x, error in zip(points, errors, strict=True):
        pull = [fsum(map(_times, row, x)) for row in inverse]
        leverage = 1 / count + fsum(map(_times, pull, x))
        weight = (error / max(1 - leverage, _NO_SPREAD)) ** 2
        sums[0] += weight * (1 / count - fsum(map(_times, pull, shift))) ** 2
        for n in others:
            sums[n + 1] += weight * (pull[n] / spreads[n]) ** 2
    return sums


def _effect(value: float, error: float, reach: float, free: int) -> Effect:
    p = two_sided_p(value / error, free) if error else float(not value)
    return Effect(value, value - reach * error, value + reach * error, p)


def _times(a: float, b: float) -> float:
    return a * b


def _inverted(matrix: list[list[float]]) -> list[list[float]] | None:
    """The inverse of a small matrix (Gauss and Jordan, with pivots); None where there is none."""
    size = len(matrix)
    rows = [[*row, *(float(n == m) for m in range(size))] for n, row in enumerate(matrix)]
    for n in range(size):
        pivot = max(range(n, size), key=lambda m: abs(rows[m][n]))
        if abs(rows[pivot][n]) < _NO_SPREAD:
            return None
        rows[n], rows[pivot] = rows[pivot], rows[n]
        rows[n] = [value / rows[n][n] for value in rows[n]]
        for m in range(size):
            if m != n:
                rows[m] = [value - rows[m][n] * of for value, of in zip(rows[m], rows[n], strict=True)]
    return [row[size:] for row in rows]
