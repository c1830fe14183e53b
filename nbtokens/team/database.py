"""Connections to the database of `[tool.nbtokens] database = "..."`."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from nbtokens.errors import ConfigError
from nbtokens.team.regr import AGGREGATES

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import URL, Connection

_WAIT_S: Final = 5
_AGAIN_S: Final = 0.02
_LONGEST_ANSWER_S: Final = 150.0
"""Longer than a statement may take: then something on the way keeps the connection, and is not there."""
_CUT_OFF_MS: Final = 15_000
_WRITES: Final = "nbtokens_writes"
_ALWAYS: Final = {"timezone": "UTC", "datestyle": "ISO", "statement_timeout": "120s"}
_TO_WRITE: Final = {"idle_in_transaction_session_timeout": "60s"}
"""A machine that goes to sleep in the middle lets go of what others wait for."""
_TO_ASK: Final = {"jit": "off", "work_mem": "64MB"}
"""To compile a long question's many expressions takes longer than they do; to sort in memory saves half of the rest."""


def open_database(url: str, root: Path, *, writing: bool = False) -> Engine:
    """An engine for a database. Nothing is connected yet.

    Args:
        url: as SQLAlchemy writes it.
        root: the folder that the path of an SQLite file is relative to.
        writing: its transactions write, as those of `to_write` do.

    Raises:
        ConfigError: the URL is none, or its driver is not installed.
    """
    try:
        where = make_url(url)
        if where.get_backend_name() == "sqlite":
            engine = _sqlite(where, root)
        elif where.get_backend_name() == "postgresql":
            engine = _postgresql(where)
        else:
            engine = create_engine(where, pool_size=1, max_overflow=4, pool_pre_ping=True)
        return to_write(engine) if writing else engine
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            f"[tool.nbtokens] database can't be used: {error}. It is written as postgresql+psycopg://user@host/name "
            "or sqlite:///file.db."
        ) from error
    except ImportError as error:
        raise ConfigError(f"The database's driver is missing ({error}): pip install 'nbtokens[team]'.") from error


def to_write(engine: Engine) -> Engine:
    """The same connections, for transactions that write: on SQLite each takes the lock at its beginning, or waits."""
    return engine.execution_options(**{_WRITES: True})


def _writes(connection: Connection) -> bool:
    return _WRITES in connection.get_execution_options()


def _postgresql(where: URL) -> Engine:
    """A server that is gone, or hangs, is given up in seconds. What the URL's query says of a connection holds.

    Settings are made for each transaction: a pooler takes none when a connection begins, and gives it to others then.
    """
    options: dict[str, Any] = {
        "connect_timeout": _WAIT_S,
        "application_name": "nbtokens",
        "client_encoding": "utf8",
        "keepalives_idle": _WAIT_S,
        "keepalives_interval": _WAIT_S,
        "keepalives_count": 3,
        "tcp_user_timeout": _CUT_OFF_MS,
    }
    if where.get_driver_name() == "psycopg":
        options["prepare_threshold"] = None  # what one transaction prepares, a pooler does not have for the next
    engine = create_engine(
        where,
        pool_size=1,
        max_overflow=4,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={name: value for name, value in options.items() if name not in where.query},
    )

    def begun(connection: Connection) -> None:
        settings = _ALWAYS | (_TO_WRITE if _writes(connection) else _TO_ASK)
        chosen = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
        connection.exec_driver_sql(f"SELECT {chosen}").close()

    event.listen(engine, "begin", begun)
    if where.get_driver_name() == "psycopg":
        event.listen(engine, "connect", _not_for_ever)
    return engine


def _not_for_ever(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's
    """Each answer is waited for so long at most, and no longer; the driver by itself waits for ever."""
    wait = connection.wait

    def wait_so_long(waiting: Generator[Any, Any, Any], *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - the same
        return wait(_until(time.monotonic() + _LONGEST_ANSWER_S, connection, waiting), *arguments, **named)

    connection.wait = wait_so_long


def _until(deadline: float, connection: Any, waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:  # noqa: ANN401 - the same
    """What the driver does when it is told that something came, or every tenth of a second that nothing did."""
    ready = None
    try:
        while True:
            ready = yield waiting.send(ready)
            if not ready and time.monotonic() > deadline:
                connection.close()
                raise connection.OperationalError("no answer came")
    except StopIteration as end:
        return end.value


def _sqlite(where: URL, root: Path) -> Engine:
    if where.database and where.database != ":memory:" and not where.database.startswith("file:"):
        where = where.set(database=str(root / Path(where.database).expanduser()))
    engine = create_engine(where, connect_args={"timeout": _WAIT_S, "check_same_thread": False})

    def connected(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's
        connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
        _write_ahead(connection)
        for name, aggregate in AGGREGATES.items():
            connection.create_aggregate(name, 2, aggregate)

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Of two who change a new file to that at once, one is refused at once, whatever the driver would wait."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_S)
        else:
            return
