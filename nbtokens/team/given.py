"""Rows that a question brings along, as a table for the database to join with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import JSON, Text, and_, cast, column, func, literal, select, true

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause
    from sqlalchemy.types import TypeEngine


def given(connection: Connection, rows: Iterable[Sequence[Any]], types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """A table of these rows, of which the database is told in one value, however many there are.

    Args:
        connection: to the database.
        rows: texts, numbers and None.
        types: name of each column -> its type.
    """
    told = literal(msgspec.json.encode([dict(zip(types, row, strict=True)) for row in rows]).decode(), Text)
    if connection.dialect.name != "sqlite":
        columns = (column(name, of) for name, of in types.items())
        table = func.json_to_recordset(cast(told, JSON)).table_valued(*columns)
        return table.render_derived(with_types=True)
    row = func.json_each(told).table_valued("value").c.value
    return select(*(cast(row.op("->>")(name), of).label(name) for name, of in types.items())).subquery()


def same(one: FromClause, other: FromClause, names: Iterable[str]) -> ColumnElement[bool]:
    """Whether rows have the same values in some columns, texts of which may be NULL; said so that they are hashed."""
    conditions: list[ColumnElement[bool]] = [true()]
    for name in names:
        a, b = one.c[name], other.c[name]
        if isinstance(b.type, Text):
            conditions.append(func.coalesce(a, "") == func.coalesce(b, ""))
            conditions.append(a.is_not_distinct_from(b))
        else:
            conditions.append(a == b)
    return and_(*conditions)
