"""What was dropped, so that nobody sends it again."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Date, column, func, insert, select, table

from nbtokens.team.columns import Moment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table. Days whose sums are there without any row show what was dropped before it was."""
    retention = op.create_table("retention", Column("since", Moment(), primary_key=True))
    connection = op.get_bind()
    first_row = connection.scalar(select(func.min(column("started_at", Moment()))).select_from(table("token_usage")))
    first_day = connection.scalar(select(func.min(column("day", Date()))).select_from(table("token_usage_daily")))
    if first_row is not None and first_day is not None and first_day < first_row.date():
        connection.execute(insert(retention).values(since=first_row))
