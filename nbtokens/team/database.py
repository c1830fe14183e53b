"""Connections to the database of `[tool.nbtokens] database = "..."`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from nbtokens.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_WAIT_S: Final = 5
_LONGEST_STATEMENT_MS: Final = 120_000
_CUT_OFF_MS: Final = 15_000
_FOR_LONG_QUESTIONS: Final = "-c jit=off -c work_mem=64MB"
"""To compile their many expressions takes longer than they do; to sort in memory saves half of the rest."""


def open_database(url: str, root: Path, *, writing: bool = False) -> Engine:
    """An engine for a database. Nothing is connected yet.

    Args:
        url: as SQLAlchemy writes it.
        root: the folder that the path of an SQLite file is relative to.
        writing: transactions write: on SQLite each takes the lock at its beginning.

    Raises:
        ConfigError: the URL is none, or its driver is not installed.
    """
    try:
        where = make_url(url)
        if where.get_backend_name() == "sqlite":
            return _sqlite(where, root, writing=writing)
        options = _postgresql() if where.get_backend_name() == "postgresql" else {}
        return create_engine(where, pool_size=1, max_overflow=4, pool_pre_ping=True, connect_args=options)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            f"[tool.nbtokens] database can't be used: {error}. It is written as postgresql+psycopg://user@host/name "
            "or sqlite:///file.db."
        ) from error
    except ImportError as error:
        raise ConfigError(f"The database's driver is missing ({error}): pip install 'nbtokens[team]'.") from error


def _postgresql() -> dict[str, Any]:
    """A server that is gone, or hangs, is given up in seconds."""
    return {
        "connect_timeout": _WAIT_S,
        "application_name": "nbtokens",
        "options": f"-c statement_timeout={_LONGEST_STATEMENT_MS} -c timezone=UTC {_FOR_LONG_QUESTIONS}",
        "keepalives_idle": _WAIT_S,
        "keepalives_interval": _WAIT_S,
        "keepalives_count": 3,
        "tcp_user_timeout": _CUT_OFF_MS,
    }


def _sqlite(where: URL, root: Path, *, writing: bool) -> Engine:
    if where.database and where.database != ":memory:" and not where.database.startswith("file:"):
        where = where.set(database=str(root / Path(where.database).expanduser()))
    engine = create_engine(where, connect_args={"timeout": _WAIT_S, "check_same_thread": False})

    def connected(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's
        connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
        connection.execute("PRAGMA journal_mode=WAL")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine
