"""The records, and their sums by day. A step is never changed once it is published."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, String, Text

from nbtokens.team.columns import DOUBLE, JSON_OBJECT, Amount, Moment
from nbtokens.team.partitions import can_partition

revision = "0001"
down_revision = None

_TEXTS = (
    "ref project host user session run_id notebook cell attribution operation call_type api provider server_address "
    "request_model model response_id request_id service_tier finish_reason usage_source status error request_hash "
    "prefix_hash price_source"
)
_NUMBERS = (
    "execution_count max_tokens input_tokens output_tokens total_tokens cache_read_input_tokens "
    "cache_creation_input_tokens reasoning_output_tokens http_status retry_count calls"
)
_IN_SECONDS = "retry_after_s duration_s time_to_first_chunk_s"
_MONEY = "input_cost_usd output_cost_usd other_cost_usd cost_usd saved_cost_usd"
_INDEXES = (
    "operation",
    "model",
    "started_at",
    "user",
    "cost_usd",
    "run_id",
    "started_at operation",
    "started_at cost_usd model",
    "user started_at",
    "operation cost_usd",
)
_COUNTS = (
    "calls failed_calls unpriced_calls priced_calls priced_tokens estimated_calls incomplete_calls cache_hits "
    "saved_tokens runs runs_without_calls input_tokens output_tokens cache_read_input_tokens "
    "cache_creation_input_tokens reasoning_output_tokens timed_output_tokens"
)


def upgrade() -> None:
    """Make both tables and their indexes; on PostgreSQL `token_usage` has a partition for each month."""
    partitioned: dict[str, Any] = (
        {"postgresql_partition_by": "RANGE (started_at)"} if can_partition(op.get_bind()) else {}
    )
    op.create_table(
        "token_usage",
        Column("v", Integer(), nullable=False),
        Column("kind", Text(), nullable=False),
        Column("id", Text(), primary_key=True),
        Column("started_at", Moment(), primary_key=True),
        *(Column(name, Text()) for name in _TEXTS.split()),
        *(Column(name, BigInteger()) for name in _NUMBERS.split()),
        *(Column(name, DOUBLE) for name in _IN_SECONDS.split()),
        *(Column(name, Amount()) for name in _MONEY.split()),
        *(Column(name, Boolean()) for name in ("stream", "complete")),
        *(Column(name, JSON_OBJECT) for name in ("tags", "usage", "scores", "sums")),
        Column("ledger", Text(), nullable=False),
        **partitioned,
    )
    for columns in map(str.split, _INDEXES):
        op.create_index(f"ix_token_usage_{'_'.join(columns)}", "token_usage", columns)
    op.create_table(
        "token_usage_daily",
        Column("key", String(32), primary_key=True),
        Column("day", Date(), nullable=False),
        *(
            Column(name, Text())
            for name in ("project", "provider", "model", "operation", "call_type", "notebook", "user", "status")
        ),
        *(Column(name, BigInteger()) for name in _COUNTS.split()),
        *(Column(name, Amount()) for name in ("saved_cost_usd", "cost_usd")),
        *(Column(name, DOUBLE) for name in ("duration_s", "timed_s")),
        *(Column(name, Moment()) for name in ("first_at", "last_at")),
    )
    op.create_index("ix_token_usage_daily_day", "token_usage_daily", ["day"])
