"""Averages of scores, worked out by the database. What was scored twice under one name has the later score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Float, case, cast, func, select

from nbtokens.analysis.scores import Average
from nbtokens.team.tables import token_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Label, Subquery

_KINDS: Final = ("call", "cache_hit")


def average_scores(
    connection: Connection, keys: Sequence[Label[Any]], condition: ColumnElement[bool]
) -> list[tuple[tuple[Any, ...], str, Average]]:
    """Group, name of the score, and its average, of the rows that a condition selects."""
    last = _given(connection)
    value = cast(last.c.value, Float)
    query = (
        select(*keys, last.c.name.label("score"), func.count(), func.sum(value), func.min(value), func.max(value))
        .join(last, last.c.about == token_usage.c.id)
        .where(condition, last.c.place == 1, token_usage.c.kind.in_(_KINDS))
        .group_by(*keys, last.c.name)
    )
    return [(tuple(group), name, Average(*figures)) for *group, name, figures in map(_split, connection.execute(query))]


def _split(row: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a row
    """The row with its four figures as one."""
    return *row[:-4], (int(row[-4]), *map(float, row[-3:]))


def _given(connection: Connection) -> Subquery:
    """Each score that was given: of which call, under which name, and its place from the last one back."""
    row = token_usage.c
    about = case((row.kind == "score", row.ref), else_=row.id)
    each = func.jsonb_each if connection.dialect.name == "postgresql" else func.json_each
    one = each(row.scores).table_valued("key", "value", joins_implicitly=True)
    place = func.row_number().over(partition_by=[about, one.c.key], order_by=[row.started_at.desc(), row.id.desc()])
    return (
        select(about.label("about"), one.c.key.label("name"), one.c.value.label("value"), place.label("place"))
        .where(row.scores.is_not(None))
        .subquery()
    )
