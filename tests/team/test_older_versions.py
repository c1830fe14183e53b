"""Tables that older versions of nbtokens made and filled are brought up to date, whatever happens meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from shipments import Shipment, amend, assert_sums_are_those_of_the_rows, call
from sqlalchemy import delete, insert, inspect, select

from nbtokens.errors import NbtokensError
from nbtokens.history.rewrite import Plan, rewrite
from nbtokens.limits import Amounts, Limit
from nbtokens.team import schema, writing
from nbtokens.team.database import open_database
from nbtokens.team.history import open_team
from nbtokens.team.limits import set_budget, standings
from nbtokens.team.partitions import make_partitions, needs_partitions
from nbtokens.team.tables import metadata, token_usage

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from nbtokens.record import Record

LIMIT = Limit(Decimal(5), 1000, "month", 0.5, "warn", scope="user", name="ada")
NOW = datetime.now(UTC)
FIRST = datetime(NOW.year, NOW.month, 1, tzinfo=UTC)
MIGRATES = """
import os, signal, sys, time
from pathlib import Path
from sqlalchemy import event
from nbtokens.team.database import open_database
from nbtokens.team.schema import bring_up_to_date

def dies(connection, cursor, statement, *_):
    if sys.argv[2] in statement:
        os.kill(os.getpid(), signal.SIGKILL)

engine = open_database(sys.argv[1], Path(), writing=True)
event.listen(engine, "after_cursor_execute", dies)
while True:
    try:
        with engine.begin() as connection:
            bring_up_to_date(connection)
        break
    except OperationalError:  # SQLite's lock, on a busy machine
        time.sleep(0.1)
"""


@pytest.fixture
def shipment(database: str, engine: Engine, tmp_path: Path) -> Shipment:
    """A history, and the database that it goes to."""
    return Shipment(tmp_path / ".metrics", database, engine)


def fill(shipment: Shipment, version: str) -> list[Record]:
    """Make the tables as a version had them, with rows, their sums, and a budget where it had these."""
    records = [call(number, started_at=NOW - timedelta(days=20 * number)) for number in range(8)]
    rows = [*records, amend(records[1], "3"), call(9, kind="cache_hit"), call(10, kind="run", calls=0)]
    present = open_database(f"sqlite:///{shipment.folder / 'present.db'}", shipment.folder)
    older = open_database(shipment.url, shipment.folder, writing=True)
    with present.begin() as source, older.begin() as target:
        schema.bring_up_to_date(source)
        writing.write(source, "0123456789abcdef", rows)
        set_budget(source, LIMIT)
        schema.upgrade(target, version)
        if needs_partitions(target):
            make_partitions(target, {(row.started_at.year, row.started_at.month) for row in rows})
        _copy(source, target)
    present.dispose()
    older.dispose()
    return rows


def _copy(source: Connection, target: Connection) -> None:
    found = inspect(target)
    for table in metadata.sorted_tables:
        if found.has_table(table.name):
            names = [one["name"] for one in found.get_columns(table.name)]
            for row in source.execute(select(*(table.c[name] for name in names))).mappings():
                target.execute(insert(table).values(**row))


def version_of(shipment: Shipment) -> str | None:
    """The version of the tables."""
    with shipment.engine.connect() as connection:
        return schema.version_of(connection)


@pytest.mark.parametrize("version", ["0001", "0002", "0003"])
def test_tables_with_rows(shipment: Shipment, version: str) -> None:
    """Rows, sums and budgets stay as they are, and what is sent from then on is added to them."""
    rows = fill(shipment, version)
    new = [call(20, started_at=NOW, cost_usd=Decimal(1)), amend(rows[0], "2")]
    shipment.keep(*rows, *new)
    shipment.ship()
    assert version_of(shipment) == schema.HEAD
    assert shipment.ids() == sorted(row.id for row in (*rows, *new))
    assert_sums_are_those_of_the_rows(shipment)
    assert {row.id: row.cost_usd for row in shipment.team().recent()}[rows[1].id] == 3
    team = open_team(shipment.url, shipment.folder, make=True)
    if version == "0001":
        assert team.budgets() == []
        team.set_budget(LIMIT)
    with shipment.engine.connect() as connection:
        (standing,) = standings(connection, NOW)
    month = [row for row in team.records() if row.kind == "call" and row.user == "ada" and row.started_at >= FIRST]
    assert standing.limit == LIMIT
    assert standing.spent == Amounts(
        sum((row.cost_usd or Decimal(0) for row in month), Decimal(0)), sum(row.total_tokens or 0 for row in month)
    )
    team.close()


def test_what_an_older_version_dropped(shipment: Shipment) -> None:
    """Rows that retention dropped before it was kept down which are not sent again: their sums are there."""
    rows = fill(shipment, "0003")
    old, since = [row for row in rows if row.kind == "call"], NOW - timedelta(days=50)
    engine = open_database(shipment.url, shipment.folder, writing=True)
    with engine.begin() as connection:
        connection.execute(delete(token_usage).where(token_usage.c.started_at < since))
    engine.dispose()
    shipment.keep(*rows)
    shipment.ship()
    rewrite(shipment.store, Plan("forget", lambda record: record.id != old[-1].id))
    shipment.ship()
    assert shipment.ids("call") == sorted(row.id for row in old if row.started_at >= since)
    assert shipment.team().sums.calls == len(old)


def test_killed_in_the_middle_then_several_at_once(shipment: Shipment) -> None:
    """A migration is done as a whole or not at all, and once, however many processes come for it."""
    rows = fill(shipment, "0001")
    command = [sys.executable, "-c", MIGRATES, shipment.url]
    killed = subprocess.run([*command, "CREATE TABLE retention"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert version_of(shipment) == "0001"
    assert not inspect(shipment.engine).has_table("budgets")
    processes = [subprocess.Popen([*command, "nothing that is said"]) for _ in range(2)]
    assert [one.wait() for one in processes] == [0, 0]
    assert version_of(shipment) == schema.HEAD
    shipment.keep(*rows, call(20))
    shipment.ship()
    assert shipment.count() == len(rows) + 1
    assert_sums_are_those_of_the_rows(shipment)


def test_another_one_comes_first(shipment: Shipment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for a budget while another process changes the tables gets its answer."""
    fill(shipment, "0001")
    others: list[threading.Thread] = []

    def migrate() -> None:
        with suppress(NbtokensError):  # it waits for so long only, which a busy machine may take
            open_team(shipment.url, shipment.folder, make=True).close()

    def comes_first(connection: Connection) -> str | None:
        found = version(connection)
        if not others:
            others.append(threading.Thread(target=migrate))
            others[0].start()
            others[0].join(0.5)  # on SQLite it waits for us
        return found

    version = schema.version_of
    monkeypatch.setattr(schema, "version_of", comes_first)
    team = open_team(shipment.url, shipment.folder, make=True)
    assert team.budgets() == []
    team.close()
    others[0].join()
    assert version_of(shipment) == schema.HEAD
