"""Quantiles that can be merged, within 1 % of the true ones."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtokens.history.distribution import RELATIVE_ERROR, Distribution

_VALUES = st.lists(st.floats(0, 1e9, allow_subnormal=False) | st.integers(0, 10**6).map(float), max_size=200)
_SHARES = (0.0, 0.25, 0.5, 0.95, 0.99, 1.0)


def _of(values: list[float]) -> Distribution:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution


def _agree(found: Distribution, values: list[float]) -> None:
    assert found.count == len(values)
    assert found.sum == pytest.approx(math.fsum(values))
    if not values:
        assert found.summary() == {"count": 0, "sum": 0.0} | dict.fromkeys(("avg", "min", "max", "p50", "p95", "p99"))
        return
    assert (found.min, found.max) == (min(values), max(values))
    assert found.summary()["avg"] == pytest.approx(np.mean(values))
    for share in _SHARES:
        true = float(np.quantile(values, share, method="lower"))
        assert found.quantile(share) == pytest.approx(true, rel=RELATIVE_ERROR * 1.000001, abs=0), share


@given(values=_VALUES)
def test_quantiles_of_any_values(values: list[float]) -> None:
    """Each quantile lies within 1 % of the value that has its rank; count, least and most are exact."""
    _agree(_of(values), values)


@given(first=_VALUES, second=_VALUES)
def test_merged_is_the_whole(first: list[float], second: list[float]) -> None:
    """Two distributions merged are the distribution of all their values."""
    both, whole = _of(first), _of(first + second)
    both.merge(_of(second))
    _agree(both, first + second)
    assert (both.buckets, both.zeros) == (whole.buckets, whole.zeros)


@given(values=_VALUES)
def test_survives_the_checkpoint(values: list[float]) -> None:
    """Written as JSON and read back it is the same."""
    distribution = _of(values)
    assert msgspec.json.decode(msgspec.json.encode(distribution), type=Distribution) == distribution


@pytest.mark.parametrize("seed", range(3))
def test_many_calls(seed: int) -> None:
    """Over 20,000 durations as they occur, p50, p95 and p99 lie within 1 % of numpy's."""
    values = np.random.default_rng(seed).lognormal(0.5, 1.5, 20_000).tolist()
    summary = _of(values).summary()
    true = np.quantile(values, [0.5, 0.95, 0.99])
    assert [summary["p50"], summary["p95"], summary["p99"]] == pytest.approx(true.tolist(), rel=0.0105)


@pytest.mark.parametrize("value", [0.0, 1e-9, 1.0, 7.25, 1e12])
def test_one_value_is_every_quantile(value: float) -> None:
    """Where there is one value only, every quantile is exactly that value."""
    distribution = _of([value, value])
    assert {distribution.quantile(share) for share in _SHARES} == {value}


def test_stays_small() -> None:
    """A hundred thousand different values take hundreds of buckets, not thousands."""
    assert len(_of([1.0001**n for n in range(100_000)]).buckets) < 600
