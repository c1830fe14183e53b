"""Budgets in the database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from shipments import Shipment, call

from nbtokens.errors import ConfigError
from nbtokens.limits import Amounts, Limit
from nbtokens.team.history import open_team
from nbtokens.team.limits import remove_budget, set_budget, standings

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)


@pytest.fixture
def shipment(database: str, engine: Engine, tmp_path: Path) -> Shipment:
    """Calls of two users, this day, this month and before."""
    shipment = Shipment(tmp_path / ".metrics", database, engine)
    cost = Decimal("0.25")
    shipment.keep(
        call(0, user="ada", cost_usd=cost, notebook="a.ipynb"),
        call(0, user="ada", cost_usd=cost, started_at=datetime(2026, 11, 2, tzinfo=UTC)),
        call(0, user="ada", cost_usd=cost, started_at=datetime(2026, 10, 31, tzinfo=UTC)),
        call(0, user="grace", cost_usd=cost),
    )
    shipment.ship()
    return shipment


def test_what_is_spent(shipment: Shipment) -> None:
    """Of each budget it is known what everybody's rows have used of it, in the day or month that it is."""
    spent = {
        Limit(Decimal(1), per="day", scope="user", name="ada"): ("0.25", 110),
        Limit(Decimal(5), 1000, "month", 0.5, "warn", scope="user", name="ada"): ("0.5", 220),
        Limit(Decimal(9), per="month", scope="project", name="reviews"): ("0.75", 330),
        Limit(tokens=500, per="month", scope="notebook", name="a.ipynb"): ("0.25", 110),
        Limit(Decimal(1), per="day", scope="user", name="nobody"): ("0", 0),
    }
    with shipment.shipper.engine.begin() as connection:
        for limit in spent:
            set_budget(connection, limit)
        found = standings(connection, NOW)
        of_grace = standings(connection, NOW, {"user": "grace", "project": "reviews"})
    assert {one.limit: one.spent for one in found} == {
        limit: Amounts(Decimal(cost), tokens) for limit, (cost, tokens) in spent.items()
    }
    assert {one.limit.name for one in of_grace} == {"reviews", "a.ipynb"}


def test_a_budget_is_replaced_and_taken_away(shipment: Shipment) -> None:
    """There is one budget for a name and a period: the last one that was set, until it is removed."""
    with shipment.shipper.engine.begin() as connection:
        set_budget(connection, Limit(Decimal(1), per="day", scope="user", name="ada"))
        set_budget(connection, Limit(Decimal(2), per="day", scope="user", name="ada"))
        (one,) = standings(connection, NOW)
        assert one.limit.cost_usd == 2
        assert remove_budget(connection, "user", "ada", "day") is True
        assert remove_budget(connection, "user", "ada", "day") is False
        assert standings(connection, NOW) == []


def test_what_no_team_can_have(shipment: Shipment) -> None:
    """A budget for another thing, or another period, says which there are."""
    with shipment.shipper.engine.begin() as connection:
        with pytest.raises(ConfigError, match="user, project, notebook"):
            set_budget(connection, Limit(Decimal(1), per="day"))
        with pytest.raises(ConfigError, match="day or month"):
            set_budget(connection, Limit(Decimal(1), per="session", scope="user", name="x"))
        with pytest.raises(ConfigError, match="500 characters"):
            set_budget(connection, Limit(Decimal(1), per="day", scope="user", name="x" * 501))
        with pytest.raises(ConfigError, match="without a price"):
            set_budget(connection, Limit(Decimal(1), per="day", unpriced="stop", scope="user", name="x"))


def test_days_and_months_are_utc_to_the_microsecond(database: str, engine: Engine, tmp_path: Path) -> None:
    """What is spent counts for the UTC day and month that it began in, by any name, exactly."""
    shipment = Shipment(tmp_path / ".metrics", database, engine)
    moments = (
        datetime(2026, 10, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 19, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 11, 20, tzinfo=UTC),
    )
    names = ("Ada", "ada lovelace", "日本 ✓", "a'b\"c;--%", "x" * 500)
    for name in names:
        shipment.keep(*(call(user=name, started_at=at, cost_usd=Decimal("0.1")) for at in moments))
    shipment.ship()
    with shipment.shipper.engine.begin() as connection:
        for name in names:
            set_budget(connection, Limit(Decimal(0), per="day", scope="user", name=name))
            set_budget(connection, Limit(tokens=0, per="month", scope="user", name=name))
        found = standings(connection, NOW)
    assert len(found) == 2 * len(names)
    for one in found:
        assert one.spent == (Amounts(Decimal("0.1"), 110) if one.limit.per == "day" else Amounts(Decimal("0.3"), 330))


def test_many_at_a_new_file_at_once(tmp_path: Path) -> None:
    """Who makes the tables, and who sets budgets, wait for one another; nobody is told that the database is locked."""
    begin = threading.Barrier(4)

    def set_budgets(user: str) -> int:
        begin.wait()
        for amount in range(5):
            team = open_team(f"sqlite:///{tmp_path / 'new.db'}", tmp_path, make=True)
            team.set_budget(Limit(Decimal(amount), per="day", scope="user", name=user))
            found = len(team.budgets())
            team.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(set_budgets, ["ada", "bo", "cy", "di"])) == 4
