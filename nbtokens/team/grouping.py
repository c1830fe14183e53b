"""What rows of `token_usage` are grouped by, as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Date, cast, func

from nbtokens.team.tables import token_usage
from nbtokens.team.where import MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Label

_row: Final = token_usage.c
STATUS: Final[ColumnElement[Any]] = func.coalesce(func.nullif(_row.kind, "call"), _row.status)
"""A row's status, as keys of totals have it."""
CELL: Final[ColumnElement[Any]] = func.ltrim(func.coalesce(_row.notebook, "") + " [" + _row.cell + "]")
"""A cell with its notebook, as answers show it; NULL where there is none."""
_NAMED: Final[dict[str, ColumnElement[Any]]] = {"model": MODEL, "status": STATUS, "cell": CELL}


def day_of(connection: Connection) -> ColumnElement[Any]:
    """The UTC day of a row: a date, on SQLite its text."""
    at = _row.started_at
    is_sqlite = connection.dialect.name == "sqlite"  # times are texts there
    return func.substr(at, 1, 10) if is_sqlite else cast(func.timezone("UTC", at), Date)


def labels(connection: Connection, names: Sequence[str]) -> list[Label[Any]]:
    """What rows are grouped by, under these names: fields of a row, `day`, or `cell`."""
    own = {**_NAMED, "day": day_of(connection)}
    return [(own[name] if name in own else _row[name]).label(name) for name in names]
