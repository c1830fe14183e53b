"""Histories that come in again in another form: nothing counts twice, and nothing is lost."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

import nbtokens
from nbtokens.cli import main
from nbtokens.history import upkeep
from nbtokens.history.store import Store
from nbtokens.record import new_id
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledgers import Ledger

    from nbtokens.record import Record

_NOW = datetime(2026, 11, 20, tzinfo=UTC)
_OLD = _NOW - timedelta(days=100)


@pytest.fixture
def theirs(tmp_path: Path, make_record: Callable[..., Record]) -> Store:
    """A colleague's history: ten old calls, one with a later price, one with a score; a hit, a run, and a new call."""
    store = Store(tmp_path / "theirs", pytest.fail)
    for number in range(10):
        store.append(
            make_record(
                started_at=_OLD + timedelta(hours=number % 5, seconds=number), user="eve", model="m",
                notebook=f"n{number % 2}.ipynb", input_tokens=number, output_tokens=1, total_tokens=number + 1,
                duration_s=1.5, cost_usd=Decimal("0.1"),
            )
        )  # fmt: skip
    first, second, *_ = store.records()
    for fields in (
        {"kind": "amend", "ref": first.id, "started_at": _OLD, "cost_usd": Decimal(7), "status": None},
        {"kind": "score", "ref": second.id, "started_at": _OLD, "scores": {"quality": 0.5}},
        {"kind": "cache_hit", "started_at": _OLD, "user": "eve", "saved_cost_usd": Decimal(3), "cost_usd": Decimal(0)},
        {"kind": "run", "started_at": _OLD, "user": "eve", "calls": 0, "status": None},
        {"started_at": _NOW, "user": "eve", "input_tokens": 5, "total_tokens": 5, "cost_usd": Decimal(1)},
    ):
        store.append(make_record(id=new_id(), **fields))
    return store


def _import(store: Store, name: str = "usage_history.json") -> None:
    assert main(["import", str(store.folder / name)]) == 0


def test_their_rows_became_sums(theirs: Store, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that were taken in, and then as the sums that the colleague has kept of them, count once; that is told."""
    _import(theirs)
    before = nbtokens.history().sums
    assert before == theirs.totals().sums()
    upkeep.retain(theirs, 30, _NOW)
    capsys.readouterr()
    for _ in range(2):
        _import(theirs)
        assert nbtokens.history().sums == before
        assert "4 rows passed over that would count twice" in capsys.readouterr().err
    assert main(["verify"]) == 0


def test_our_rows_became_sums(
    theirs: Store, ledger: Ledger, make_record: Callable[..., Record], capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of which we have kept sums only do not come in again, nor what speaks of them; new ones do."""
    _import(theirs)
    upkeep.retain(runtime().store, 30, _NOW)
    before = nbtokens.history().sums
    rows = len(ledger.rows(None))
    capsys.readouterr()
    _import(theirs)
    assert nbtokens.history().sums == before
    assert len(ledger.rows(None)) == rows
    assert "14 rows passed over that would count twice" in capsys.readouterr().err
    late = _OLD + timedelta(hours=20)
    theirs.append(
        nbtokens.Record(v=1, kind="call", id=new_id(), started_at=late, user="eve", model="m", input_tokens=9)
    )
    _import(theirs)
    assert nbtokens.history().sums.calls == before.calls + 1


def test_only_sums(theirs: Store, ledger: Ledger) -> None:
    """A history of sums comes in as it is, twice as once; then the rows that they were made of add nothing."""
    shutil.copy(theirs.journal.path, theirs.folder / "earlier.json")
    before = theirs.totals().sums()
    upkeep.retain(theirs, 30, _NOW)
    for name in ("usage_history.json", "usage_history.json", "earlier.json"):
        _import(theirs, name)
        assert nbtokens.history().sums == before
    assert main(["verify"]) == 0


def test_another_one_with_the_same_name(theirs: Store, ledger: Ledger, make_record: Callable[..., Record]) -> None:
    """Rows of other days, users or notebooks have nothing to do with sums that are here."""
    _import(theirs)
    upkeep.retain(runtime().store, 30, _NOW)
    before = nbtokens.history().sums.calls
    other = Store(theirs.folder.with_name("other"), pytest.fail)
    at = _OLD + timedelta(hours=2)
    for fields in ({"user": "bob"}, {"user": "eve", "notebook": "n7.ipynb"}, {"user": "eve", "model": "m2"}):
        other.append(make_record(started_at=at, **fields))
    other.append(make_record(started_at=at + timedelta(days=1), user="eve", model="m", notebook="n0.ipynb"))
    _import(other)
    assert nbtokens.history().sums.calls == before + 4


def test_a_table_of_everything(theirs: Store, ledger: Ledger, tmp_path: Path) -> None:
    """A history with rows of every kind that was exported as CSV comes back with the same totals."""
    _import(theirs)
    upkeep.retain(runtime().store, 30, _NOW)
    before = nbtokens.history().totals
    table = tmp_path / "all.csv"
    assert main(["export", "--format", "csv", "--output", str(table)]) == 0
    main(["forget", "--since", "2000-01", "--yes"])
    assert main(["import", str(table)]) == 0
    assert nbtokens.history().totals.rows == before.rows
    assert nbtokens.history().stats() == before.stats()


def test_names_come_back_as_they_were(ledger: Ledger, make_record: Callable[..., Record], tmp_path: Path) -> None:
    """Whatever a name begins with: no spreadsheet runs it, and importing gives it back."""
    names = ["=1+1", "'=1+1", "''-2", "\uff1dcmd", "\n=x", "'quoted'", "plain", "@a", "-", "+"]
    for name in names:
        runtime().store.append(make_record(operation=name))
    table = tmp_path / "names.csv"
    assert main(["export", "--output", str(table)]) == 0
    with table.open(newline="", encoding="utf-8") as file:
        shown = [row["operation"] for row in csv.DictReader(file)]
    assert all(name[0] not in "=+-@\n\uff1d" for name in shown)
    main(["forget", "--since", "2000-01", "--yes"])
    assert main(["import", str(table)]) == 0
    assert [record.operation for record in runtime().store.records()] == names


def test_a_table_without_times(ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once that the column must be named, with those that there are; nothing comes in."""
    table = tmp_path / "calls.csv"
    table.write_text("when,model\n2026-01-01T10:00:00Z,m\n2026-01-01T11:00:00Z,m\n")
    assert main(["import", str(table)]) == 2
    said = capsys.readouterr().err
    assert "--map started_at=COLUMN. Its columns: when, model." in said
    assert said.count("\n") == 1
    assert main(["import", str(table), "--map", "started_at=when"]) == 0
    assert [row["model"] for row in json.loads(ledger.path.read_bytes())] == ["m", "m"]
