"""Months of `token_usage` as partitions, on PostgreSQL: made when the first record of a month comes, dropped whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, select, text

from nbtokens.team.tables import retention, token_usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

LOCK: Final = 0x6E62_746F_6B65  # "nbtoke": the number of the advisory lock under which the schema changes
_TABLE: Final = "token_usage"
_DECEMBER: Final = 12
_LAST_YEAR: Final = 9999
_PARTITIONS: Final = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = 'token_usage'::regclass"
)
_HAS_DEFAULT: Final = text(
    "SELECT partdefid <> 0 FROM pg_partitioned_table WHERE partrelid = to_regclass('token_usage')"
)
_PATIENCE: Final = text("SET LOCAL lock_timeout = '2s'")
"""Who waits for a long question to drop a table keeps all others waiting behind it."""


def can_partition(connection: Connection) -> bool:
    """Whether the server is PostgreSQL itself or an extension of it; others that speak its protocol have other ways."""
    if connection.dialect.name != "postgresql":
        return False
    return "CockroachDB" not in str(connection.scalar(text("SELECT version()")))


def is_partitioned(connection: Connection) -> bool:
    """Whether `token_usage` has partitions here."""
    return connection.dialect.name == "postgresql" and connection.scalar(_HAS_DEFAULT) is not None


def needs_partitions(connection: Connection) -> bool:
    """Whether a month needs its partition: an administrator may have made one for all that has none."""
    return connection.dialect.name == "postgresql" and connection.scalar(_HAS_DEFAULT) is False


def make_partitions(connection: Connection, months: Iterable[tuple[int, int]]) -> None:
    """Make the partitions of some months, (year, month), that are not there yet.

    Each is made beside the table and joined to it then, which no reader has to wait for, and which waits for none.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
    known = set(connection.scalars(_PARTITIONS))
    for year, month in sorted(months):
        name = _name(year, month)
        if name not in known:
            low, high = _bounds(year, month)
            connection.execute(text(f"CREATE TABLE {name} (LIKE {_TABLE} INCLUDING ALL)"))
            connection.execute(
                text(f"ALTER TABLE {_TABLE} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})")
            )


def oldest_kept(connection: Connection, days: int) -> datetime:
    """When the oldest row that is kept for so many days may begin, by the server's clock: a notebook's may be wrong."""
    is_local = connection.dialect.name == "sqlite"
    now = datetime.now(UTC) if is_local else connection.scalars(select(func.now())).one()
    return now.astimezone(UTC) - timedelta(days=days)


def drop_before(connection: Connection, moment: datetime) -> None:
    """Drop what began before a moment: whole months, and the rows of the month that it is in. The sums stay.

    Kept down is how far there was something to drop: where the clock is wrong for a while, new rows come all the same.
    """
    if is_partitioned(connection):
        connection.execute(_PATIENCE)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
    is_old = token_usage.c.started_at < moment
    last: datetime | None = connection.scalar(select(func.max(token_usage.c.started_at)).where(is_old))
    if is_partitioned(connection):
        for name in sorted(connection.scalars(_PARTITIONS)):
            if name < _name(moment.year, moment.month):
                connection.execute(text(f"DROP TABLE {name}"))
    if last is not None:
        since = last + timedelta(microseconds=1)
        connection.execute(delete(token_usage).where(is_old))
        connection.execute(delete(retention).where(retention.c.since <= since))
        connection.execute(insert(retention).values(since=since))


def kept_since(connection: Connection) -> datetime | None:
    """Before which moment rows were dropped; None: never."""
    since: datetime | None = connection.scalar(select(retention.c.since).order_by(retention.c.since.desc()).limit(1))
    return since


def _name(year: int, month: int) -> str:
    return f"{_TABLE}_{year:04d}_{month:02d}"


def _bounds(year: int, month: int) -> tuple[str, str]:
    low = f"'{year:04d}-{month:02d}-01T00:00:00Z'"
    if (year, month) == (_LAST_YEAR, _DECEMBER):
        return low, "MAXVALUE"
    year, month = (year + 1, 1) if month == _DECEMBER else (year, month + 1)
    return low, f"'{year:04d}-{month:02d}-01T00:00:00Z'"
