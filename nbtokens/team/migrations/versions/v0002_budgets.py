"""Budgets for people, projects and notebooks."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, String, Text

from nbtokens.team.columns import DOUBLE, Amount

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "budgets",
        Column("scope", String(16), primary_key=True),
        Column("name", Text(), primary_key=True),
        Column("per", String(16), primary_key=True),
        Column("cost_usd", Amount()),
        Column("tokens", BigInteger()),
        Column("warn_at", DOUBLE, nullable=False),
        Column("then", String(16), nullable=False),
    )
