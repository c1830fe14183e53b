"""The tables: `token_usage` has the record's columns, `token_usage_daily` their sums, and what the shipper needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, MetaData, String, Table, Text

from nbtokens.history.sums import Key, Sums
from nbtokens.record import FIELDS
from nbtokens.team.columns import DOUBLE, JSON_OBJECT, Amount, Moment

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

NOT_SHIPPED: Final = frozenset({"content"})
"""Prompts and answers stay on the machine where somebody has switched their recording on."""

LONGEST_NAME: Final = 500
"""Of a project, user, notebook, operation, model or run, in characters: an entry of an index on PostgreSQL has room for
2,700 bytes."""

metadata: Final = MetaData()

_TEXT: Final[TypeEngine[Any]] = Text()
_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    "v": Integer(),
    "started_at": Moment(),
    "execution_count": BigInteger(),
    "tags": JSON_OBJECT,
    "max_tokens": BigInteger(),
    "stream": Boolean(),
    "complete": Boolean(),
    "usage": JSON_OBJECT,
    "http_status": BigInteger(),
    "retry_count": BigInteger(),
    "retry_after_s": DOUBLE,
    "duration_s": DOUBLE,
    "time_to_first_chunk_s": DOUBLE,
    "scores": JSON_OBJECT,
    "calls": BigInteger(),
    "sums": JSON_OBJECT,
}
_PRIMARY: Final = ("id", "started_at")  # a partitioned table's key holds what it is partitioned by
_REQUIRED: Final = ("v", "kind", "id", "started_at")


def _type_of(name: str) -> TypeEngine[Any]:
    if name in _TYPES:
        return _TYPES[name]
    if name.endswith("_tokens"):
        return BigInteger()
    return Amount() if name.endswith("_usd") else _TEXT


COLUMNS: Final = tuple(name for name in FIELDS if name not in NOT_SHIPPED)
"""The fields of a record that the database has."""

token_usage: Final = Table(
    "token_usage",
    metadata,
    *(
        Column(name, _type_of(name), primary_key=name in _PRIMARY, nullable=name not in _REQUIRED, autoincrement=False)
        for name in COLUMNS
    ),
    Column("ledger", Text(), nullable=False),
    Index("ix_token_usage_operation", "operation"),
    Index("ix_token_usage_model", "model"),
    Index("ix_token_usage_started_at", "started_at"),
    Index("ix_token_usage_user", "user"),
    Index("ix_token_usage_cost_usd", "cost_usd"),
    Index("ix_token_usage_run_id", "run_id"),
    Index("ix_token_usage_started_at_operation", "started_at", "operation"),
    Index("ix_token_usage_started_at_cost_usd_model", "started_at", "cost_usd", "model"),
    Index("ix_token_usage_user_started_at", "user", "started_at"),
    Index("ix_token_usage_operation_cost_usd", "operation", "cost_usd"),
)
"""One row for each record. `ledger` names the history that it came from and that may take it back."""

KEYS: Final = ("project", *(name for name in Key._fields if name != "day"))
SUMS: Final = Sums.__struct_fields__
_SUM_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    "duration_s": DOUBLE,
    "timed_s": DOUBLE,
    "first_at": Moment(),
    "last_at": Moment(),
}

daily: Final = Table(
    "token_usage_daily",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("day", Date(), nullable=False),
    *(Column(name, Text()) for name in KEYS),
    *(
        Column(name, _SUM_TYPES.get(name) or (Amount() if name.endswith("_usd") else BigInteger()), nullable=True)
        for name in SUMS
    ),
    Index("ix_token_usage_daily_day", "day"),
    Index("ix_token_usage_daily_user_day", "user", "day"),
    Index("ix_token_usage_daily_project_day", "project", "day"),
    Index("ix_token_usage_daily_notebook_day", "notebook", "day"),
)
"""The sums of each day (UTC), kept with every batch. `key` is a hash of what the row is for."""

budgets: Final = Table(
    "budgets",
    metadata,
    Column("scope", String(16), primary_key=True),
    Column("name", Text(), primary_key=True),
    Column("per", String(16), primary_key=True),
    Column("cost_usd", Amount()),
    Column("tokens", BigInteger()),
    Column("warn_at", DOUBLE, nullable=False),
    Column("then", String(16), nullable=False),
)
"""Limits: what a user, project or notebook may spend in a day or month (UTC)."""

retention: Final = Table("retention", metadata, Column("since", Moment(), primary_key=True))
"""What began before the latest of these moments was dropped; its sums by day stay, and nobody sends it again."""
