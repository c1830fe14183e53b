"""Columns of a great many rows, put together block by block, and grouped."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nbtokens.history.columns import PICO, usd
from nbtokens.history.spread import grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from nbtokens.history.columns import Columns

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_HALF: Final = 31
_LEAST_ROWS: Final = 1 << 14
_MOST_UNITS: Final = 2**62
_NOTHING: Final = hash(None)


class Codes(dict[Any, int]):
    """Numbers things in the order in which they come."""

    def __missing__(self, thing: Any) -> int:  # noqa: ANN401 - whatever is numbered
        code = self[thing] = len(self)
        return code

    def of(self, things: Iterable[Any], count: int) -> NDArray[np.int32]:
        """The numbers of so many things."""
        return np.fromiter(map(self.__getitem__, things), np.int32, count)


class Gathered:
    """Columns that grow, each in one piece of memory: many small ones would slow down what is read meanwhile."""

    def __init__(self) -> None:
        self._columns: dict[str, NDArray[Any]] = {}
        self._count = 0

    def add(self, **columns: NDArray[Any]) -> None:
        """Take some more rows in; always the same columns."""
        count = self._count
        for name, column in columns.items():
            known = self._columns.get(name, column[:0])
            end = count + len(column)
            if end > len(known):
                larger = np.empty(max(2 * end, _LEAST_ROWS), known.dtype)
                larger[:count] = known[:count]
                known = self._columns[name] = larger
            known[count:end] = column
            self._count = end

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name][: self._count] if name in self._columns else np.zeros(0, np.int64)


class Money:
    """A column of exact amounts: whole units of 1 / PICO USD, and what is left of the few that are no whole number."""

    def __init__(self) -> None:
        self._units = Gathered()
        self._rests: dict[int, Decimal] = {}
        self._count = 0

    def add(self, columns: Columns, name: str, rows: Ints) -> None:
        """Take an amount of some more rows in; what is not known is 0."""
        units = columns.picos(name)
        if units is None:
            amounts = [(cost or Decimal(0)) * PICO for cost in columns.values(name)]
            units = np.array([int(amount) if amount < _MOST_UNITS else 0 for amount in amounts], np.int64)
            chosen = ((place, amounts[row] - int(units[row])) for place, row in enumerate(rows.tolist(), self._count))
            self._rests.update((place, rest / PICO) for place, rest in chosen if rest)
        self._units.add(units=units[rows])
        self._count += len(rows)

    def sum(self, rows: Ints) -> Decimal:
        """What some rows come to."""
        units = self._units["units"][rows]
        whole = (int((units >> _HALF).sum()) << _HALF) + int((units & (1 << _HALF) - 1).sum())
        total = usd(whole)
        if self._rests:
            total = sum((self._rests[row] for row in rows.tolist() if row in self._rests), total)
        return total


def groups(codes: NDArray[Any], rows: Ints, least: int = 1) -> list[Ints]:
    """Some rows by their codes: the groups of so many rows at least, in the order in which they begin."""
    if not len(rows):
        return []
    _, order, starts = grouped(codes[rows])
    ends = np.append(starts[1:], len(rows))
    found = [rows[order[starts[one] : ends[one]]] for one in np.flatnonzero(ends - starts >= least).tolist()]
    return sorted(found, key=lambda group: int(group[0]))


def translated(names: Sequence[Any], of: Callable[[Any], Any]) -> tuple[list[Any], Ints]:
    """What names come to, each once; and for each of the names' codes the code of that."""
    codes = Codes()
    places = np.array([codes[of(name)] for name in names], np.int64)
    return list(codes), places


def fingerprints(texts: Iterable[str | None], count: int) -> Ints:
    """64 bits of each text, 0 where there is none; two of a million texts share theirs once in 10**7 times."""
    found = np.fromiter(map(hash, texts), np.int64, count)
    found[found == _NOTHING] = 0
    return found


def counts(columns: Columns, name: str) -> Ints:
    """A column of counts; 0 where one is not known."""
    known = columns.floats(name)
    return np.where(np.isnan(known), 0, known).astype(np.int64)
