"""Quantiles of a measure that can be merged and kept in a few hundred bytes."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from math import ceil, log
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    import numpy as np
    from numpy.typing import NDArray

RELATIVE_ERROR: Final = 0.01
"""A quantile lies within 1 % of the true one.

The buckets are those of DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019, section 2): bucket k holds the values in
(gamma^(k-1), gamma^k]. A dict of counts can be merged, and kept as JSON.
"""
GREATEST: Final = 1e100
"""The largest value that is told apart: a line that somebody else wrote may hold any number."""
_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_MULTIPLIER: Final = 1 / log(_GAMMA)
BUCKET_OFFSET: Final = 1 << 16
"""No bucket's number is as far from 0 as this."""


class Distribution(msgspec.Struct, array_like=True):
    """How a measure is spread: exact count, sum, least and most; quantiles within `RELATIVE_ERROR`.

    Zero has a bucket of its own. Negative values do not occur in what is measured here.
    """

    count: int = 0
    sum: float = 0.0
    min: float | None = None
    max: float | None = None
    zeros: int = 0
    buckets: dict[int, int] = msgspec.field(default_factory=dict)

    def add(self, value: float | Decimal) -> None:
        """Take one more value in. What is beyond all measure counts as `GREATEST`."""
        value = float(min(value, GREATEST))
        if self.min is None or self.max is None:
            self.min = self.max = value
        elif value < self.min:
            self.min = value
        elif value > self.max:
            self.max = value
        self.count += 1
        self.sum += value
        if value > 0:
            key = ceil(log(value) * _MULTIPLIER)
            self.buckets[key] = self.buckets.get(key, 0) + 1
        else:
            self.zeros += 1

    def remove(self, value: float | Decimal) -> None:
        """Take a value out again that was taken in. The least and the most stay as they are."""
        value = float(min(value, GREATEST))
        self.count -= 1
        self.sum -= value
        if value > 0:
            self._change(ceil(log(value) * _MULTIPLIER), -1)
        else:
            self.zeros -= 1

    def merge(self, other: Distribution) -> None:
        """Take all values of another one in."""
        self.count += other.count
        self.sum += other.sum
        for bound in (other.min, other.max):
            if bound is not None:
                self.min = bound if self.min is None else min(self.min, bound)
                self.max = bound if self.max is None else max(self.max, bound)
        self.zeros += other.zeros
        for key, count in other.buckets.items():
            self._change(key, count)

    def copied(self) -> Distribution:
        """The same, to be changed on its own."""
        return Distribution(self.count, self.sum, self.min, self.max, self.zeros, dict(self.buckets))

    def quantile(self, share: float) -> float | None:
        """The value under which `share` (0 to 1) of all values lie; None where there are none."""
        return self.quantiles((share,))[0]

    def quantiles(self, shares: Sequence[float]) -> list[float | None]:
        """The values under which these shares of all values lie."""
        if not self.count or self.min is None or self.max is None:
            return [None] * len(shares)
        keys = sorted(self.buckets)
        behind = list(accumulate(map(self.buckets.__getitem__, keys), initial=self.zeros))
        return [self._at(share * (self.count - 1), keys, behind) for share in shares]

    def _at(self, rank: float, keys: list[int], behind: list[int]) -> float | None:
        """The value at a place in the order of all; `behind` says how many lie below each bucket's end."""
        bucket = bisect_right(behind, rank)
        if bucket == 0:
            return 0.0
        if bucket > len(keys) or self.min is None or self.max is None:
            return self.max
        return min(max(2 * _GAMMA ** keys[bucket - 1] / (1 + _GAMMA), self.min), self.max)

    def _change(self, key: int, by: int) -> None:
        count = self.buckets.get(key, 0) + by
        if count:
            self.buckets[key] = count
        else:
            self.buckets.pop(key, None)

    def summary(self) -> dict[str, Any]:
        """count, avg, min, max, p50, p95, p99 and sum; None where there are no values."""
        p50, p95, p99 = self.quantiles((0.50, 0.95, 0.99))
        return {
            "count": self.count,
            "avg": self.sum / self.count if self.count else None,
            "min": self.min,
            "max": self.max,
            "p50": p50,
            "p95": p95,
            "p99": p99,
            "sum": self.sum,
        }


def bucket_keys(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The buckets of many values above 0 at once."""
    import numpy as np  # noqa: PLC0415 - who comes with an array has it already

    return np.ceil(np.log(values) * _MULTIPLIER).astype(np.int64)
