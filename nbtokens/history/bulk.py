"""Counting a great many records at once, column by column: what a history of a million needs that has no checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nbtokens.history.columns import usd
from nbtokens.history.distribution import BUCKET_OFFSET, Distribution, bucket_keys
from nbtokens.history.sums import MEASURES, Key, Measures, Sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nbtokens.history.columns import Columns
    from nbtokens.history.totals import Totals

    Floats = NDArray[np.float64]

_NAMES: Final = (
    "provider",
    "model",
    "request_model",
    "operation",
    "call_type",
    "notebook",
    "user",
    "status",
    "usage_source",
    "complete",
)
_KEY_NAMES: Final = 8
_TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)
_NUMBERS: Final = (*_TOKENS, "duration_s", "cost_usd")
_EXACT: Final = 2.0**53
_DAY: Final = 86_400_000_000
_MOST_DAYS: Final = 10_000_000
_MOST_ROWS: Final = 1 << 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO: Final = Decimal(0)


class _Codes(dict[Any, int]):
    """Numbers things in the order in which they come."""

    def __missing__(self, thing: Any) -> int:  # noqa: ANN401 - whatever is numbered
        code = self[thing] = len(self)
        return code


class Bulk:
    """Takes calls in by the ten thousand. They are in the totals once `fold` was called.

    Args:
        totals: what they are added to.
    """

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._names: dict[tuple[Any, ...], int] = _Codes()
        self._parts: dict[str, list[NDArray[Any]]] = {}
        self._rows = 0

    def add(self, calls: Columns) -> bool:
        """Take rows of kind `call` in, all of them or none.

        Returns:
            Whether it could be done: numbers that are too great to be added up exactly are for who looks at each line.
        """
        numbers: dict[str, NDArray[Any]] = {name: calls.floats(name) for name in _NUMBERS}
        if any((column * _MOST_ROWS > _EXACT).any() for column in numbers.values()):
            return False
        picos = calls.picos("cost_usd")
        if picos is None:
            self.fold()
            costs = [_ZERO if cost is None else cost for cost in calls.values("cost_usd")]
        else:
            numbers["picos"] = picos
        numbers["at"] = calls.times().astype(np.int64)
        numbers["code"] = np.fromiter(map(self._names.__getitem__, calls.tuples(*_NAMES)), np.int64, len(calls))
        for name, column in numbers.items():
            self._parts.setdefault(name, []).append(column)
        self._rows += len(calls)
        if picos is None:
            self.fold(costs)
        elif self._rows >= _MOST_ROWS // 2:
            self.fold()
        return True

    def fold(self, costs: list[Decimal] | None = None) -> None:
        """Add up what was taken in.

        Args:
            costs: what each call cost, where that is no whole number of units.
        """
        if self._rows:
            columns = {name: np.concatenate(parts) for name, parts in self._parts.items()}
            _Fold(self._totals, list(self._names), columns, costs).fold()
            self._parts, self._rows = {}, 0


class _Fold:
    """One lot of calls on its way into the totals."""

    def __init__(
        self,
        totals: Totals,
        names: list[tuple[Any, ...]],
        columns: dict[str, NDArray[Any]],
        costs: list[Decimal] | None,
    ) -> None:
        self._totals = totals
        self._names = names
        self._columns = columns
        self._costs = costs
        self._codes: NDArray[np.int64] = columns["code"]
        self._ok = self._where(lambda name: name[7] == "ok")
        self._timed = self._ok & (columns["output_tokens"] > 0) & (columns["duration_s"] > 0)

    def _where(self, holds: Callable[[tuple[Any, ...]], bool]) -> NDArray[np.bool_]:
        """For each call, whether something holds that its names tell."""
        return np.array([holds(name) for name in self._names], np.bool_)[self._codes]

    def fold(self) -> None:
        """Take it in."""
        self._take_sums()
        self._take_measures()

    def _take_sums(self) -> None:
        at = self._columns["at"]
        days = at // _DAY
        combined = self._codes * _MOST_DAYS + days - days.min()
        order = np.argsort(combined, kind="stable")
        ordered = combined[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        ats = at[order]
        first_at, last_at = np.minimum.reduceat(ats, starts).tolist(), np.maximum.reduceat(ats, starts).tolist()
        whole = {
            name: np.add.reduceat(np.nan_to_num(column[order]), starts).astype(np.int64).tolist()
            for name, column in self._figures().items()
        }
        duration = self._columns["duration_s"]
        seconds = {
            "duration_s": np.add.reduceat(np.nan_to_num(duration[order]), starts).tolist(),
            "timed_s": np.add.reduceat(np.where(self._timed, duration, 0.0)[order], starts).tolist(),
        }
        bounds = [*starts.tolist(), len(order)]
        costs = self._costs_of(order, starts, bounds)
        codes = self._codes[order[starts]].tolist()
        for number, (start, end) in enumerate(pairwise(bounds)):
            first = _moment(first_at[number])
            sums = Sums(
                calls=end - start,
                cost_usd=costs[number],
                first_at=first,
                last_at=_moment(last_at[number]),
                **{name: values[number] for name, values in whole.items()},
                **{name: values[number] for name, values in seconds.items()},
            )
            provider, model, asked, *rest = self._names[codes[number]][:_KEY_NAMES]
            self._totals.take(Key(first.date().isoformat(), provider, model or asked, *rest), sums)

    def _costs_of(self, order: NDArray[np.int64], starts: NDArray[np.int64], bounds: list[int]) -> list[Decimal]:
        """What each group cost."""
        if self._costs is None:
            return [usd(picos) for picos in np.add.reduceat(self._columns["picos"][order], starts).tolist()]
        costs = [self._costs[row] for row in order.tolist()]
        return [sum(costs[start:end], _ZERO) for start, end in pairwise(bounds)]

    def _figures(self) -> dict[str, Floats]:
        columns = self._columns
        used = (np.nan_to_num(columns["input_tokens"]) + np.nan_to_num(columns["output_tokens"])) > 0
        priced = ~np.isnan(columns["cost_usd"])
        return {
            **{name: columns[name] for name in _TOKENS if name != "total_tokens"},
            "failed_calls": self._where(lambda name: name[7] == "error").astype(np.float64),
            "estimated_calls": self._where(lambda name: name[8] == "estimated").astype(np.float64),
            "incomplete_calls": self._where(lambda name: name[9] is False).astype(np.float64),
            "unpriced_calls": (~priced & (self._ok | used)).astype(np.float64),
            "priced_calls": priced.astype(np.float64),
            "priced_tokens": np.where(priced, columns["total_tokens"], 0.0),
            "timed_output_tokens": np.where(self._timed, columns["output_tokens"], 0.0),
        }

    def _take_measures(self) -> None:
        pairs: dict[Any, int] = _Codes()
        pair_of_name = np.array([pairs[one[1] or one[2], one[3]] for one in self._names], np.int64)
        of_row = pair_of_name[self._codes]
        names = list(pairs)
        gathered = {names[number]: Measures() for number in np.unique(of_row[self._ok]).tolist()}
        with np.errstate(divide="ignore", invalid="ignore"):
            speeds = np.where(self._timed, self._columns["output_tokens"] / self._columns["duration_s"], np.nan)
        for measure in MEASURES:
            values = speeds if measure == "tokens_per_second" else self._columns[measure]
            chosen = self._ok & ~np.isnan(values)
            for number, distribution in _distributions(values[chosen], of_row[chosen]).items():
                setattr(gathered[names[number]], measure, distribution)
        for pair, measures in gathered.items():
            self._totals.take_measures(pair, measures)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _distributions(values: Floats, groups: NDArray[np.int64]) -> dict[int, Distribution]:
    """The distribution of each group's values."""
    if not len(values):
        return {}
    order = np.argsort(groups, kind="stable")
    values, groups = values[order], groups[order]
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    sums, least, most = (np.add.reduceat(values, starts), np.minimum.reduceat(values, starts),
                         np.maximum.reduceat(values, starts))  # fmt: skip
    bounds = [*starts.tolist(), len(values)]
    found = {}
    for number, (a, b) in enumerate(pairwise(bounds)):
        part = values[a:b]
        positive = part[part > 0]
        keys = bucket_keys(positive)
        counts = np.bincount(keys + BUCKET_OFFSET) if len(keys) else np.zeros(0, np.int64)
        filled = np.flatnonzero(counts)
        found[int(groups[a])] = Distribution(
            b - a, float(sums[number]), float(least[number]), float(most[number]), len(part) - len(positive),
            dict(zip((filled - BUCKET_OFFSET).tolist(), counts[filled].tolist(), strict=True)),
        )  # fmt: skip
    return found
