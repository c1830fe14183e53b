"""What `%tokens`, `%%tokens` and the panel show, as data."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from nbtokens.amounts import local_time
from nbtokens.history.store import Store
from nbtokens.reports.live import live
from nbtokens.reports.overview import cell_report, overview
from nbtokens.reports.report import Table
from nbtokens.tally import Tally
from nbtokens.views import History, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbtokens.record import Record
    from nbtokens.reports.report import Report


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, print)


@pytest.fixture
def session(store: Store) -> Session:
    return Session(lambda: store, "s", datetime(2020, 1, 1, tzinfo=UTC))


def _tables(report: Report) -> dict[str, tuple[tuple[str, ...], ...]]:
    return {part.heading: part.rows for part in report.parts if isinstance(part, Table)}


def test_overview(store: Store, session: Session, make_record: Callable[..., Record]) -> None:
    """Side by side: the last cell with calls, the session, all time; the session and all time by model."""
    cell = Tally()
    old = make_record(model="old", input_tokens=1000, output_tokens=10, cost_usd=Decimal(2))
    new = make_record(model="new", input_tokens=5, output_tokens=7, duration_s=2.0)
    store.append(old)
    store.append(new)
    session.add(new)
    cell.add(new)
    of_new = ("1", "0", "5", "0", "7", "1 unpriced", "3.5")
    assert _tables(overview(cell, session, History(store))) == {
        "": (
            ("last cell with calls", *of_new),
            ("this session", *of_new),
            ("all time", "2", "0", "1,005", "0", "17", "$2.0000 + 1 unpriced", "3.5"),
        ),
        "this session, by model": (("new", "1", "5", "7", "1 unpriced"),),
        "all time, by model": (("old", "1", "1,000", "10", "$2.0000"), ("new", "1", "5", "7", "1 unpriced")),
    }


def test_overview_before_any_call(store: Store, session: Session) -> None:
    """Before any call there is no cell to speak of, and nothing by model."""
    tables = _tables(overview(None, session, History(store)))
    assert tables == {
        "": (
            ("last cell with calls", "-", "-", "-", "-", "-", "-", "-"),
            ("this session", "0", "0", "0", "0", "0", "$0.00", "n/a"),
            ("all time", "0", "0", "0", "0", "0", "$0.00", "n/a"),
        )
    }


def test_cell_by_call(make_record: Callable[..., Record]) -> None:
    """What a cell cost: all of it, and by call, in the order of the calls."""
    cell = Tally()
    for number in range(1, 4):
        cell.add(make_record(input_tokens=number, cost_usd=Decimal(number)))
    tables = _tables(cell_report(cell))
    assert tables[""] == (("3", "0", "6", "0", "0", "$6.0000", "n/a"),)
    assert [row[3:6] for row in tables["by call"]] == [(str(n), "n/a", f"${n}.0000") for n in range(1, 4)]


def test_cell_without_calls() -> None:
    """Of a cell that made no calls it is said that it made none."""
    assert cell_report(Tally()).parts == ("This cell made no LLM calls.",)


def test_cell_with_more_calls_than_are_kept(make_record: Callable[..., Record]) -> None:
    """Of very many calls the latest are listed; the sums are those of all."""
    cell = Tally()
    for number in range(1234):
        cell.add(make_record(input_tokens=number))
    report = cell_report(cell)
    assert _tables(report)[""][0][0] == "1,234"
    listed = _tables(report)["by call"]
    assert listed[-1][3] == "1,233"
    assert report.parts[-1] == f"(the latest {len(listed)} of 1,234 calls)"


def test_live(store: Store, session: Session, make_record: Callable[..., Record]) -> None:
    """The panel: session and all time side by side, the session by model, and when the last call was."""
    old, record = make_record(), make_record(model="new", input_tokens=5)
    store.append(old)
    store.append(record)
    session.add(record)
    report = live(session, History(store)).report
    tables = _tables(report)
    assert [row[:2] for row in tables[""]] == [("this session", "1"), ("all time", "2")]
    assert [row[0] for row in tables["this session, by model"]] == ["new"]
    assert report.parts[-1] == f"last call: {local_time(record.started_at)}"
