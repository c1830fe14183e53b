"""Rows that a question has to see one by one, by the columns that it reads: the database selects both."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from nbtokens.history.columns import Columns
from nbtokens.record import Record
from nbtokens.team.tables import COLUMNS, token_usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Select

_ALWAYS: Final = ("v", "kind", "id", "started_at")
_SIZE: Final = 4096


class Rows(Columns):
    """Some rows of the database. Fields that were not selected are not known to a whole record."""

    def record(self, number: int) -> Record:
        """One row, as far as it was selected."""
        known: dict[str, Any] = self._rows[number]._asdict()
        return Record(**{name: value for name, value in known.items() if value is not None})


def selected(names: Sequence[str] | None) -> Select[Any]:
    """The beginning of a query for some fields of a record; all of them by default."""
    wanted = COLUMNS if names is None else tuple(dict.fromkeys((*_ALWAYS, *names)))
    return select(*(token_usage.c[name] for name in wanted))


def blocks(connection: Connection, query: Select[Any]) -> Iterator[Rows]:
    """What a query finds, some thousand rows at once."""
    found = iter(connection.execute(query, execution_options={"yield_per": _SIZE}))
    while lot := list(islice(found, _SIZE)):
        yield Rows(lot)
