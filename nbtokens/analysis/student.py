"""Student's t distribution, in the few lines that tests and intervals need."""

from __future__ import annotations

from math import exp, inf, lgamma, log, log1p, pi, sqrt
from typing import Final

_TINY: Final = 1e-300
_PRECISION: Final = 1e-15
_MOST_STEPS: Final = 10_000


def two_sided_p(t: float, freedom: float) -> float:
    """How likely a t at least so far from 0 is where there is no effect.

    Args:
        t: the statistic.
        freedom: degrees of freedom, more than 0.
    """
    if t in (inf, -inf):
        return 0.0
    square = t * t
    if square < freedom:
        return 1 - _incomplete_beta(0.5, freedom / 2, square / (freedom + square))
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + square))


def quantile(share: float, freedom: float) -> float:
    """The t below which so great a share lies, 0.5 to 1.

    By Newton's method from 0 on: the share grows ever more slowly with t, so that no step goes too far.
    """
    height = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(freedom * pi)
    t, step = 0.0, 1.0
    while step > 1e-13 * t:
        density = height * exp(-(freedom + 1) / 2 * log1p(t * t / freedom))
        step = (share - 1 + two_sided_p(t, freedom) / 2) / density
        t += step
    return t


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b) (DLMF 8.17.22, the continued fraction)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    return front * _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """1 / (1 + d1 / (1 + d2 / (1 + ...))), by Lentz's method."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(_MOST_STEPS):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2:
            term = -((a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / (1 + term * d or _TINY)
        c = 1 + term / c or _TINY
        value *= c * d
        if abs(1 - c * d) < _PRECISION:
            break
    return value - 1
