"""Least squares and Student's t against statsmodels and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nbtokens.analysis.regression import fit
from nbtokens.analysis.student import quantile, two_sided_p


@given(st.floats(-1e3, 1e3), st.floats(1, 1e6))
def test_p_is_that_of_scipy(t: float, freedom: float) -> None:
    """The tails, from the middle to far out."""
    assert two_sided_p(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-7, abs=1e-9)


@given(st.floats(0.5, 0.9999), st.floats(1, 1e6))
def test_quantile_is_that_of_scipy(share: float, freedom: float) -> None:
    """The inverse."""
    assert quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-6, abs=1e-9)


def test_beyond_all_measure() -> None:
    """An effect without any error is certain."""
    assert two_sided_p(math.inf, 5) == 0


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(8, 80),
    others=st.integers(1, 3),
    scale=st.sampled_from([1e-3, 1.0, 1e5]),
    noise=st.sampled_from([1e-3, 1.0, 100.0]),
)
def test_fit_is_that_of_statsmodels(seed: int, count: int, others: int, scale: float, noise: float) -> None:
    """Coefficients, HC3 intervals, p and R², on any scale and with errors that grow with the first of the others."""
    chance = np.random.default_rng(seed)
    x = chance.uniform(0, scale, (count, others)) + scale
    y = x @ chance.normal(0, 1 / scale, others) + 3 + chance.normal(0, noise, count) * x[:, 0] / scale
    found = fit(y.tolist(), *x.T.tolist())
    expected = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HC3", use_t=True)
    assert found is not None
    effects = [found.intercept, *found.slopes]
    assert [one.value for one in effects] == pytest.approx(expected.params.tolist(), rel=1e-5, abs=1e-7)
    assert [one.p for one in effects] == pytest.approx(expected.pvalues.tolist(), rel=1e-3, abs=1e-7)
    assert [[one.low, one.high] for one in effects] == [
        pytest.approx(row, rel=1e-4, abs=1e-6) for row in expected.conf_int().tolist()
    ]
    assert found.r_squared == pytest.approx(expected.rsquared, abs=1e-7)


def test_collinear_is_the_share_that_the_others_explain() -> None:
    """R² of one of the others on the rest, as statsmodels has it."""
    chance = np.random.default_rng(1)
    a = chance.normal(0, 1, 200)
    b = a + chance.normal(0, 0.3, 200)
    found = fit(chance.normal(0, 1, 200).tolist(), a.tolist(), b.tolist())
    assert found is not None
    assert found.collinear == pytest.approx(sm.OLS(a, sm.add_constant(b)).fit().rsquared)


@pytest.mark.parametrize(
    ("measure", "others"),
    [
        pytest.param([], [[]], id="nothing"),
        pytest.param([1.0, 2.0], [[1.0, 2.0]], id="two points"),
        pytest.param([1.0, 2.0, 3.0], [[5.0, 5.0, 5.0]], id="no spread"),
        pytest.param([1.0, 2.0, 3.0, 5.0], [[1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 8.0]], id="one is the double"),
    ],
)
def test_what_says_nothing(measure: list[float], others: list[list[float]]) -> None:
    """Too few points, no spread, or two that are one: there is no fit."""
    assert fit(measure, *others) is None


def test_all_measures_equal() -> None:
    """A measure that never changes follows nothing."""
    found = fit([2.0] * 5, [1.0, 2, 3, 4, 5])
    assert found is not None
    assert (found.intercept.value, found.slopes[0].value, found.slopes[0].p, found.r_squared) == (2, 0, 1, 0)
