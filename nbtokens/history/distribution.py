"""Quantiles of a measure that can be merged and kept in a few hundred bytes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from ddsketch.mapping import LogarithmicMapping

RELATIVE_ERROR: Final = 0.01
"""A quantile lies within 1 % of the true one (DDSketch, Masson et al., VLDB 2019)."""


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

    def add(self, value: float) -> None:
        """Take one more value in."""
        self.count += 1
        self.sum += value
        self.min = value if self.min is None else min(self.min, value)
        self.max = value if self.max is None else max(self.max, value)
        if value <= 0:
            self.zeros += 1
            return
        key = _key(value)
        self.buckets[key] = self.buckets.get(key, 0) + 1

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
            self.buckets[key] = self.buckets.get(key, 0) + count

    def quantile(self, share: float) -> float | None:
        """The value under which `share` (0 to 1) of all values lie; None where there are none."""
        if not self.count or self.min is None or self.max is None:
            return None
        rank = share * (self.count - 1)
        passed = self.zeros
        if rank < passed:
            return 0.0
        for key in sorted(self.buckets):
            passed += self.buckets[key]
            if rank < passed:
                return min(max(float(_mapping().value(key)), self.min), self.max)
        return self.max

    def summary(self) -> dict[str, Any]:
        """count, avg, min, max, p50, p95, p99 and sum; None where there are no values."""
        return {
            "count": self.count,
            "avg": self.sum / self.count if self.count else None,
            "min": self.min,
            "max": self.max,
            "p50": self.quantile(0.50),
            "p95": self.quantile(0.95),
            "p99": self.quantile(0.99),
            "sum": self.sum,
        }


@functools.cache
def _mapping() -> LogarithmicMapping:
    from ddsketch.mapping import LogarithmicMapping  # noqa: PLC0415 - loaded where quantiles are first wanted

    return LogarithmicMapping(RELATIVE_ERROR)


def _key(value: float) -> int:
    return int(_mapping().key(value))
