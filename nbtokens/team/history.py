"""The team's history: what questions ask of a local one, answered by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Date, Select, cast, func, select, true
from sqlalchemy.exc import SQLAlchemyError

from nbtokens.analysis.selection import Selection
from nbtokens.errors import NbtokensError
from nbtokens.history.sums import Key, Sums
from nbtokens.history.totals import RECENT, Totals
from nbtokens.team import where
from nbtokens.team.aggregates import measures_of_rows, model_label, sums_of_days, sums_of_rows
from nbtokens.team.sums import sums_of
from nbtokens.team.tables import daily, token_usage
from nbtokens.team.writing import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from sqlalchemy import ColumnElement, Connection, Engine, Label

    from nbtokens.record import Record

    T = TypeVar("T")

_NO_ROWS = ("amend", "rewrite")


class TeamHistory:
    """Every record that reached the database, of all projects and people.

    Args:
        engine: the database.
        name: what it is called where a message names it.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self.path = name

    @property
    def totals(self) -> Totals:
        """Sums and distributions of everything."""
        return self.totals_of(Selection())

    @property
    def sums(self) -> Sums:
        """All calls in one: counts, tokens, USD, seconds."""
        return self._ask(lambda connection: sums_of(connection.execute(sums_of_days([], true())).one()))

    def totals_of(self, which: Selection, *, measures: bool = True) -> Totals:
        """Sums and, if asked for, distributions of what is selected.

        Raises:
            NbtokensError: the database does not answer.
        """
        return self._ask(lambda connection: _totals(connection, which, measures=measures))

    def records(self, which: Selection | None = None) -> Iterator[Record]:
        """The records that are selected, the oldest first, amendments folded in.

        Raises:
            NbtokensError: the database does not answer.
        """
        query = (
            select(token_usage)
            .where(where.of_records(which or Selection()), token_usage.c.kind.not_in(_NO_ROWS))
            .order_by(token_usage.c.started_at, token_usage.c.id)
        )
        try:
            with self._engine.connect() as connection:
                yield from read(connection, query)
        except SQLAlchemyError as error:
            raise _of(error) from error

    def _ask(self, look: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection:
                return look(connection)
        except SQLAlchemyError as error:
            raise _of(error) from error


def _totals(connection: Connection, which: Selection, *, measures: bool) -> Totals:
    totals = Totals()
    days = where.of_days(which)
    query: Select[Any]
    if days is not None:
        query = sums_of_days([daily.c.day, *(daily.c[name] for name in Key._fields[1:])], days)
    else:
        query = sums_of_rows(_key_labels(connection), where.of_records(which))
    for row in connection.execute(query):
        key = Key(str(row.day), *(getattr(row, name) for name in Key._fields[1:]))
        totals.take(key, sums_of(row))
    if measures:
        by = [model_label(), token_usage.c.operation.label("operation")]
        found = measures_of_rows(connection, by, where.of_records(which))
        for (model, operation), one in found.items():
            totals.take_measures((model, operation), one)
    totals.recent = _recent(connection, which)
    return totals


def _key_labels(connection: Connection) -> list[Label[Any]]:
    row = token_usage.c
    at = row.started_at
    is_sqlite = connection.dialect.name == "sqlite"  # times are texts there
    day: ColumnElement[Any] = func.substr(at, 1, 10) if is_sqlite else cast(func.timezone("UTC", at), Date)
    status = func.coalesce(func.nullif(row.kind, "call"), row.status)
    names = ("provider", "operation", "call_type", "notebook", "user")
    return [day.label("day"), model_label(), status.label("status"), *(row[name].label(name) for name in names)]


def _recent(connection: Connection, which: Selection) -> list[Record]:
    query = (
        select(token_usage)
        .where(where.of_records(which), token_usage.c.kind == "call")
        .order_by(token_usage.c.started_at.desc())
        .limit(RECENT)
    )
    return list(read(connection, query))[::-1]


def _of(error: SQLAlchemyError) -> NbtokensError:
    why = getattr(error, "orig", None) or error
    return NbtokensError(f"the team's database does not answer: {' '.join(str(why).split())}")
