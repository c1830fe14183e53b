"""A database for each test: SQLite, and PostgreSQL where it is installed."""

from __future__ import annotations

import itertools
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from databases import PostgreSQL, new_folder
from shipments import OPEN

from nbtokens.team.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgreSQL]:
    """A server that all tests share; each has a database of its own."""
    with _running() as cluster:
        yield cluster


@pytest.fixture
def own_cluster() -> Iterator[PostgreSQL]:
    """A server that a test may kill."""
    with _running() as cluster:
        yield cluster


@contextmanager
def _running() -> Iterator[PostgreSQL]:
    folder = new_folder()
    try:
        running = PostgreSQL(folder)
        try:
            running.start()
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql(cluster: PostgreSQL) -> str:
    """The URL of an empty database on PostgreSQL."""
    return cluster.make_database(f"test_{next(_numbers)}")


@pytest.fixture(autouse=True)
def shipments_closed() -> Iterator[None]:
    """Close every shipper's connections."""
    yield
    while OPEN:
        OPEN.pop().shipper.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'team.db'}"
    found: str = request.getfixturevalue("postgresql")
    return found


@pytest.fixture
def engine(database: str, tmp_path: Path) -> Iterator[Engine]:
    """The same database, to look into."""
    found = open_database(database, tmp_path)
    yield found
    found.dispose()
