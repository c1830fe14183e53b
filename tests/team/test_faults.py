"""The database is killed, cut off, slow, gone for long, rewritten under: nothing is lost, nothing is doubled."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from servers import wait_until
from shipments import Shipment, amend, call, sums_by_key, totals_of
from sqlalchemy import select, text

import nbtokens
from nbtokens.errors import NbtokensError
from nbtokens.history import upkeep
from nbtokens.history.rewrite import Plan, rewrite
from nbtokens.questions.doctor import examine
from nbtokens.runtime import runtime
from nbtokens.team import schema, shipper, writing
from nbtokens.team.database import open_database
from nbtokens.team.progress import Progress, records_behind
from nbtokens.team.tables import token_usage

if TYPE_CHECKING:
    from pathlib import Path

    from databases import PostgreSQL
    from ledgers import Ledger
    from sqlalchemy import Engine


@pytest.fixture
def shipment(database: str, engine: Engine, tmp_path: Path) -> Shipment:
    """A history, and the database that it goes to."""
    return Shipment(tmp_path / ".metrics", database, engine)


def test_the_server_is_killed_while_rows_are_sent(
    own_cluster: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill -9 of PostgreSQL in the middle of the load: after its restart every row is there once, and counted once."""
    monkeypatch.setattr(shipper, "BATCH", 50)
    url = own_cluster.make_database("killed")
    engine = open_database(url, tmp_path)
    shipment = Shipment(tmp_path / ".metrics", url, engine)
    records = [call(number) for number in range(3000)]
    shipment.keep(*records)
    failures = []

    def send() -> None:
        while True:
            try:
                shipment.shipper.ship()
            except NbtokensError as error:
                failures.append(error)
                time.sleep(0.05)
            else:
                return

    sending = threading.Thread(target=send)
    sending.start()
    wait_until(lambda: Progress.load(shipment.folder, url).offset > 0)
    own_cluster.kill()
    wait_until(lambda: len(failures) > 0)
    own_cluster.start()
    sending.join()
    engine.dispose()
    assert shipment.ids() == sorted(record.id for record in records)
    assert sums_by_key(shipment.team().totals) == sums_by_key(totals_of(records))
    engine.dispose()


def test_connections_are_cut_in_the_middle_of_a_batch(postgresql: str, tmp_path: Path) -> None:
    """Where the server ends our connection within a transaction, the batch is sent again as a whole."""
    engine = open_database(postgresql, tmp_path)
    shipment = Shipment(tmp_path / ".metrics", postgresql, engine)
    shipment.keep(call(1))
    shipment.ship()
    with engine.begin() as connection:  # the second row ends the connection that inserts it
        connection.execute(text("CREATE TABLE cut (done int)"))
        connection.execute(
            text(
                "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF NEW.operation = 'cut' AND pg_try_advisory_lock(7) AND (SELECT count(*) FROM cut) = 0 THEN "
                "PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$"
            )
        )
        connection.execute(text("CREATE TRIGGER cut BEFORE INSERT ON token_usage FOR EACH ROW EXECUTE FUNCTION cut()"))
    records = [call(2), call(3, operation="cut"), call(4)]
    shipment.keep(*records)
    with pytest.raises(NbtokensError):
        shipment.ship()
    assert shipment.count() == 1
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO cut VALUES (1)"))
    shipment.ship()
    assert shipment.count() == 4
    assert shipment.team().sums.calls == 4
    engine.dispose()


def test_an_error_that_nobody_thought_of(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of a driver's own, or of ours, is told by the doctor, and sending is tried again all the same."""
    monkeypatch.setenv("NBTOKENS_DATABASE", f"sqlite:///{tmp_path / 'team.db'}")
    write, failed = writing.write, []

    def fails_once(*arguments: Any, **named: Any) -> int:  # noqa: ANN401 - as `write` takes them
        if not failed:
            failed.append(examine(runtime().history).database["records_behind"])
            raise TypeError("cannot use a string pattern on a bytes-like object")
        if len(failed) == 1:
            failed.append(" ".join(examine(runtime().history).problems))
        return write(*arguments, **named)

    monkeypatch.setattr(writing, "write", fails_once)
    nbtokens.enable()
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    wait_until(lambda: examine(runtime().history).database["records_sent"] == 1)
    assert failed[0] == 1
    assert "bytes-like" in failed[1]


def test_the_database_is_away_for_long(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls go on while nothing answers at all; the doctor says how far behind; all arrives once it can."""
    with socket.socket() as silent:  # takes connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("NBTOKENS_DATABASE", f"postgresql+psycopg://x@127.0.0.1:{silent.getsockname()[1]}/x")
        nbtokens.enable()
        for number in range(20):
            nbtokens.record(model="m", input_tokens=number, cost_usd=0)
        assert len(ledger.rows()) == 20
        health = examine(runtime().history)
        assert health.database["records_behind"] == 20
    nbtokens.disable()
    url = f"sqlite:///{tmp_path / 'later.db'}"
    engine = open_database(url, tmp_path)
    later = Shipment(ledger.folder, url, engine)
    wait_until(later.shipper.ship)
    assert later.ids() == sorted(row["id"] for row in ledger.rows())
    engine.dispose()


def test_the_doctor_tells_why(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that refuses is a problem that the doctor names, with how far behind it is and no password."""
    url = "postgresql+psycopg://ada:hush@127.0.0.1:1/usage"
    monkeypatch.setenv("NBTOKENS_DATABASE", url)
    nbtokens.enable()
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    wait_until(lambda: Progress.load(ledger.folder, url).problem is not None)
    health = examine(runtime().history)
    (problem,) = [one for one in health.problems if "database" in one]
    assert "1 record behind" in problem
    assert "hush" not in str(health)


def test_a_wrong_clock(shipment: Shipment) -> None:
    """Rows of a machine whose clock is years ahead, or behind, arrive, wherever in time the others are."""
    records = [call(started_at=datetime(year, 3, 1, tzinfo=UTC)) for year in (1970, 2026, 2038, 2100)]
    shipment.keep(*reversed(records))
    shipment.ship()
    assert [record.id for record in shipment.team().records()] == [record.id for record in records]


def test_tables_of_a_newer_version(shipment: Shipment) -> None:
    """Tables that a newer nbtokens has changed are left alone; the rows wait, and the reason is kept."""
    engine = open_database(shipment.url, shipment.folder, writing=True)
    with engine.begin() as connection:
        schema.upgrade(connection)
        connection.execute(text("UPDATE nbtokens_schema SET version_num = '9999'"))
    engine.dispose()
    shipment.keep(call())
    with pytest.raises(NbtokensError, match="newer version"):
        shipment.ship()
    assert shipment.count() == 0
    progress = Progress.load(shipment.folder, shipment.url)
    assert "Upgrade" in (progress.problem or "")
    assert records_behind(shipment.store.journal, progress) == 1


def test_what_was_forgotten_leaves_the_database(shipment: Shipment) -> None:
    """Rows that are taken out of the file are taken out of the database, and out of its sums; others' rows stay."""
    other = Shipment(shipment.folder.parent / "other", shipment.url, shipment.engine)
    theirs = call(1, project="other")
    other.keep(theirs)
    other.ship()
    records = [call(number) for number in range(20)]
    shipment.keep(*records[:15], amend(records[1], "3"))
    shipment.ship()
    shipment.keep(*records[15:], amend(records[2], "4"))
    rewrite(shipment.store, Plan("forget", lambda record: record.user != "ada" and record.ref != records[2].id))
    shipment.ship()
    left = [record for record in records if record.user != "ada"]
    expected = sorted([theirs.id, *(record.id for record in left)])
    assert shipment.ids("call") == expected
    team = shipment.team().totals
    assert set(team.by("user")) == {"grace"}
    assert team.sums().calls == len(left) + 1
    shipment.ship()
    assert shipment.ids("call") == expected


def test_forgetting_after_what_was_sent_is_forgotten(shipment: Shipment) -> None:
    """Where somebody deletes what is kept of the sending, later forgetting reaches the database all the same."""
    records = [call(number) for number in range(9)]
    shipment.keep(*records)
    shipment.ship()
    (shipment.folder / "shipped.json").unlink()
    shipment.ship()
    rewrite(shipment.store, Plan("forget", lambda record: record.user != "ada"))
    shipment.ship()
    assert shipment.ids("call") == sorted(record.id for record in records if record.user != "ada")
    assert set(shipment.team().totals.by("user")) == {"grace"}


def test_a_rewrite_while_rows_are_behind(shipment: Shipment) -> None:
    """A rewrite before the first rows were sent, or two in a row, end in what the file has."""
    records = [call(number) for number in range(9)]
    shipment.keep(*records)
    rewrite(shipment.store, Plan("forget", lambda record: record.id != records[0].id))
    shipment.ship()
    rewrite(shipment.store, Plan("forget", lambda record: record.id != records[1].id))
    rewrite(shipment.store, Plan("forget", lambda record: record.id != records[2].id))
    shipment.keep(call(99))
    shipment.ship()
    with shipment.engine.connect() as connection:
        assert set(connection.scalars(select(token_usage.c.id))) == {row.id for row in shipment.store.records()}
    assert shipment.team().sums.calls == 7


def test_rows_that_were_archived_stay(shipment: Shipment) -> None:
    """Months that are moved to the archive, sent already or not, are in the database once."""
    pytest.importorskip("pyarrow")
    old = [call(number, started_at=datetime(2026, 1, 1 + number, tzinfo=UTC)) for number in range(5)]
    shipment.keep(*old[:3])
    shipment.ship()
    shipment.keep(*old[3:], call(7))
    upkeep.archive(shipment.store, datetime(2026, 2, 1, tzinfo=UTC))
    assert len(list(shipment.store.journal.records())) < 6
    shipment.ship()
    assert shipment.team().sums.calls == 6
    assert len(shipment.ids("call")) == 6
