"""How many calls come before those that a question looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, literal, select

from nbtokens.analysis.left_out import LeftOut

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

MOST: Final = 100_000
"""So many are counted: to count many millions takes longer than the question itself."""


def left_out(
    connection: Connection, earlier: ColumnElement[bool], before: datetime, looked_at: int, besides: int = 0
) -> LeftOut | None:
    """What was left out; None where that is nothing.

    Args:
        connection: to the database.
        earlier: which calls were left out.
        before: when they began, at the latest.
        looked_at: how many others were looked at.
        besides: how many of these are among `earlier`.
    """
    some = select(literal(1)).where(earlier).limit(besides + MOST).subquery()
    count = (connection.scalar(select(func.count()).select_from(some)) or 0) - besides
    return LeftOut(count, before, looked_at, at_least=count == MOST) if count > 0 else None
