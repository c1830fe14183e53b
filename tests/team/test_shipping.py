"""The history's rows reach the database: each once, amended and removed as in the file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from servers import wait_until
from shipments import Shipment, amend, call, sums_by_key, totals_of
from sqlalchemy import func, inspect, select, text

import nbtokens
from nbtokens.questions.doctor import examine
from nbtokens.runtime import runtime
from nbtokens.team import schema
from nbtokens.team.database import open_database
from nbtokens.team.progress import Progress, records_behind
from nbtokens.team.tables import COLUMNS, metadata, token_usage

if TYPE_CHECKING:
    from ledgers import Ledger, Script
    from sqlalchemy import Engine

    from nbtokens.demo.endpoint import Endpoint


@pytest.fixture
def shipment(database: str, engine: Engine, tmp_path: Path) -> Shipment:
    """A history, and the database that it goes to."""
    return Shipment(tmp_path / ".metrics", database, engine)


def test_every_field_arrives(shipment: Shipment) -> None:
    """A record is read from the database as it was written: exact amounts, times, JSON; but no prompt or answer."""
    full = call(started_at=datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC), content={"prompt": "secret"})
    shipment.keep(full)
    shipment.ship()
    (read,) = shipment.team().records()
    for name in COLUMNS:
        assert getattr(read, name) == getattr(full, name), name
    assert read.content is None


def test_sending_again_changes_nothing(shipment: Shipment) -> None:
    """Rows that are sent a second time are in the database once, and counted once."""
    records = [call(number) for number in range(10)]
    shipment.keep(*records, amend(records[0], "2"))
    shipment.ship()
    before = sums_by_key(shipment.team().totals)
    (shipment.folder / "shipped.json").unlink()
    shipment.ship()
    assert shipment.count() == 11
    assert sums_by_key(shipment.team().totals) == before


def test_amendments_follow(shipment: Shipment) -> None:
    """A row that gives a call another price changes the call and the sums; the last one counts."""
    first, second = call(1), call(2)
    shipment.keep(first, second)
    shipment.ship()
    shipment.keep(amend(first, "1"), amend(second, "3"), amend(first, "2"))
    shipment.ship()
    costs = {record.id: record.cost_usd for record in shipment.team().records()}
    assert costs == {first.id: 2, second.id: 3}
    assert shipment.team().sums.cost_usd == 5


def test_the_sums_are_those_of_the_local_history(shipment: Shipment) -> None:
    """What the database adds up by day is what the local history adds up, for all kinds of rows."""
    records = [call(number) for number in range(40)]
    records += [
        call(41, status="error", error="HTTP 500", cost_usd=None, output_tokens=None, input_tokens=None),
        call(42, cost_usd=None, complete=False, usage_source="estimated"),
        call(43, kind="cache_hit", saved_cost_usd=records[0].cost_usd),
        call(44, kind="run", calls=0),
        call(45, kind="score", ref=records[0].id, scores={"quality": 0.5}),
        call(1500),
    ]
    shipment.keep(*records)
    shipment.ship()
    assert sums_by_key(shipment.team().totals) == sums_by_key(totals_of(records))


def test_what_postgresql_keeps_no_characters_for(shipment: Shipment) -> None:
    """A NUL character, which PostgreSQL does not keep, does not keep a record out."""
    shipment.keep(call(operation="a\x00b", tags={"k\x00": ["\x00"]}, usage={"x": {"y": "\x00"}}))
    shipment.ship()
    (read,) = shipment.team().records()
    assert read.operation == "a\ufffdb"
    assert read.tags == {"k\ufffd": ["\ufffd"]}


def test_times_at_the_ends_of_the_calendar(shipment: Shipment) -> None:
    """A record of the year 1, or of 9999, which a wrong clock makes, is kept as any other."""
    shipment.keep(
        call(started_at=datetime(1, 1, 1, tzinfo=UTC)),
        call(started_at=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        call(),
    )
    shipment.ship()
    assert shipment.count() == 3
    assert shipment.team().sums.calls == 3


def test_a_copied_history_takes_nothing_away(shipment: Shipment, tmp_path: Path) -> None:
    """A copy of a ledger's folder has a name of its own in the database; what it adds is added, and nothing removed."""
    shipment.keep(call(1), call(2))
    shipment.ship()
    copy = Shipment(tmp_path / "copy", shipment.url, shipment.engine)
    for name in ("usage_history.json", "shipped.json"):
        (copy.folder / name).write_bytes((shipment.folder / name).read_bytes())
    copy.keep(call(3))
    copy.ship()
    shipment.keep(call(4))
    shipment.ship()
    assert shipment.count() == 4
    names = {Progress.load(one.folder, one.url).ledger for one in (shipment, copy)}
    assert len(names) == 2


def test_a_history_that_was_deleted_takes_nothing_away(shipment: Shipment) -> None:
    """Where somebody deletes the file and begins a new one, the team's bill keeps what it had."""
    shipment.keep(call(1), call(2))
    shipment.ship()
    shipment.store.journal.path.unlink()
    shipment.keep(call(3))
    shipment.ship()
    assert shipment.count() == 3


def test_how_far_behind(shipment: Shipment) -> None:
    """It is known without the database how many rows are still to be sent."""
    shipment.keep(call(1), call(2))
    shipment.ship()
    shipment.keep(call(3))
    progress = Progress.load(shipment.folder, shipment.url)
    assert records_behind(shipment.store.journal, progress) == 1
    assert progress.shipped == 2


def test_the_migrations_make_the_tables_that_the_code_writes(engine: Engine) -> None:
    """Names, types and indexes are the same in the migrations and in nbtokens.team.tables."""
    with engine.begin() as connection:
        schema.bring_up_to_date(connection)
        assert schema.version_of(connection) == schema.HEAD
        found = inspect(connection)
        for table in metadata.sorted_tables:
            columns = {
                one["name"]: one["type"].compile(dialect=connection.dialect) for one in found.get_columns(table.name)
            }
            declared = {one.name: one.type.compile(dialect=connection.dialect) for one in table.columns}
            assert columns == declared
            indexes = {one["name"]: one["column_names"] for one in found.get_indexes(table.name)}
            assert indexes == {str(one.name): [column.name for column in one.columns] for one in table.indexes}


def test_a_schema_of_an_older_version(shipment: Shipment) -> None:
    """Tables of an older version are brought up to date when the first rows are sent; their rows stay."""
    engine = open_database(shipment.url, shipment.folder, writing=True)
    with engine.begin() as connection:
        schema.upgrade(connection, "0001")
        assert schema.version_of(connection) == "0001"
    engine.dispose()
    shipment.keep(call())
    shipment.ship()
    with shipment.engine.connect() as connection:
        assert schema.version_of(connection) == schema.HEAD
    assert shipment.count() == 1


def test_only_one_process_at_a_time_sends(shipment: Shipment) -> None:
    """Of two shippers of one history the second one leaves it to the first, and finds nothing to do afterwards."""
    shipment.keep(call())
    other = Shipment(shipment.folder, shipment.url, shipment.engine)
    assert other.shipper._lock.acquire(0)
    assert shipment.shipper.ship() is False
    other.shipper._lock.release()
    assert shipment.shipper.ship() is True
    assert shipment.count() == 1


def test_retention(database: str, engine: Engine, tmp_path: Path) -> None:
    """What is older than the database keeps goes, with its month; the sums stay, and nothing comes back."""
    shipment = Shipment(tmp_path / ".metrics", database, engine)
    now = datetime.now(UTC)
    shipment.keep(call(started_at=datetime(2020, 1, 5, tzinfo=UTC)), call(started_at=now))
    shipment.ship()
    assert shipment.count() == 2
    keeping = Shipment(shipment.folder, database, engine, keep_days=30)
    keeping.ship()
    assert shipment.count() == 1
    assert shipment.team().sums.calls == 2
    keeping.keep(call(started_at=datetime(2020, 2, 5, tzinfo=UTC)), call(started_at=now))
    keeping.ship()
    assert shipment.count() == 2
    if database.startswith("postgresql"):
        assert not [name for name in inspect(engine).get_table_names() if "_2020_" in name]


def test_a_call_reaches_the_database_by_itself(
    ledger: Ledger, simulated: Endpoint, engine: Engine, database: str
) -> None:
    """With the setting alone, a call that a notebook makes is in the database soon after."""
    Path("nbtokens.toml").write_text(f'database = "{database}"\n', encoding="utf-8")
    nbtokens.enable()
    httpx.post(simulated.base_url + "/v1/completions", json={"model": "m", "prompt": "x"})

    def arrived() -> bool:
        if not inspect(engine).has_table("token_usage"):
            return False
        with engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(token_usage)) == 1

    wait_until(arrived)
    (row,) = ledger.rows()
    with engine.connect() as connection:
        assert connection.scalar(select(token_usage.c.id)) == row["id"]


def test_a_script_sends_before_it_ends(ledger: Ledger, script: Script, engine: Engine, database: str) -> None:
    """A process that ends at once sends what it recorded; the environment names the database."""
    script(
        """
        import nbtokens
        from nbtokens import shipping

        shipping._LAST_WAIT = 60  # however busy the machine is
        nbtokens.enable()
        nbtokens.record(model="m", input_tokens=1, cost_usd=0)
        """,
        NBTOKENS_DATABASE=database,
    )
    with engine.connect() as connection:
        assert connection.scalar(select(token_usage.c.id)) == ledger.only()["id"]


def test_without_the_setting_nothing_is_loaded(script: Script) -> None:
    """Where no database is set, neither SQLAlchemy nor the part that knows it is imported."""
    script(
        """
        import sys
        import nbtokens
        nbtokens.enable()
        nbtokens.record(model="m", input_tokens=1, cost_usd=0)
        nbtokens.disable()
        loaded = [name for name in sys.modules if name.partition(".")[0] in ("sqlalchemy", "alembic", "psycopg")]
        assert not loaded, loaded
        assert "nbtokens.team" not in sys.modules
        """
    )


def test_a_url_that_is_none_is_told_once(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """A URL that can't be used is told with what to write instead; recording goes on."""
    Path("nbtokens.toml").write_text('database = "nonsense"\n', encoding="utf-8")
    nbtokens.enable()
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    wait_until(lambda: "postgresql+psycopg://" in caplog.text)
    assert ledger.only()
    (problem,) = [one for one in examine(runtime().history).problems if "database" in one]
    assert "1 record behind: [tool.nbtokens] database can't be used" in problem


def test_a_row_that_the_database_can_not_hold_stops_no_others(shipment: Shipment) -> None:
    """A row whose number is beyond a column is left out and counted; those around it arrive."""
    shipment.keep(call(1), call(2, retry_after_s=float("1e308")), call(3), call(4, max_tokens=2**63 - 1), call(5))
    with shipment.shipper.engine.begin() as connection:
        schema.bring_up_to_date(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE token_usage ALTER COLUMN max_tokens TYPE integer"))
        else:
            pytest.skip("SQLite's columns hold every number that a record may hold")
    shipment.ship()
    assert shipment.count() == 4
    assert Progress.load(shipment.folder, shipment.url).refused == 1


def test_the_doctor_tells_of_what_was_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that the database would not take are a problem, for the team's bill is without them."""
    monkeypatch.setenv("NBTOKENS_DATABASE", "sqlite:///team.db")
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    progress = Progress.load(ledger.folder, "sqlite:///team.db")
    progress.refused = 2
    progress.save(ledger.folder)
    assert any("can't hold the values of 2 records" in one for one in examine(runtime().history).problems)


def test_another_password_is_no_other_database(shipment: Shipment) -> None:
    """A password that was changed has nothing sent again."""
    shipment.keep(call(1))
    shipment.ship()
    url = "postgresql+psycopg://ada:{}@db.example.org/usage"
    Progress.load(shipment.folder, url.format("old")).save(shipment.folder)
    assert Progress.load(shipment.folder, url.format("new")) == Progress.load(shipment.folder, url.format("old"))
