"""Databases as people have them: behind poolers, of other encodings and schemas, with roles that may not do all."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from databases import free_port, new_folder, unprivileged
from servers import wait_until
from shipments import Shipment, amend, call, sums_by_key, totals_of
from sqlalchemy import make_url, text

import nbtokens
from nbtokens.errors import NbtokensError
from nbtokens.history.rewrite import Plan, rewrite
from nbtokens.limits import Limit
from nbtokens.shared_budgets import Known
from nbtokens.team import watch
from nbtokens.team.database import open_database
from nbtokens.team.history import open_team
from nbtokens.team.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from databases import PostgreSQL
    from ledgers import Ledger
    from sqlalchemy import Engine

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "team.md"
_TABLES: Final = ("token_usage", "token_usage_daily")
_POOLER: Final = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
"""


@pytest.fixture
def shipment(database: str, engine: Engine, tmp_path: Path) -> Shipment:
    """A history, and the database that it goes to."""
    return Shipment(tmp_path / ".metrics", database, engine)


@pytest.fixture
def pooler(cluster: PostgreSQL) -> Iterator[int]:
    """The port of a PgBouncer that gives each transaction another connection."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed (Debian's package is called pgbouncer)")
    folder, port = new_folder(), free_port()
    run_as = unprivileged(folder)
    (folder / "users").write_text('"nbtokens" ""\n', encoding="utf-8")
    (folder / "settings").write_text(_POOLER.format(server=cluster.port, port=port, folder=folder), encoding="utf-8")
    with subprocess.Popen(
        [program, "-q", folder / "settings"], stderr=subprocess.DEVNULL, cwd=folder, **run_as
    ) as running:
        try:
            wait_until(lambda: _answers(port))
            yield port
        finally:
            running.terminate()
    shutil.rmtree(folder)


def _answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def test_behind_a_pooler(postgresql: str, pooler: int, tmp_path: Path) -> None:
    """Through a PgBouncer that pools by transactions rows arrive as ever, and questions and budgets are answered."""
    url = make_url(postgresql).set(port=pooler).render_as_string()
    engine = open_database(url, tmp_path)
    shipment = Shipment(tmp_path / ".metrics", url, engine)
    records = [call(number) for number in range(12)]

    for record in records:  # more often than after which a driver prepares its statements
        shipment.keep(record)
        shipment.ship()
    shipment.keep(amend(records[0], "2"))
    shipment.ship()
    assert shipment.ids("call") == sorted(record.id for record in records)
    assert [record.id for record in shipment.team().records()] == [record.id for record in records]
    opened = open_team(url, tmp_path)
    opened.set_budget(Limit(tokens=5, per="day", scope="user", name="ada"))
    assert opened.budgets()[0].limit.tokens == 5
    opened.close()
    engine.dispose()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_of_another_encoding(cluster: PostgreSQL, tmp_path: Path, encoding: str) -> None:
    """What its encoding has no character for becomes a question mark, for no row's money is to be missing."""
    url = cluster.make_database(f"in_{encoding.lower()}", "-E", encoding, "--locale", "C")
    engine = open_database(url, tmp_path)
    shipment = Shipment(tmp_path / ".metrics", url, engine)
    records = [call(1, operation="naïve"), call(2, operation="✓", tags={"日": "本"}), call(3)]
    shipment.keep(*records)
    shipment.ship()
    found = [record.operation for record in shipment.team().records()]
    assert found == ["naïve", "?" if encoding == "LATIN1" else "✓", None]
    assert shipment.team().sums.cost_usd == sum(record.cost_usd or 0 for record in records)
    engine.dispose()


def test_names_that_are_too_long_for_an_index(shipment: Shipment) -> None:
    """A prompt that somebody gave as an operation's name is cut, and keeps out neither its own row nor those behind."""
    long = "".join(chr(0x400 + number * 7919 % 5000) for number in range(5000))
    records = [call(number, **{name: long}) for number, name in enumerate(("operation", "user", "project", "run_id"))]
    shipment.keep(call(8), *records, call(9))
    shipment.ship()
    assert shipment.count() == 6
    assert long[:500] in shipment.team().totals.by("operation")
    assert shipment.team().sums.calls == 6


def test_an_id_that_is_too_long_for_an_index(shipment: Shipment) -> None:
    """On PostgreSQL such a row is refused by itself, and counted; those behind it arrive."""
    shipment.keep(call(1), call(2, id="".join(chr(0x400 + number * 7919 % 5000) for number in range(5000))), call(3))
    shipment.ship()
    assert shipment.count() == (3 if shipment.url.startswith("sqlite") else 2)


def test_a_schema_of_its_own(postgresql: str, tmp_path: Path) -> None:
    """What the URL says of the connection holds: the tables are made where its search_path says."""
    with_path = make_url(postgresql).update_query_dict({"options": "-csearch_path=usage"})
    engine = open_database(postgresql, tmp_path)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA usage"))
    shipment = Shipment(tmp_path / ".metrics", with_path.render_as_string(), engine)
    shipment.keep(call())
    shipment.ship()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM usage.token_usage")) == 1
        assert connection.scalar(text("SELECT to_regclass('public.token_usage')")) is None
    engine.dispose()


def test_a_role_that_may_make_no_tables(postgresql: str, tmp_path: Path) -> None:
    """Where somebody has made the tables, and says what docs/team.md has, rows, questions and budgets need no more."""
    engine = open_database(postgresql, tmp_path)
    open_team(postgresql, tmp_path, make=True).close()
    role = f"people_{make_url(postgresql).database}"
    (block,) = re.findall(r"^```sql\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    statements = [one.replace("TO people", f"TO {role}") for one in block.split(";") if one.strip()]
    with engine.begin() as connection:
        for statement in (f"CREATE ROLE {role} LOGIN", *statements):
            connection.execute(text(statement))
    url = make_url(postgresql).set(username=role).render_as_string()
    shipment = Shipment(tmp_path / ".metrics", url, engine, keep_days=30)
    records = [call(started_at=datetime.now(UTC)), call(started_at=datetime.now(UTC))]
    shipment.keep(*records, amend(records[0], "2"))
    shipment.ship()
    assert shipment.ids("call") == sorted(record.id for record in records)
    opened = open_team(url, tmp_path)
    assert opened.budgets() == []
    assert opened.sums.calls == 2
    with pytest.raises(NbtokensError, match="permission"):
        opened.set_budget(Limit(tokens=5, per="day", scope="user", name="ada"))
    opened.close()
    engine.dispose()


def test_a_new_month_waits_for_nobody(postgresql: str, tmp_path: Path) -> None:
    """A month's partition comes while a long question, or a backup, holds the table, and nobody queues behind it."""
    engine = open_database(postgresql, tmp_path)
    shipment = Shipment(tmp_path / ".metrics", postgresql, engine)
    shipment.keep(call(1))
    shipment.ship()
    with engine.connect() as asking:
        assert len(asking.execute(text("SELECT id FROM token_usage")).all()) == 1
        shipment.keep(call(2, started_at=datetime(2031, 5, 1, tzinfo=UTC)))
        shipment.ship()
        assert len(asking.execute(text("SELECT id FROM token_usage_2031_05")).all()) == 1
    engine.dispose()


def test_who_goes_to_sleep_holds_nobody_up(postgresql: str, tmp_path: Path) -> None:
    """What was begun by a machine that sleeps in the middle is ended by the server after a minute."""
    engine = open_database(postgresql, tmp_path, writing=True)
    with engine.begin() as connection:
        assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "1min"
        assert connection.scalar(text("SHOW timezone")) == "UTC"
    engine.dispose()


def test_no_connection_is_held(
    ledger: Ledger, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel hangs up after it has sent and asked, so that there may be more kernels than connections."""
    monkeypatch.setenv("NBTOKENS_DATABASE", postgresql)
    named = make_url(postgresql).update_query_dict({"application_name": "who looks"}).render_as_string()
    engine = open_database(named, tmp_path)
    nbtokens.enable()
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    wait_until(lambda: Progress.load(ledger.folder, postgresql).shipped == 1)
    held = text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND application_name = 'nbtokens'")

    def hung_up() -> bool:
        with engine.connect() as connection:
            return connection.scalar(held, {"name": make_url(postgresql).database}) == 0

    wait_until(hung_up)
    engine.dispose()


def test_an_idle_kernel_asks_less_often(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes no calls asks for budgets less often, and every few seconds from its next cell or call on."""
    monkeypatch.setattr(watch, "EVERY", 0.0)
    monkeypatch.setattr(watch, "_WHEN_IDLE", 1e9)
    known = Known()
    asking = watch.Watch(engine, known)
    assert [asking.look(), asking.look()] == [True, True]
    asking._started -= 1e6
    assert asking.look() is False
    known.wake()
    assert asking.look() is True


def test_a_backup_of_the_database_is_restored(shipment: Shipment) -> None:
    """Where the database is an older state of itself, what it had since is sent again by the next process."""
    old, new = [call(number) for number in range(5)], [call(number) for number in range(5, 9)]
    shipment.keep(*old)
    shipment.ship()
    with shipment.engine.begin() as connection:
        for table in _TABLES:
            connection.execute(text(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}"))
    shipment.keep(*new)
    shipment.ship()
    with shipment.engine.begin() as connection:
        for table in _TABLES:
            connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text(f"INSERT INTO {table} SELECT * FROM kept_{table}"))
    assert shipment.count() == 5
    Shipment(shipment.folder, shipment.url, shipment.engine).ship()
    assert shipment.ids() == sorted(record.id for record in (*old, *new))
    assert sums_by_key(shipment.team().totals) == sums_by_key(totals_of((*old, *new)))
    with shipment.engine.begin() as connection:
        for table in _TABLES:
            connection.execute(text(f"DELETE FROM {table}"))
    Shipment(shipment.folder, shipment.url, shipment.engine).ship()
    assert shipment.count() == 9


def test_what_retention_dropped_is_not_sent_again(shipment: Shipment) -> None:
    """What another project's setting dropped, no history sends again, also when its file was written anew."""
    now = datetime.now(UTC)
    records = [call(started_at=now - timedelta(days=days)) for days in (90, 80, 1)]
    shipment.keep(*records)
    shipment.ship()
    other = Shipment(shipment.folder.parent / "other", shipment.url, shipment.engine, keep_days=30)
    other.keep(call(started_at=now))
    other.ship()
    assert shipment.count() == 2
    rewrite(shipment.store, Plan("forget", lambda record: record.id != records[1].id))
    shipment.ship()
    Shipment(shipment.folder, shipment.url, shipment.engine).ship()
    assert shipment.count() == 2
    assert shipment.team().sums.calls == 4
