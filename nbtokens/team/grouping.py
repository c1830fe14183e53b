"""What rows of `token_usage` are grouped by, as SQL, and how groups are named."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import BigInteger, Date, Text, cast, func, literal, text, type_coerce

from nbtokens.analysis.selection import KNOWN, OF_DAYS
from nbtokens.team.tables import token_usage
from nbtokens.team.where import MODEL, PURPOSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Label

_row: Final = token_usage.c
SECOND_IN_MICROSECONDS: Final = 1_000_000
HOUR_IN_MICROSECONDS: Final = 3600 * SECOND_IN_MICROSECONDS
DAY_IN_MICROSECONDS: Final = 24 * HOUR_IN_MICROSECONDS
STATUS: Final[ColumnElement[Any]] = func.coalesce(func.nullif(_row.kind, "call"), _row.status)
"""A row's status, as keys of totals have it."""
CELL: Final[ColumnElement[Any]] = func.ltrim(func.coalesce(_row.notebook, "") + " [" + func.nullif(_row.cell, "") + "]")
"""A cell with its notebook, as answers show it; NULL where there is none."""
_NAMED: Final[dict[str, ColumnElement[Any]]] = {"model": MODEL, "purpose": PURPOSE, "status": STATUS, "cell": CELL}


class Dimension(NamedTuple):
    """Something to group by.

    Attributes:
        label: what the database groups by.
        name_of: what its value is called; several may be called the same.
    """

    label: Label[Any]
    name_of: Callable[[Any], str | None]


@contextmanager
def few_groups(connection: Connection) -> Iterator[None]:
    """Have PostgreSQL count in memory: of what is computed it expects far more groups, and would sort all rows."""
    is_told = connection.dialect.name == "postgresql"
    if is_told:
        connection.execute(text("SET LOCAL enable_sort = off"))
    yield
    if is_told:
        connection.execute(text("SET LOCAL enable_sort = on"))


def day_of(connection: Connection) -> ColumnElement[Any]:
    """The UTC day of a row: a date, on SQLite its text."""
    at = _row.started_at
    is_sqlite = connection.dialect.name == "sqlite"  # times are texts there
    return func.substr(at, 1, 10) if is_sqlite else cast(func.timezone("UTC", at), Date)


def microseconds(connection: Connection) -> ColumnElement[Any]:
    """When a row began, in microseconds since 1970, UTC."""
    at = _row.started_at
    if connection.dialect.name == "sqlite":
        written = type_coerce(at, Text)
        return cast(func.strftime("%s", written), BigInteger) * SECOND_IN_MICROSECONDS + cast(
            func.substr(written, 21, 6), BigInteger
        )
    seconds = func.date_part("epoch", at)  # extract() would make decimals of them, which are slow
    return cast(func.round(seconds * float(SECOND_IN_MICROSECONDS)), BigInteger)


def labels(connection: Connection, names: Sequence[str]) -> list[Label[Any]]:
    """What rows are grouped by, under these names: fields of a row, `day`, `cell`, or `purpose`."""
    own = {**_NAMED, "day": day_of(connection)}
    return [(own[name] if name in own else _row[name]).label(name) for name in names]


def dimension(connection: Connection, by: str) -> Dimension:
    """What one may group by: a field, a day, week or month, a cell, or the name of a tag."""
    if by in OF_DAYS:
        return Dimension(day_of(connection).label("name"), lambda day: OF_DAYS[by](str(day)))
    if by in KNOWN:
        name = "purpose" if by == "operation" else by
        return Dimension(labels(connection, [name])[0].element.label("name"), lambda value: value)
    return Dimension(_tag(connection, by).label("name"), _name_of_tag)


def _tag(connection: Connection, name: str) -> ColumnElement[Any]:
    """The value of a tag, as JSON."""
    key = name if connection.dialect.name == "postgresql" else f"$.{json.dumps(name, ensure_ascii=False)}"
    return cast(type_coerce(_row.tags, Text).op("->")(literal(key, Text, literal_execute=True)), Text)


def _name_of_tag(found: str | None) -> str | None:
    value = None if found is None else json.loads(found)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return None if value is None else str(value)
