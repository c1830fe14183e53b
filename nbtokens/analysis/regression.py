"""Least squares: how a measure depends on one or a few others, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Final, NamedTuple

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


class Products(NamedTuple):
    """What is needed of some points to fit a measure to others: they need not be at hand themselves.

    Attributes:
        points: how many.
        means: of the measure and of each of the others.
        products: the sums, over the points, of the products of each two of these, less their means.
    """

    points: int
    means: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]


class Errors(NamedTuple):
    """What is needed of the distances of the points from the plane.

    Attributes:
        squares: the sum of their squares.
        weighted: the sums of the products of each two of 1 and the others less their means, each point weighted by
            the square of its error / (1 - its leverage).
    """

    squares: float
    weighted: tuple[tuple[float, ...], ...]


def fit(measure: Sequence[float] | Floats, *others: Sequence[float] | Floats) -> Fit | None:
    """Fit a measure to others, with an intercept; None where there are too few points, or one has no spread.

    Intervals and p are those of heteroscedasticity-consistent errors (HC3; Long and Ervin, The American
    Statistician 54, 2000): long calls vary more than short ones.
    """
    import numpy as np  # noqa: PLC0415 - only where there is something to fit

    points = np.array([measure, *others], np.float64)
    count = points.shape[1]
    if count <= len(points):
        return None
    means = points.mean(axis=1)
    rest = points - means[:, None]
    products = Products(count, tuple(means.tolist()), tuple(map(tuple, (rest @ rest.T).tolist())))
    plane = Plane.through(products)
    if plane is None:
        return None
    errors = rest[0] - plane.slopes @ rest[1:]
    leverage = 1 / count + ((plane.inverse @ rest[1:]) * rest[1:]).sum(axis=0)
    weights = (errors / np.maximum(1 - leverage, _NO_SPREAD)) ** 2
    rest[0] = 1.0
    weighted = tuple(map(tuple, ((weights * rest) @ rest.T).tolist()))
    return plane.fit(Errors(float((errors**2).sum()), weighted))


class Plane(NamedTuple):
    """The plane of least squares: its slopes, and the inverse of the products of the others."""

    of: Products
    slopes: Floats
    inverse: Floats
    collinear: float

    @classmethod
    def through(cls, of: Products) -> Plane | None:
        """None where there are too few points, or one of the others has no spread of its own."""
        import numpy as np  # noqa: PLC0415 - only where there is something to fit

        if of.points <= len(of.means):
            return None
        means, products = np.array(of.means[1:]), np.array(of.products)
        spreads = np.sqrt(np.diag(products)[1:])
        if (spreads <= _NO_SPREAD * np.maximum(np.abs(means), 1) * of.points).any():
            return None
        scale = np.outer(spreads, spreads)
        gram = products[1:, 1:] / scale
        if np.linalg.eigvalsh(gram)[0] < _NO_SPREAD:
            return None
        inverse = np.linalg.inv(gram)
        collinear = max(0.0, float((1 - 1 / np.diag(inverse)).max())) if len(gram) > 1 else 0.0
        return cls(of, inverse / scale @ products[1:, 0], inverse / scale, collinear)

    @property
    def intercept(self) -> float:
        """The measure where all the others are 0."""
        means = self.of.means
        return means[0] - sum(float(slope) * mean for slope, mean in zip(self.slopes, means[1:], strict=True))

    def fit(self, errors: Errors) -> Fit:
        """The fit, its certainty from the errors."""
        import numpy as np  # noqa: PLC0415 - the same

        count, means, products = self.of
        free = count - len(means)
        centre = np.array(means[1:])
        pulls = np.zeros((len(means), len(means)))
        pulls[0] = 1 / count, *(-centre @ self.inverse)
        pulls[1:, 1:] = self.inverse
        variances = np.einsum("ij,jk,ik->i", pulls, np.array(errors.weighted), pulls)
        values = (self.intercept, *self.slopes)
        reach = quantile((1 + CONFIDENCE) / 2, free)
        effects = [
            _effect(float(value), sqrt(max(variance, 0.0)), reach, free)
            for value, variance in zip(values, variances.tolist(), strict=True)
        ]
        variance = products[0][0]
        explained = 1 - errors.squares / variance if variance else 0.0
        return Fit(count, effects[0], tuple(effects[1:]), explained, self.collinear)


def _effect(value: float, error: float, reach: float, free: int) -> Effect:
    p = two_sided_p(value / error, free) if error else float(not value)
    return Effect(value, value - reach * error, value + reach * error, p)
