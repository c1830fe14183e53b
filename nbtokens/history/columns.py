"""Rows of the ledger by columns, some hundred at once: how totals, DataFrames and analyses read a million of them.

    for columns in store.columns():
        models = columns.values("model")        # a list, as `Record.model` has it; None where it is not known
        seconds = columns.floats("duration_s")  # an array of float64, NaN where it is not known
        first = columns.record(0)               # a whole `Record`

Nothing but what is asked for is made of a row, so that this takes a third of the time of `store.records()`.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from decimal import Context, Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from msgspec.structs import astuple

from nbtokens.record import Record, folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    from nbtokens.record import Amendment

PICO: Final = 10**12
"""Amounts of money are counted in units of 1 / PICO USD, to add them up exactly."""
_PICO: Final = Decimal(PICO)
_exact: Final = Context(prec=40)
MOST_PICO: Final = 10**14
"""No more of them are taken for one call: sums of 65,536 of them fit an integer of 64 bits."""


@contextmanager
def no_collection() -> Iterator[None]:
    """Rows refer to nothing that refers to them; to look for that again and again takes longer than all the rest."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Columns:
    """Some rows of the ledger.

    Args:
        rows: records.
    """

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows
        self._columns: dict[str, tuple[Any, ...]] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def knows(self, name: str) -> bool:  # noqa: ARG002 - see who inherits
        """False where a field is known of no row, and that costs nothing to say."""
        return True

    def values(self, name: str) -> list[Any]:
        """A field of all rows, as `Record` has it; None where it is not known."""
        return list(self._column(name))

    def _column(self, name: str) -> Sequence[Any]:
        """A field as the rows hold it. All are made at once: that takes no more time than to make five."""
        if self._columns is None:
            fields = self._rows[0].__struct_fields__ if self._rows else ()
            self._columns = dict(zip(fields, zip(*map(astuple, self._rows), strict=True), strict=True))
        return self._columns.get(name) or [None] * len(self)

    def tuples(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Some fields of each row; none of money, and not `started_at`."""
        return zip(*map(self._column, names), strict=True)

    def floats(self, name: str) -> Floats:
        """A field that holds a number; NaN where it is not known."""
        values = self.values(name)
        try:
            return np.fromiter(values, np.float64, len(values))
        except TypeError:  # some are None, which takes longer
            return np.array(values, np.float64)

    def times(self) -> NDArray[np.datetime64]:
        """When the calls began, UTC, to the microsecond."""
        return np.array([at.replace(tzinfo=None) for at in self.values("started_at")], "datetime64[us]")

    def picos(self, name: str) -> NDArray[np.int64] | None:
        """A field that holds money, in units of 1 / PICO USD, 0 where it is not known; None where that is not exact."""
        amounts = [0 if cost is None else cost * PICO for cost in self.values(name)]
        if any(amount != int(amount) or amount > MOST_PICO for amount in amounts):
            return None
        return np.array(list(map(int, amounts)), np.int64)

    def record(self, number: int) -> Record:
        """One whole row."""
        record: Record = self._rows[number]
        return record

    def records(self) -> Iterator[Record]:
        """All rows, whole."""
        return map(self.record, range(len(self)))

    def only(self, numbers: Sequence[int]) -> Self:
        """Some of the rows."""
        if len(numbers) == len(self._rows):
            return self
        return type(self)([self._rows[number] for number in numbers])

    def where(self, name: str, holds: Callable[[Any], bool]) -> Self:
        """The rows whose field is so."""
        values = self.values(name)
        found = set(values)
        wanted = set(filter(holds, found))
        if wanted == found:
            return self
        return self.only([number for number, value in enumerate(values) if value in wanted])

    def fold(self, amended: Mapping[str | None, Amendment]) -> Columns:
        """The rows as their amendments leave them: `ref` -> row of kind `amend`."""
        if not amended or amended.keys().isdisjoint(self.values("id")):
            return self
        return Columns([folded(record, amended.get(record.id)) for record in self.records()])


def columns_of(records: Iterable[Record], size: int = 4096) -> Iterator[Columns]:
    """Records by columns."""
    rest = iter(records)
    while rows := list(islice(rest, size)):
        yield Columns(rows)


def usd(picos: int) -> Decimal:
    """An amount in units of 1 / PICO USD as money, with no more digits than it needs."""
    return _exact.divide(Decimal(picos), _PICO)
