"""What a team's database takes: records shipped a second, lag, questions at millions of rows, many kernels at once.

    python benchmarks/team.py [--rows 10000000] [--kernels 32] [--records 20000]

Starts a PostgreSQL of its own on loopback (Debian's package `postgresql`), in a folder that is removed at the end.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "team")]

from databases import PostgreSQL, new_folder
from sqlalchemy import func, select, text

from nbtokens.analysis.selection import Selection
from nbtokens.history.store import Store
from nbtokens.limits import make_limit
from nbtokens.record import Record, new_id
from nbtokens.team import partitions, schema
from nbtokens.team.database import open_database
from nbtokens.team.history import TeamHistory
from nbtokens.team.limits import standings
from nbtokens.team.shipper import Shipper
from nbtokens.team.tables import token_usage
from nbtokens.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

_DAYS = 90
_LONG = 5.0  # seconds: what takes so long is asked once
_INDEXES = "SELECT indexdef, indexname FROM pg_indexes WHERE tablename = 'token_usage' AND indexname LIKE 'ix_%'"
_ROWS = """
INSERT INTO token_usage (v, kind, id, started_at, project, "user", session, run_id, notebook, cell, operation,
    call_type, provider, model, status, input_tokens, output_tokens, total_tokens, duration_s, cost_usd,
    max_tokens, request_hash, prefix_hash, usage, usage_source, ledger)
SELECT 1, 'call', 'load-' || n, CAST(:first AS timestamptz) + n * (CAST(:days AS interval) / :rows),
    'project ' || n % 200 % 7, 'user ' || n % 200 / 4, 'session ' || n % 5000, 'run ' || n % 20000,
    'book ' || n % 200 || '.ipynb', 'cell ' || n % 20, 'operation ' || n % 200 % 10 + n / 200 % 3, 'chat', 'openai',
    'model ' || n / 600 % 3, CASE WHEN n % 97 = 0 THEN 'error' ELSE 'ok' END, 100 + n % 900, 10 + n % 300,
    110 + n % 900 + n % 300, 0.2 + (n % 100) / 50.0, (n % 1000) * 0.00001,
    CASE WHEN n % 3 = 0 THEN 512 WHEN n % 3 = 1 THEN 1024 END, 'request ' || (CAST(n AS bigint) * 7919) % 8000000,
    'prefix ' || n % 5000, CASE WHEN n % 10 = 0 THEN jsonb_build_object('prompt_tokens', 100 + n % 900,
        'prompt_tokens_details', jsonb_build_object('cached_tokens', 0, 'image_tokens', n % 2000)) END,
    'reported', 'load'
FROM generate_series(1, :rows) AS n
"""
_DAILY = """
INSERT INTO token_usage_daily (key, day, project, provider, model, operation, call_type, notebook, "user", status,
    calls, failed_calls, unpriced_calls, priced_calls, priced_tokens, estimated_calls, incomplete_calls, cache_hits,
    saved_tokens, saved_cost_usd, runs, runs_without_calls, input_tokens, output_tokens, cache_read_input_tokens,
    cache_creation_input_tokens, reasoning_output_tokens, cost_usd, duration_s, timed_output_tokens, timed_s)
SELECT md5(random()::text || min(id)), (started_at AT TIME ZONE 'UTC')::date, project, provider, model, operation,
    call_type, notebook, "user", status, count(*), count(*) FILTER (WHERE status = 'error'), 0, count(*),
    sum(total_tokens), 0, 0, 0, 0, 0, 0, 0, sum(input_tokens), sum(output_tokens), 0, 0, 0, sum(cost_usd),
    sum(duration_s), sum(output_tokens), sum(duration_s)
FROM token_usage GROUP BY 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
_KERNEL = """
import sys, time
from pathlib import Path
import nbtokens
nbtokens.enable()
Path(sys.argv[1]).touch()
for number in range(int(sys.argv[2])):
    nbtokens.record(model="gpt-5-mini", provider="openai", operation="load", input_tokens=100, output_tokens=number)
    time.sleep(0.01)
time.sleep(30)
"""


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("--rows", type=int, default=10_000_000)
    words.add_argument("--records", type=int, default=20_000)
    words.add_argument("--kernels", type=int, default=32)
    words.add_argument("--only", choices=("shipping", "kernels", "questions"))
    asked = words.parse_args()
    folder = new_folder()
    try:
        server = PostgreSQL(folder)
        server.start()
        for name, measure, size in (
            ("shipping", ship, asked.records),
            ("kernels", kernels, asked.kernels),
            ("questions", questions, asked.rows),
        ):
            if asked.only in (None, name):
                measure(server.make_database(name), size)
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ship(url: str, count: int) -> None:
    """How fast a history that is far behind catches up."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(folder, print)
        for number in range(count):
            store.append(_call(number))
        shipper = Shipper(store.journal, folder, url, folder)
        began = time.perf_counter()
        shipper.ship()
        seconds = time.perf_counter() - began
        print(f"shipping {count:,} records: {count / seconds:,.0f} records/s, {seconds:.1f} s")
        lags = []
        for number in range(20):
            store.append(_call(number))
            began = time.perf_counter()
            shipper.ship()
            lags.append(time.perf_counter() - began)
        print(f"shipping 1 record: {statistics.median(lags) * 1000:.1f} ms, once a second")
        shipper.close()


def kernels(url: str, count: int, each: int = 100) -> None:
    """Many processes, each with a project of its own, that write to one database at once."""
    with tempfile.TemporaryDirectory() as name:
        engine = open_database(url, Path(name), writing=True)
        with engine.begin() as connection:
            schema.bring_up_to_date(connection)
        running = []
        began = time.perf_counter()
        for number in range(count):
            folder = Path(name) / str(number)
            (folder / ".metrics").mkdir(parents=True)
            (folder / "nbtokens.toml").write_text(f'database = "{url}"\n', encoding="utf-8")
            script = [sys.executable, "-c", _KERNEL, str(folder / "ready"), str(each)]
            running.append(subprocess.Popen(script, cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": ""}))
        arrived = 0
        while arrived < count * each:
            time.sleep(0.2)
            with engine.connect() as connection:
                arrived = connection.scalar(select(func.count()).where(token_usage.c.kind == "call")) or 0
        print(f"{count} kernels at once, {each} records each: all {arrived:,} in the database after", end=" ")
        print(f"{time.perf_counter() - began:.1f} s from the start of the first process")
        for one in running:
            one.terminate()
            one.wait()
        engine.dispose()


def questions(url: str, rows: int) -> None:
    """The questions, at that many rows."""
    engine = open_database(url, Path.cwd(), writing=True)
    first = datetime.now(UTC) - timedelta(days=_DAYS)
    with engine.begin() as connection:
        schema.bring_up_to_date(connection)
        months = {((at := first + timedelta(days=day)).year, at.month) for day in range(_DAYS + 2)}
        partitions.make_partitions(connection, months)
    began = time.perf_counter()
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        indexes = [(row.indexdef, row.indexname) for row in connection.execute(text(_INDEXES))]
        for _, name in indexes:
            connection.execute(text(f"DROP INDEX {name}"))
        values = {"first": first, "days": f"{_DAYS} days", "rows": rows}
        connection.execute(text(_ROWS), values)
        for definition, _ in indexes:
            connection.execute(text(definition.replace(" ON ONLY ", " ON ")))
        connection.execute(text(_DAILY))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))
    print(f"{rows:,} rows over {_DAYS} days, loaded in {time.perf_counter() - began:.0f} s")
    team = TeamHistory(engine)
    for scope, name in (("user", "user 7"), ("project", "project 3"), ("notebook", "book 7.ipynb")):
        team.set_budget(make_limit(5, per="month", scope=scope, name=name))
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    month = Selection(since=midnight - timedelta(days=29))
    hour = Selection(since=datetime.now(UTC) - timedelta(hours=1))
    week, limits = Selection(since=midnight - timedelta(days=6)), Thresholds()
    asked: dict[str, Callable[[], object]] = {
        "sums of 30 days": lambda: team.sums_of(month),
        "30 days by day": lambda: team.by("day", month),
        "30 days by operation": lambda: team.by("operation", month),
        "30 days by user": lambda: team.by("user", month),
        "all time by model": lambda: team.by("model", Selection()),
        "one run": lambda: team.sums_of(Selection(run="run 77")),
        "latest calls": team.recent,
        "sums of the last hour, from rows": lambda: team.sums_of(hour),
        "stats of one day, percentiles from rows": lambda: team.totals_of(Selection(since=midnight)),
        "stats of one day by run, from rows": lambda: team.token_stats(Selection(since=midnight), ["run_id"]),
        "stats of a week by run, from rows": lambda: team.token_stats(week, ["run_id"]),
        "check of one day": lambda: team.findings(Selection(since=midnight), limits),
        "check of a week": lambda: team.findings(week, limits),
        "check of everything": lambda: team.findings(Selection(), limits),
        "stats of everything, percentiles from rows": lambda: team.totals_of(Selection()),
        "stats --media of one day": lambda: team.media(Selection(since=midnight)),
        "stats --media of everything": lambda: team.media(Selection()),
        "validate, the latest 50,000 calls": lambda: team.validation(Selection(), "all calls", 5_000),
        "savings of one day": lambda: team.wasted(Selection(since=midnight)),
        "savings, the latest 1,000,000 calls": lambda: team.wasted(Selection()),
        "what a process of budgets every 2 s": lambda: asked_for(engine),
        "the page's dearest cells of 30 days, from rows": lambda: team.cells(month, 50),
    }
    for name, ask in asked.items():
        times = []
        for _ in range(3):
            began = time.perf_counter()
            ask()
            times.append(time.perf_counter() - began)
            if times[-1] > _LONG:
                break
        print(f"  {name}: {statistics.median(times) * 1000:,.0f} ms (first {times[0] * 1000:,.0f})")
    engine.dispose()


def asked_for(engine: Engine) -> None:
    """Ask for the budgets of a process, as it does itself."""
    with engine.connect() as connection:
        standings(connection, names={"user": "user 7", "project": "project 3"})


def _call(number: int) -> Record:
    return Record(
        v=1, kind="call", id=new_id(), started_at=datetime.now(UTC), project="p", user=f"user {number % 5}",
        model=f"model {number % 3}", operation=f"operation {number % 10}", call_type="chat", provider="openai",
        status="ok", input_tokens=100, output_tokens=20, total_tokens=120, duration_s=0.5, cost_usd=Decimal("0.00012"),
        usage={"prompt_tokens": 100, "completion_tokens": 20}, tags={"domain": "finance"},
    )  # fmt: skip


if __name__ == "__main__":
    main()
