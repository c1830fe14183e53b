"""Indexes by which the budgets of a user, project or notebook are added up, every few seconds by every process."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make them."""
    for name in ("user", "project", "notebook"):
        op.create_index(f"ix_token_usage_daily_{name}_day", "token_usage_daily", [name, "day"])
