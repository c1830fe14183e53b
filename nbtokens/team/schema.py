"""The database's tables, made when first needed and brought up to date by Alembic."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from nbtokens.errors import NbtokensError
from nbtokens.team.partitions import LOCK, can_partition

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD: Final = "0004"
"""The last step of the migrations."""
_VERSIONS: Final = "nbtokens_schema"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def version_of(connection: Connection) -> str | None:
    """The step that a database has come to; None where there are no tables of ours."""
    if not inspect(connection).has_table(_VERSIONS):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {_VERSIONS}"))  # noqa: S608 - a name of our own
    return None if found is None else str(found)


def bring_up_to_date(connection: Connection) -> None:
    """Make the tables, or change them to what this version of nbtokens writes; in one transaction, one at a time.

    Raises:
        NbtokensError: a newer version of nbtokens has changed them.
    """
    version = version_of(connection)
    if version is not None and version > HEAD:
        raise NbtokensError(
            f"the database's tables are of a newer version of nbtokens ({version}; this one writes {HEAD}). Upgrade "
            "nbtokens; until then the records wait in the history's file."
        )
    if version != HEAD:
        if can_partition(connection):
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
        upgrade(connection)


def upgrade(connection: Connection, step: str = "head") -> None:
    """Run the migrations up to a step."""
    from alembic import command  # noqa: PLC0415 - only where something is to change
    from alembic.config import Config  # noqa: PLC0415 - the same

    for name in ("alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["versions"] = _VERSIONS
    command.upgrade(config, step)
