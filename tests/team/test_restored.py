"""The history's file is replaced by an older copy of itself, or deleted, while its rows go to the database."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from shipments import Shipment, amend, assert_sums_are_those_of_the_rows, call

from nbtokens.history.rewrite import Plan, rewrite
from nbtokens.team import shipper
from nbtokens.team.progress import Progress, records_behind

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from nbtokens.record import Record


@pytest.fixture
def shipment(database: str, engine: Engine, tmp_path: Path) -> Shipment:
    """A history, and the database that it goes to."""
    return Shipment(tmp_path / ".metrics", database, engine)


def back_up(shipment: Shipment) -> Path:
    """A copy of the history's file as it is now."""
    return shutil.copy(shipment.store.journal.path, shipment.folder / "copy.json")


def behind(shipment: Shipment) -> int:
    """How many rows the doctor says are to be sent."""
    return records_behind(shipment.store.journal, Progress.load(shipment.folder, shipment.url))


def forget(shipment: Shipment, *records: Record) -> None:
    """Take some calls out of the file, and out of the database."""
    gone = {record.id for record in records}
    rewrite(shipment.store, Plan("forget", lambda record: record.id not in gone))
    shipment.ship()


def test_an_older_copy_of_the_file(shipment: Shipment) -> None:
    """Nothing is doubled; what only the database has stays there, also when something is forgotten afterwards."""
    old, lost, new = ([call(number + start) for number in range(4)] for start in (0, 10, 20))
    shipment.keep(*old)
    shipment.ship()
    copy = back_up(shipment)
    shipment.keep(*lost, amend(old[1], "3"))
    shipment.ship()
    copy.replace(shipment.store.journal.path)
    shipment.keep(*new)
    assert behind(shipment) == 8
    shipment.ship()
    assert behind(shipment) == 0
    everything = [*old, *lost, *new]
    assert shipment.ids("call") == sorted(record.id for record in everything)
    assert_sums_are_those_of_the_rows(shipment)
    forget(shipment, old[0], new[0])
    left = [*old[1:], *lost, *new[1:]]
    assert shipment.ids("call") == sorted(record.id for record in left)
    assert_sums_are_those_of_the_rows(shipment)


@pytest.mark.parametrize("times", [1, 2])
def test_a_copy_of_before_something_was_forgotten(shipment: Shipment, times: int) -> None:
    """To put the file of before a rewrite back undoes that, and takes nothing away that came since."""
    old, lost, new = ([call(number + start) for number in range(4)] for start in (0, 10, 20))
    shipment.keep(*old)
    if times == 2:
        forget(shipment, old[0])
    shipment.ship()
    copy = back_up(shipment)
    forget(shipment, old[1])
    shipment.keep(*lost)
    shipment.ship()
    copy.replace(shipment.store.journal.path)
    shipment.keep(*new)
    shipment.ship()
    everything = [*old[times - 1 :], *lost, *new]
    assert shipment.ids("call") == sorted(record.id for record in everything)
    forget(shipment, old[2])
    left = [record for record in everything if record.id != old[2].id]
    assert shipment.ids("call") == sorted(record.id for record in left)
    assert_sums_are_those_of_the_rows(shipment)


def test_a_new_file_after_it_was_deleted(shipment: Shipment) -> None:
    """What a deleted file had stays in the database also when the new one forgets something."""
    old, new = [call(1), call(2)], [call(3), call(4)]
    shipment.keep(*old)
    shipment.ship()
    shipment.store.journal.path.unlink()
    shipment.keep(*new)
    shipment.ship()
    forget(shipment, new[0])
    assert shipment.ids("call") == sorted(record.id for record in (*old, new[1]))


def test_while_rows_are_sent(shipment: Shipment, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older copy that comes between two batches is sent in place of the file that was read."""
    monkeypatch.setattr(shipper, "BATCH", 5)
    shipment.shipper._batch = 5
    old, lost, new = ([call(number + start) for number in range(10)] for start in (0, 20, 40))
    shipment.keep(*old)
    copy = back_up(shipment)
    shipment.keep(*lost)
    look, looked = shipment.shipper.look, []

    def restores() -> bool:
        looked.append(1)
        if len(looked) == 3:
            copy.replace(shipment.store.journal.path)
            shipment.keep(*new)
        return look()

    monkeypatch.setattr(shipment.shipper, "look", restores)
    shipment.ship()
    there = set(shipment.ids())
    assert there >= {record.id for record in (*old, *new)}
    assert_sums_are_those_of_the_rows(shipment)
    assert behind(shipment) == 0
    forget(shipment, old[0])
    assert set(shipment.ids()) == there - {old[0].id}
