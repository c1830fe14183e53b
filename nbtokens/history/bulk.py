"""Counting a great many records at once, column by column: what a history of a million needs that has no checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nbtokens.history.distribution import BUCKET_OFFSET, Distribution, bucket_keys
from nbtokens.history.sums import MEASURES, Key, Measures, Sums
from nbtokens.record import MOST_USD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from nbtokens.history.totals import Totals
    from nbtokens.record import Record

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
_FIELDS: Final = (*_NAMES, *_NUMBERS, "started_at")
_columns: Final = attrgetter(*_FIELDS)
_zone: Final = attrgetter("tzinfo")
_EXACT: Final = 2.0**53
_DAY: Final = 86_400.0
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
        self._columns: dict[str, list[NDArray[Any]]] = {}
        self._costs: list[Decimal | None] = []

    def add(self, records: Sequence[Record]) -> bool:
        """Take records of kind `call` in, all of them or none.

        Returns:
            Whether it could be done: what may be no record, and numbers that are too great to be added up exactly,
            are for who looks at each line.
        """
        rows = dict(zip(_FIELDS, zip(*map(_columns, records), strict=True), strict=True))
        numbers = {name: _floats(rows[name]) for name in _NUMBERS}
        costs = numbers["cost_usd"]
        zones = set(map(_zone, rows["started_at"]))
        if zones != {UTC} or not (np.isnan(costs) | ((costs >= 0) & (costs <= float(MOST_USD)))).all():
            return False
        if any((np.nan_to_num(column) * _MOST_ROWS > _EXACT).any() for column in numbers.values()):
            return False
        numbers["at"] = np.fromiter(map(datetime.timestamp, rows["started_at"]), np.float64, len(records))
        kinds = zip(*(rows[name] for name in _NAMES), strict=True)
        numbers["code"] = np.fromiter(map(self._names.__getitem__, kinds), np.float64, len(records))
        for name, column in numbers.items():
            self._columns.setdefault(name, []).append(column)
        self._costs.extend(rows["cost_usd"])
        if len(self._costs) >= _MOST_ROWS // 2:
            self.fold()
        return True

    def fold(self) -> None:
        """Add up what was taken in."""
        if self._costs:
            lot = {name: np.concatenate(parts) for name, parts in self._columns.items()}
            _Fold(self._totals, list(self._names), lot, self._costs).fold()
            self._columns, self._costs = {}, []


class _Fold:
    """One lot of calls on its way into the totals."""

    def __init__(
        self,
        totals: Totals,
        names: list[tuple[Any, ...]],
        columns: dict[str, Floats],
        costs: list[Decimal | None],
    ) -> None:
        self._totals = totals
        self._names = names
        self._columns = columns
        self._costs = costs
        self._codes = columns["code"].astype(np.int64)
        self._ok = self._where(lambda name: name[7] == "ok")
        self._timed = (
            self._ok & (np.nan_to_num(columns["output_tokens"]) > 0) & (np.nan_to_num(columns["duration_s"]) > 0)
        )

    def _where(self, holds: Callable[[tuple[Any, ...]], bool]) -> NDArray[np.bool_]:
        """For each call, whether something holds that its names tell."""
        return np.array([holds(name) for name in self._names], np.bool_)[self._codes]

    def fold(self) -> None:
        """Take it in."""
        self._take_sums()
        self._take_measures()

    def _take_sums(self) -> None:
        at = self._columns["at"]
        days = np.floor(at / _DAY).astype(np.int64)
        combined = self._codes * _MOST_DAYS + days - days.min()
        order = np.lexsort((at, combined))
        ordered = combined[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        bounds = [*starts.tolist(), len(order)]
        figures = self._figures()
        whole = {
            name: np.add.reduceat(np.nan_to_num(column[order]), starts).astype(np.int64).tolist()
            for name, column in figures.items()
        }
        seconds = {
            "duration_s": np.add.reduceat(np.nan_to_num(self._columns["duration_s"][order]), starts).tolist(),
            "timed_s": np.add.reduceat(np.where(self._timed, self._columns["duration_s"], 0.0)[order], starts).tolist(),
        }
        costs = [self._costs[row] or _ZERO for row in order.tolist()]
        ats = at[order]
        for number, (start, end) in enumerate(pairwise(bounds)):
            row = order[start]
            first = _moment(ats[start])
            sums = Sums(
                calls=end - start,
                cost_usd=sum(costs[start:end], _ZERO),
                first_at=first,
                last_at=_moment(ats[end - 1]),
                **{name: values[number] for name, values in whole.items()},
                **{name: values[number] for name, values in seconds.items()},
            )
            provider, model, asked, *rest = self._names[self._codes[row]][:_KEY_NAMES]
            self._totals.take(Key(first.date().isoformat(), provider, model or asked, *rest), sums)

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


def _moment(timestamp: float) -> datetime:
    return _EPOCH + timedelta(seconds=float(timestamp))


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


def _floats(column: Sequence[Any]) -> Floats:
    """Numbers as floats; what is not known is NaN."""
    if column.count(None) == len(column):
        return np.full(len(column), np.nan)
    return np.array(column, np.float64)
