"""Counting a great many records at once, column by column: what a history of a million needs that has no checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nbtokens.history.columns import usd
from nbtokens.history.spread import Spread, grouped
from nbtokens.history.sums import MEASURES, Key, Measures, Sums
from nbtokens.record import purpose_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from nbtokens.history.columns import Columns
    from nbtokens.history.totals import Pair, Totals

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
_STATUS: Final = 7
_SOURCE: Final = 8
_COMPLETE: Final = 9
_TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)
_NUMBERS: Final = (*_TOKENS, "duration_s", "cost_usd")
_DAY: Final = 86_400_000_000
_MOST_ROWS: Final = 1 << 16
_MOST: Final = 2.0**53 / _MOST_ROWS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO: Final = Decimal(0)


class _Codes(dict[Any, int]):
    """Numbers things in the order in which they come."""

    def __missing__(self, thing: Any) -> int:  # noqa: ANN401 - whatever is numbered
        code = self[thing] = len(self)
        return code


class Bulk:
    """Takes calls in by the ten thousand. They are in the totals once `finish` was called.

    Args:
        totals: what they are added to.
    """

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._names: dict[tuple[Any, ...], int] = _Codes()
        self._pairs: dict[Pair, int] = _Codes()
        self._spreads = {measure: Spread() for measure in MEASURES}
        self._parts: dict[str, list[NDArray[Any]]] = {}
        self._rows = 0

    def add(self, calls: Columns) -> bool:
        """Take rows of kind `call` in, all of them or none.

        Returns:
            Whether it could be done: numbers that are too great to be added up exactly are for who looks at each line.
        """
        numbers: dict[str, NDArray[Any]] = {name: calls.floats(name) for name in _NUMBERS}
        if any((column > _MOST).any() for column in numbers.values()):
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
        """Add up what was taken in, but for the distributions.

        Args:
            costs: what each call cost, where that is no whole number of units.
        """
        if self._rows:
            columns = {name: np.concatenate(parts) for name, parts in self._parts.items()}
            lot = _Lot(list(self._names), columns, costs)
            for key, sums in lot.sums():
                self._totals.take(key, sums)
            lot.spread(self._pairs, self._spreads)
            self._parts, self._rows = {}, 0

    def finish(self) -> None:
        """Add up what is left, and the distributions."""
        self.fold()
        found = {measure: spread.distributions() for measure, spread in self._spreads.items()}
        for pair, number in self._pairs.items():
            known = {measure: ones[number] for measure, ones in found.items() if number in ones}
            self._totals.take_measures(pair, Measures(**known))
        self._pairs, self._spreads = _Codes(), {measure: Spread() for measure in MEASURES}


class _Lot:
    """Some ten thousand calls, to be added up."""

    def __init__(
        self, names: list[tuple[Any, ...]], columns: dict[str, NDArray[Any]], costs: list[Decimal] | None
    ) -> None:
        self._names = names
        self._columns = columns
        self._costs = costs
        self._codes: NDArray[np.int64] = columns["code"]
        self._ok = self._where(lambda name: name[_STATUS] == "ok")
        self._timed = self._ok & (columns["output_tokens"] > 0) & (columns["duration_s"] > 0)

    def _where(self, holds: Callable[[tuple[Any, ...]], bool]) -> NDArray[np.bool_]:
        """For each call, whether something holds that its names tell."""
        return np.array([holds(name) for name in self._names], np.bool_)[self._codes]

    def sums(self) -> Iterator[tuple[Key, Sums]]:
        """The sums of each key; they may come in parts."""
        at: NDArray[np.int64] = self._columns["at"]
        days = at // _DAY
        first_day = int(days.min())
        span = int(days.max()) - first_day + 1
        found, order, starts = grouped(self._codes * span + days - first_day)
        figures = self._figures(order, starts)
        names = [(one[0], one[1] or one[2], *one[3:_KEY_NAMES]) for one in self._names]
        for combined, *values in zip(found.tolist(), *(figures[name] for name in Sums.__struct_fields__), strict=True):
            code, day = divmod(combined, span)
            yield Key(_day(first_day + day), *names[code]), Sums(*values)

    def _figures(self, order: NDArray[np.int64], starts: NDArray[np.int64]) -> dict[str, list[Any]]:
        """For each group of calls, every field of `Sums`."""
        columns, ats = self._columns, self._columns["at"][order]
        counts = np.diff(starts, append=len(order)).tolist()
        whole, nothing = self._whole(), [0] * len(counts)
        duration = _known(columns["duration_s"])
        seconds = {"duration_s": duration, "timed_s": np.where(self._timed, duration, 0.0)}
        return {
            "calls": counts,
            **dict.fromkeys(("cache_hits", "saved_tokens", "runs", "runs_without_calls"), nothing),
            "saved_cost_usd": [_ZERO] * len(counts),
            "cost_usd": self._costs_of(order, starts, counts),
            "first_at": list(map(_moment, np.minimum.reduceat(ats, starts).tolist())),
            "last_at": list(map(_moment, np.maximum.reduceat(ats, starts).tolist())),
            **{
                name: np.add.reduceat(values[order], starts).astype(np.int64).tolist() for name, values in whole.items()
            },
            **{name: np.add.reduceat(column[order], starts).tolist() for name, column in seconds.items()},
        }

    def _costs_of(self, order: NDArray[np.int64], starts: NDArray[np.int64], counts: list[int]) -> list[Decimal]:
        """What each group cost."""
        if self._costs is None:
            return [usd(picos) for picos in np.add.reduceat(self._columns["picos"][order], starts).tolist()]
        costs = iter([self._costs[row] for row in order.tolist()])
        return [sum(islice(costs, count), _ZERO) for count in counts]

    def _whole(self) -> dict[str, NDArray[Any]]:
        """The whole numbers that are added up, of each call."""
        columns = self._columns
        tokens = {name: _known(columns[name]) for name in _TOKENS}
        priced = ~np.isnan(columns["cost_usd"])
        used = tokens["input_tokens"] + tokens["output_tokens"] > 0
        return {
            **{name: column for name, column in tokens.items() if name != "total_tokens"},
            "failed_calls": self._where(lambda name: name[_STATUS] == "error").astype(np.int64),
            "estimated_calls": self._where(lambda name: name[_SOURCE] == "estimated").astype(np.int64),
            "incomplete_calls": self._where(lambda name: name[_COMPLETE] is False).astype(np.int64),
            "unpriced_calls": (~priced & (self._ok | used)).astype(np.int64),
            "priced_calls": priced.astype(np.int64),
            "priced_tokens": np.where(priced, tokens["total_tokens"], 0.0),
            "timed_output_tokens": np.where(self._timed, tokens["output_tokens"], 0.0),
        }

    def spread(self, pairs: dict[Pair, int], spreads: dict[str, Spread]) -> None:
        """Take the measures of the calls that succeeded into the distributions of their model and operation."""
        pair_of_name = [
            pairs[one[1] or one[2], purpose_of(one[3], one[4])] if one[_STATUS] == "ok" else -1 for one in self._names
        ]
        pair_of_call = np.array(pair_of_name, np.int64)[self._codes]
        order = grouped(pair_of_call)[1][np.count_nonzero(~self._ok) :]
        pair_of_call = pair_of_call[order]
        with np.errstate(divide="ignore", invalid="ignore"):
            speeds = np.where(self._timed, self._columns["output_tokens"] / self._columns["duration_s"], np.nan)
        for measure, spread in spreads.items():
            values = (speeds if measure == "tokens_per_second" else self._columns[measure])[order]
            known = values > 0 if measure == "output_tokens" else ~np.isnan(values)
            spread.add(values[known], pair_of_call[known])


def _known(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same with 0 for what is not known."""
    return np.where(np.isnan(column), 0.0, column)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


@cache
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).date().isoformat()
