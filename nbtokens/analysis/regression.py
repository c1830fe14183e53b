"""Least squares: how a measure depends on one or a few others, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Final

from nbtokens.analysis.student import quantile, two_sided_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

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


def fit(measure: Sequence[float] | Floats, *others: Sequence[float] | Floats) -> Fit | None:
    """Fit a measure to others, with an intercept; None where there are too few points, or one has no spread.

    Intervals and p are those of heteroscedasticity-consistent errors (HC3; Long and Ervin, The American
    Statistician 54, 2000): long calls vary more than short ones.
    """
    import numpy as np  # noqa: PLC0415 - only where there is something to fit

    y, x = np.asarray(measure, np.float64), np.asarray(others, np.float64)
    count, free = len(y), len(y) - len(others) - 1
    if free < 1:
        return None
    means = x.mean(axis=1)
    spreads = np.sqrt(((x - means[:, None]) ** 2).sum(axis=1))
    if (spreads <= _NO_SPREAD * np.maximum(np.abs(means), 1) * count).any():
        return None
    scaled = (x - means[:, None]) / spreads[:, None]
    gram = scaled @ scaled.T
    if np.linalg.eigvalsh(gram)[0] < _NO_SPREAD:
        return None
    inverse = np.linalg.inv(gram)
    rest = y - y.mean()
    slopes = inverse @ (scaled @ rest)
    errors = rest - slopes @ scaled
    pull = inverse @ scaled
    leverage = 1 / count + (pull * scaled).sum(axis=0)
    weights = (errors / np.maximum(1 - leverage, _NO_SPREAD)) ** 2
    variances = [
        (weights * (1 / count - (means / spreads) @ pull) ** 2).sum(),
        *(weights * pull**2).sum(axis=1) / spreads**2,
    ]
    values = slopes / spreads
    reach = quantile((1 + CONFIDENCE) / 2, free)
    effects = [
        _effect(float(value), sqrt(variance), reach, free)
        for value, variance in zip((y.mean() - values @ means, *values), variances, strict=True)
    ]
    variance = float((rest**2).sum())
    explained = 1 - float((errors**2).sum()) / variance if variance else 0.0
    collinear = max(0.0, float((1 - 1 / np.diag(inverse)).max()))
    return Fit(count, effects[0], tuple(effects[1:]), explained, collinear)


def _effect(value: float, error: float, reach: float, free: int) -> Effect:
    p = two_sided_p(value / error, free) if error else float(not value)
    return Effect(value, value - reach * error, value + reach * error, p)
