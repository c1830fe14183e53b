"""Rows that a question has to see one by one, by the columns that it reads: the database selects both."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from nbtokens.history.columns import Columns
from nbtokens.record import Record
from nbtokens.team.tables import COLUMNS, token_usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection, Select

_ALWAYS: Final = ("v", "kind", "id", "started_at")
_SIZE: Final = 4096


class Rows(Columns):
    """Some rows of the database. Fields that were not selected are not known to a whole record."""

    _columns: dict[str, tuple[Any, ...]] | None = None

    def values(self, name: str) -> list[Any]:
        """A field of all rows; None where it is not known."""
        return list(self._by_name()[name])

    def tuples(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Some fields of each row."""
        columns = self._by_name()
        return zip(*(columns[name] for name in names), strict=True)

    def record(self, number: int) -> Record:
        """One row, as far as it was selected."""
        known: dict[str, Any] = self._rows[number]._asdict()
        return Record(**{name: value for name, value in known.items() if value is not None})

    def _by_name(self) -> dict[str, tuple[Any, ...]]:
        if self._columns is None:
            columns = zip(*self._rows, strict=True)
            self._columns = dict(zip(self._rows[0]._fields, columns, strict=True)) if self._rows else defaultdict(tuple)
        return self._columns


def selected(fields: AbstractSet[str] | None) -> Select[Any]:
    """The beginning of a query for some fields of a record; all of them by default."""
    return select(*(token_usage.c[name] for name in COLUMNS if fields is None or name in fields or name in _ALWAYS))


def blocks(connection: Connection, query: Select[Any]) -> Iterator[Rows]:
    """What a query finds, some thousand rows at once."""
    found = iter(connection.execute(query, execution_options={"yield_per": _SIZE}))
    while lot := list(islice(found, _SIZE)):
        yield Rows(lot)
