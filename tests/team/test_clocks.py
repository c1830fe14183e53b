"""A clock that goes back, or is years ahead for a while; a server with another time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Self

import pytest
from shipments import Shipment, assert_sums_are_those_of_the_rows, call
from sqlalchemy import text

from nbtokens.analysis.selection import Selection
from nbtokens.limits import Limit
from nbtokens.team import partitions, shipper
from nbtokens.team.limits import set_budget, standings

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

NOW = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)


class Ahead(datetime):
    """A clock that is eleven years ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """The time by it."""
        return super().now(tz) + timedelta(days=4000)


@pytest.fixture
def shipment(database: str, engine: Engine, tmp_path: Path) -> Shipment:
    """A history, and its database, whose time zone is 14 hours from UTC, and which writes dates in another way."""
    if database.startswith("postgresql"):
        with engine.begin() as connection:
            name = connection.scalar(text("SELECT current_database()"))
            for setting in ("timezone TO 'Pacific/Kiritimati'", "datestyle TO 'SQL, DMY'"):
                connection.execute(text(f"ALTER DATABASE {name} SET {setting}"))
        engine.dispose()
    return Shipment(tmp_path / ".metrics", database, engine)


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=1)])
def test_a_clock_that_goes_back(shipment: Shipment, back: timedelta) -> None:
    """Calls that began before some that were sent already arrive, on their day by UTC, and count in its budgets."""
    moments = [NOW, NOW + timedelta(minutes=1), NOW - back, NOW - back + timedelta(minutes=1), NOW - back]
    records = [call(0, started_at=at, cost_usd=Decimal("0.25")) for at in moments]
    shipment.keep(*records[:2])
    shipment.ship()
    shipment.keep(*records[2:])
    shipment.ship()
    Shipment(shipment.folder, shipment.url, shipment.engine).ship()
    found = list(shipment.team().records())
    assert sorted(one.id for one in found) == sorted(one.id for one in records)
    assert [one.started_at for one in found] == sorted(moments)
    assert_sums_are_those_of_the_rows(shipment)
    days = {key.day: sums.calls for key, sums in shipment.team().rows(["day"], Selection())}
    assert days == {"2026-11-20": 2, "2026-11-19": 3}
    with shipment.shipper.engine.begin() as connection:
        set_budget(connection, Limit(Decimal(5), per="day", scope="user", name="ada"))
        spent = [standings(connection, now)[0].spent.cost_usd for now in (NOW, NOW - back)]
    assert spent == [Decimal("0.5"), Decimal("1.25")]  # a clock that is behind sees what came since, too


def test_a_clock_that_is_ahead_for_a_while(shipment: Shipment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a wrong clock drops nothing on a server, and new rows are sent when it is right again."""
    now = datetime.now(UTC)
    records = [call(started_at=now - timedelta(days=days)) for days in (100, 20, 0)]
    shipment.keep(*records)
    shipment.ship()
    wrong = Shipment(shipment.folder.parent / "wrong", shipment.url, shipment.engine, keep_days=60)
    with monkeypatch.context() as patched:
        for module in (partitions, shipper):
            patched.setattr(module, "datetime", Ahead)
        future = call(started_at=now + timedelta(days=4000))
        wrong.keep(future)
        wrong.ship()
    if shipment.url.startswith("postgresql"):
        assert shipment.ids() == sorted(one.id for one in (*records[1:], future))
    new = [call(started_at=datetime.now(UTC)) for _ in range(2)]
    for one, record in zip((shipment, wrong), new, strict=True):
        again = Shipment(one.folder, one.url, one.engine, keep_days=one.keep_days)
        again.keep(record)
        again.ship()
    assert {one.id for one in new} <= set(shipment.ids())
    assert shipment.team().sums.calls == len(records) + 3
