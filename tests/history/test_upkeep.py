"""Commands that look after a history: archive, forget, verify, import, export, reprice; none of them loses anything."""

from __future__ import annotations

import csv
import json
import stat
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import dask.dataframe as dd
import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

import nbtokens
from nbtokens.cli import main
from nbtokens.history import upkeep
from nbtokens.history.store import Store
from nbtokens.record import encode, new_id
from nbtokens.runtime import runtime
from nbtokens.views import History

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgers import Ledger

    from nbtokens.history.totals import Totals
    from nbtokens.record import Record

_JULY = datetime(2026, 7, 10, 12, tzinfo=UTC)


@pytest.fixture
def months(ledger: Ledger, make_record: Callable[..., Record]) -> list[Record]:
    """A history of ten calls in each of three months, one of them with a later price; its calls as they read now."""
    store = runtime().store
    calls = [
        make_record(
            started_at=_JULY + timedelta(days=31 * month, hours=number),
            user=("ada", "bob")[number % 2],
            notebook=f"n{number % 3}.ipynb",
            model="m",
            operation="ask",
            input_tokens=100 + number,
            output_tokens=number,
            total_tokens=100 + 2 * number,
            duration_s=1.0 + number,
            cost_usd=Decimal("0.0000010000000000000000001") if number == 5 else Decimal(number),
            usage={"prompt_tokens": number},
            tags={"n": number},
        )
        for month in range(3)
        for number in range(10)
    ]
    for call in calls:
        store.append(call)
    late = calls[3]
    store.append(make_record(kind="amend", id=new_id(), ref=late.id, started_at=late.started_at, cost_usd=Decimal(7)))
    return list(store.records())


def _same(one: Totals, other: Totals) -> None:
    assert one.rows.keys() == other.rows.keys()
    for key, sums in one.rows.items():
        assert sums == other.rows[key], key
    for name, figures in one.stats().items():
        assert figures == pytest.approx(other.stats()[name]), name


def _read(ledger: Ledger) -> Store:
    """The history, as a kernel that starts now reads it."""
    return Store(ledger.folder, pytest.fail)


def test_archived_months_are_still_seen(
    months: list[Record], ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """After `nbtokens archive` the records, the totals, the frame and an open kernel's figures are what they were."""
    open_kernel = _read(ledger)
    before = open_kernel.totals()
    assert main(["archive", "--before", "2026-09"]) == 0
    assert "21 rows moved into 2 files" in capsys.readouterr().out
    assert len(ledger.rows(None)) == 11
    assert ledger.rows(None)[0]["kind"] == "rewrite"
    for store in (_read(ledger), open_kernel, runtime().store):
        _same(store.totals(), before)
        assert sorted(store.records(), key=lambda one: one.started_at) == months
    assert len(History(_read(ledger)).frame()) == 30
    (ledger.folder / "archive" / "_totals.json").unlink()
    (ledger.folder / "totals_checkpoint.json").unlink(missing_ok=True)
    _same(_read(ledger).totals(), before)
    assert main(["verify"]) == 0


def test_all_is_archived(months: list[Record], ledger: Ledger) -> None:
    """Where nothing is left in the file, DataFrames and questions have the archive; without that, they are empty."""
    main(["archive", "--before", "2999-01"])
    assert len(History(_read(ledger)).frame()) == 30
    assert main(["stats", "--by", "session"]) == main(["cost"]) == 0
    main(["forget", "--since", "2000-01", "--yes"])
    assert len(History(_read(ledger)).frame()) == 0
    assert main(["stats", "--by", "session"]) == main(["cost"]) == main(["verify"]) == 0


def test_a_price_for_what_is_archived(months: list[Record], ledger: Ledger, make_record: Callable[..., Record]) -> None:
    """An amendment finds its record in the archive, and can be archived itself later."""
    main(["archive", "--before", "2026-09"])
    store, first = runtime().store, months[0]
    store.append(
        make_record(kind="amend", id=new_id(), ref=first.id, started_at=first.started_at, cost_usd=Decimal(50))
    )
    expected = sum((one.cost_usd or 0 for one in months), Decimal(50)) - (first.cost_usd or 0)
    assert store.totals().sums().cost_usd == _read(ledger).totals().sums().cost_usd == expected
    main(["archive", "--before", "2026-10"])
    assert _read(ledger).totals().sums().cost_usd == expected
    assert next(_read(ledger).records()).cost_usd == 50


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # Dask's own, with the newest pandas
def test_duckdb_and_dask_open_the_archive_as_it_is(months: list[Record], ledger: Ledger) -> None:
    """Both read the folder by its partitions, with the months as columns and the money as decimals."""
    main(["archive", "--before", "2026-09"])
    folder = ledger.folder / "archive"
    with duckdb.connect() as connection:
        rows = connection.sql(
            "select year, month, count(*), sum(input_tokens), sum(cost_usd) "
            f"from read_parquet('{folder}/**/*.parquet', hive_partitioning=true) "
            "where kind = 'call' group by all order by month"
        ).fetchall()
    assert [row[:4] for row in rows] == [(2026, 7, 10, 1045), (2026, 8, 10, 1045)]
    frame = dd.read_parquet(folder).compute()
    assert set(frame["month"].astype(int)) == {7, 8}
    assert frame[frame["kind"] == "call"]["input_tokens"].sum() == 2090


def test_the_archive_keeps_what_it_does_not_know(ledger: Ledger, make_record: Callable[..., Record]) -> None:
    """Keys of a newer version are in the archive, too, and money beyond its columns' digits is exact."""
    line = encode(make_record(started_at=_JULY, cost_usd=Decimal("0.1234567890123456789012345")))
    ledger.path.write_bytes(b"[\n" + line[:-1] + b',"mood":{"good":true}}\n]\n')
    main(["archive", "--before", "2026-08"])
    [file] = (ledger.folder / "archive").rglob("*.parquet")
    assert json.loads(pq.read_table(file).to_pylist()[0]["extra"])["mood"] == {"good": True}
    assert next(_read(ledger).records()).cost_usd == Decimal("0.1234567890123456789012345")


def test_a_dated_backup_is_kept(months: list[Record], ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the history is written anew it is kept as it was, for its owner's eyes; of many the newest five stay."""
    before = ledger.path.read_bytes()
    main(["archive", "--before", "2026-08"])
    [backup] = (ledger.folder / "backups").iterdir()
    assert backup.read_bytes() == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert str(backup) in capsys.readouterr().out
    for _ in range(7):
        main(["verify", "--repair"])
    assert len(list((ledger.folder / "backups").iterdir())) == 5
    runtime().store.append(months[0])
    assert max(path.stat().st_size for path in (ledger.folder / "backups").iterdir()) <= len(before)


@pytest.mark.parametrize("then", ["archive", "keep", "forget"])
def test_a_crash_while_archiving_changes_nothing(
    then: str, months: list[Record], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the new file can't be put in place, all is as before; what was archived then never comes back later."""
    before = _read(ledger).totals()
    content = ledger.path.read_bytes()

    def fail(path: Path, target: Path) -> None:
        if target.name == "usage_history.json":
            raise OSError(28, "No space left on device")
        real(path, target)

    real = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="No space"):
            upkeep.archive(runtime().store, datetime(2026, 9, 1, tzinfo=UTC))
    assert ledger.path.read_bytes() == content
    _same(_read(ledger).totals(), before)
    assert list(_read(ledger).records()) == months
    if then == "keep":
        upkeep.retain(runtime().store, 30, datetime(2026, 11, 1, tzinfo=UTC))
        assert {one.kind for one in _read(ledger).records()} == {"rollup"}
    else:
        main([then, *(["--before", "2026-09"] if then == "archive" else ["--user", "nobody", "--yes"])])
        assert sorted(_read(ledger).records(), key=lambda one: one.started_at) == months
    (ledger.folder / "totals_checkpoint.json").unlink(missing_ok=True)
    _same(_read(ledger).totals(), before)
    assert main(["verify"]) == 0


def test_a_missing_archive_file_is_named(months: list[Record], ledger: Ledger) -> None:
    """Figures leave out what can't be read, and say so; `nbtokens verify` finds it."""
    main(["archive", "--before", "2026-09"])
    for path in (ledger.folder / "archive").rglob("*.parquet"):
        path.unlink()
    (ledger.folder / "totals_checkpoint.json").unlink()
    told: list[str] = []
    assert Store(ledger.folder, told.append).totals().sums().calls == 10
    assert "can't be read" in told[0]
    assert main(["verify"]) == 1


def test_kept_for_some_days(months: list[Record], ledger: Ledger, make_record: Callable[..., Record]) -> None:
    """Rows that are older become sums by day: totals, quantiles and prices stay, single calls are gone."""
    before = _read(ledger).totals()
    open_kernel = _read(ledger)
    open_kernel.totals()
    main(["archive", "--before", "2026-08"])
    outcome = upkeep.retain(runtime().store, 30, _JULY + timedelta(days=62 + 25))
    assert (outcome.rows, outcome.archived) == (10, 11)
    for store in (_read(ledger), open_kernel):
        totals = store.totals()
        _same(totals, before)
        assert {one.kind for one in store.records() if one.started_at < _JULY + timedelta(days=50)} == {"rollup"}
    frame = History(_read(ledger)).frame()
    assert frame["input_tokens"].sum() == before.sums().input_tokens
    assert main(["verify"]) == 0


def test_keep_is_a_setting(ledger: Ledger, make_record: Callable[..., Record]) -> None:
    """With `keep` in the settings old rows become sums by themselves; without it nothing ever goes."""
    old = make_record(started_at=datetime.now(UTC) - timedelta(days=400), input_tokens=5)
    runtime().store.append(old)
    runtime().store.checkpoint()
    assert [row["kind"] for row in ledger.rows(None)] == ["call"]
    ledger.folder.with_name("nbtokens.toml").write_text('keep = "180d"\n')
    nbtokens.enable()  # reads the settings
    runtime().store.append(make_record(started_at=datetime.now(UTC), input_tokens=1))
    runtime().store.checkpoint()
    assert sorted(row["kind"] for row in ledger.rows(None)) == ["call", "rewrite", "rollup"]
    assert nbtokens.history().sums.input_tokens == 6


def test_old_rows_are_found_wherever_they_stand(ledger: Ledger, make_record: Callable[..., Record]) -> None:
    """Rows that came in late, by an import, and those of the archive are old, too; sums of old rows are not."""
    now = datetime.now(UTC)
    store = runtime().store
    store.append(make_record(started_at=now, input_tokens=1))
    assert not upkeep.is_due(store, 30, now)
    store.append(make_record(started_at=now - timedelta(days=90), input_tokens=2))
    assert upkeep.is_due(store, 30, now)
    upkeep.archive(store, now - timedelta(days=40))
    assert [row["input_tokens"] for row in ledger.rows()] == [1]
    assert upkeep.is_due(_read(ledger), 30, now)
    upkeep.retain(store, 30, now)
    assert not upkeep.is_due(store, 30, now)
    assert _read(ledger).totals().sums().input_tokens == 3


def test_forget_a_user(months: list[Record], ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of hers is left in any file of the ledger; the others' rows are all there; it says what it did."""
    main(["archive", "--before", "2026-08"])
    main(["verify", "--repair"])
    torn = ledger.folder / "usage_history.torn-1.txt"
    torn.write_bytes(b'{"v":1,"user":"ada","mod')
    capsys.readouterr()
    assert main(["forget", "--user", "ada"]) == 0
    assert capsys.readouterr().out.startswith("15 rows would be forgotten")
    assert main(["forget", "--user", "ada", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "10 rows taken out of" in said
    assert "5 rows taken out of the archive" in said
    left = list(_read(ledger).records())
    assert [one.id for one in left] == [one.id for one in months if one.user == "bob"]
    assert _read(ledger).totals().sums().calls == 15
    assert b'"ada"' not in ledger.everything()
    assert not torn.exists()
    for file in (ledger.folder / "archive").rglob("*.parquet"):
        assert "ada" not in pq.read_table(file)["user"].to_pylist()
    assert main(["verify"]) == 0


def test_nothing_is_left_of_who_was_forgotten(months: list[Record], ledger: Ledger) -> None:
    """Not where all of the archive was theirs, nor in files that a killed process has left half written."""
    main(["archive", "--before", "2026-10"])
    for name in (".totals_checkpoint.json.abc123", ".usage_history.json.new", "backups/.usage_history-2026.json.new"):
        (ledger.folder / name).write_text('{"user":"ada"}')
    assert b'"ada"' in (ledger.folder / "archive" / "_totals.json").read_bytes()
    assert main(["forget", "--before", "2026-10", "--yes"]) == 0
    assert b'"ada"' not in ledger.everything()
    assert _read(ledger).totals().sums().calls == 0
    assert main(["verify"]) == 0


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["--notebook", "n0.ipynb"], 18),
        (["--before", "2026-08-01"], 20),
        (["--since", "2026-09-10T15:00"], 23),
        (["--user", "bob", "--since", "2026-09"], 25),
        (["--user", "nobody"], 30),
    ],
)
def test_forget_by_other_things(words: list[str], left: int, months: list[Record], ledger: Ledger) -> None:
    """By notebook, by time, by several at once: rows for which all of it holds are gone, and no others."""
    assert main(["forget", *words, "--yes"]) == 0
    assert _read(ledger).totals().sums().calls == len(list(_read(ledger).records())) == left


def test_forget_whom(months: list[Record], capsys: pytest.CaptureFixture[str]) -> None:
    """Without a choice nothing is forgotten."""
    assert main(["forget", "--yes"]) == 2
    assert "whose rows?" in capsys.readouterr().err


def test_verify_finds_what_is_wrong(months: list[Record], ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that are no records and ids that are there twice are named, with exit code 1; `--repair` mends the file."""
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    bad = b'{"v":1,"kind":"call","id":"x","started_at":"2026-01-01T00:00:00Z","input_tokens":-1},\n'
    ledger.path.write_bytes(b"".join([lines[0], lines[1], b"<<<<<<< HEAD\n", bad, lines[1], *lines[2:]]))
    assert main(["verify"]) == 1
    said = capsys.readouterr().out
    assert "Line 3: no JSON object" in said
    assert "Line 4: Expected `int` >= 0" in said
    assert f"The id {months[0].id} is there more than once" in said
    assert main(["verify", "--repair", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["path"]) == (False, str(ledger.path))
    assert answer["repaired"]["left_out"] == 1
    assert "<<<<<<<" in Path(answer["repaired"]["aside"]).read_text()
    assert "<<<<<<<" in next(ledger.folder.glob("usage_history.torn-*")).read_text()
    assert len(ledger.rows(None)) == 33  # one row says that it was written anew, and one is no record but stays
    assert list(_read(ledger).records()) == months


def test_import_twice_adds_once(months: list[Record], ledger: Ledger, tmp_path: Path) -> None:
    """A history of somebody else's comes in, its amendments too, however it is laid out; a second time adds nothing."""
    theirs = tmp_path / "theirs.json"
    theirs.write_text(ledger.path.read_text().replace("\n", ""))
    before = nbtokens.history().totals
    main(["forget", "--before", "2026-09", "--yes"])
    for _ in range(2):
        assert main(["import", str(theirs)]) == 0
        assert sorted(_read(ledger).records(), key=lambda one: one.started_at) == months
        _same(nbtokens.history().totals, before)
    assert main(["verify"]) == 0


def test_import_of_a_table(ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A CSV comes in by a map of its columns; equal rows are two calls, once more adds nothing, errors are named."""
    table = tmp_path / "calls.csv"
    table.write_text(
        "date,model,prompt,output_tokens,cost_usd\n"
        "2026-01-01T10:00:00Z,gpt-5,10,2,0.5\n"
        "2026-01-01T10:00:00Z,gpt-5,10,2,0.5\n"
        "2026-01-02T10:00:00+02:00,gpt-5,-7,2,0.5\n"
        "someday,gpt-5,7,2,0.5\n"
    )
    words = ["import", str(table), "--map", "started_at=date", "--map", "input_tokens=prompt"]
    for _ in range(2):
        assert main(words) == 1
        sums = nbtokens.history().sums
        assert (sums.calls, sums.input_tokens, sums.total_tokens, sums.cost_usd) == (2, 20, 24, 1)
    told = capsys.readouterr().err
    assert "line 4: Expected `int` >= 0" in told
    assert "line 5: Invalid isoformat string" in told
    assert main(["import", str(table), "--map", "tokens=prompt"]) == 2
    assert main(["import", str(tmp_path / "nothing.json")]) == 2


def test_export_as_csv_runs_no_formula(
    ledger: Ledger, make_record: Callable[..., Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that a spreadsheet would run gets an apostrophe, and comes back without it."""
    names = ["=cmd|' /C calc'!A1", "+1", "-1", "@sum", "\tx", "plain"]
    for name in names:
        runtime().store.append(make_record(operation=name, input_tokens=1, cost_usd=Decimal("0.00000012")))
    assert main(["export"]) == 0
    printed = capsys.readouterr().out
    rows = list(csv.DictReader(printed.splitlines()))
    assert [row["operation"] for row in rows[:4]] == [f"'{name}" for name in names[:4]]
    assert rows[0]["cost_usd"] == "0.00000012"
    file = tmp_path / "out.csv"
    assert main(["export", "--format", "csv", "--output", str(file)]) == 0
    records = list(runtime().store.records())
    main(["forget", "--since", "2020-01", "--yes"])
    assert main(["import", str(file)]) == 0
    assert [one.operation for one in runtime().store.records()] == names
    assert [one.cost_usd for one in runtime().store.records()] == [one.cost_usd for one in records]


def test_export_as_json_and_parquet(months: list[Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both hold every call, the archive's too, with later prices folded in."""
    main(["archive", "--before", "2026-08"])
    capsys.readouterr()
    assert main(["export", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert {row["id"]: row["cost_usd"] for row in rows} == {one.id: one.cost_usd for one in months}
    file = tmp_path / "out.parquet"
    assert main(["export", "--format", "parquet", "--output", str(file)]) == 0
    assert len(pd.read_parquet(file)) == 30
    assert main(["export", "--format", "parquet"]) == 2


def test_reprice(ledger: Ledger, make_record: Callable[..., Record], capsys: pytest.CaptureFixture[str]) -> None:
    """New prices are shown, and hold once one says so; costs that somebody gave stay."""
    ledger.folder.with_name("nbtokens.toml").write_text("[prices.mine]\ninput_per_mtok = 2\noutput_per_mtok = 4\n")
    nbtokens.enable()  # reads the settings
    store = runtime().store
    unpriced = make_record(model="mine", input_tokens=1_000_000, output_tokens=0, total_tokens=1_000_000)
    given = make_record(model="mine", input_tokens=5, output_tokens=5, cost_usd=Decimal(9), price_source="user")
    for record in (unpriced, given):
        store.append(record)
    assert main(["reprice"]) == 0
    said = capsys.readouterr().out
    assert "$2.0000" in said
    assert "Nothing was changed" in said
    assert ledger.rows("amend") == []
    assert main(["reprice", "--yes"]) == 0
    assert [(row["ref"], row["cost_usd"]) for row in ledger.rows("amend")] == [(unpriced.id, 2)]
    assert nbtokens.history().sums.cost_usd == 11
    capsys.readouterr()
    assert main(["reprice", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["appended"] == 0
    assert len(ledger.rows("amend")) == 1


def test_a_newer_version_is_not_written_anew(ledger: Ledger, make_record: Callable[..., Record]) -> None:
    """A file with rows of a newer version is left as it is by every command that would write it anew."""
    row = {**json.loads(encode(make_record(user="ada"))), "v": 2}
    ledger.path.write_text(f"[\n{json.dumps(row, separators=(',', ':'))}\n]\n")
    before = ledger.path.read_bytes()
    for words in (["forget", "--user", "ada", "--yes"], ["verify", "--repair"], ["archive"]):
        assert main(words) == 2
    assert ledger.path.read_bytes() == before
