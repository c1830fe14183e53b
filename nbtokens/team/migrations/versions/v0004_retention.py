"""What was dropped, so that nobody sends it again."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column

from nbtokens.team.columns import Moment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table("retention", Column("since", Moment(), primary_key=True))
