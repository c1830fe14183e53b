"""Rows that a question brings along, as a table for the database to join with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Text, and_, cast, func, literal, select, true
from sqlalchemy.dialects.postgresql import JSONB

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause, Subquery
    from sqlalchemy.types import TypeEngine


def given(connection: Connection, rows: Iterable[Sequence[Any]], types: Mapping[str, TypeEngine[Any]]) -> Subquery:
    """A table of these rows, of which the database is told in one value, however many there are.

    Args:
        connection: to the database.
        rows: texts, numbers and None.
        types: name of each column -> its type.
    """
    told = msgspec.json.encode(list(rows)).decode()
    each = func.json_each(literal(told, Text)) if connection.dialect.name == "sqlite" else None
    if each is None:
        each = func.jsonb_array_elements(cast(literal(told, Text), JSONB))
    row = each.table_valued("value").c.value
    columns = (cast(row.op("->>")(place), of).label(name) for place, (name, of) in enumerate(types.items()))
    return select(*columns).subquery()


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
