"""Budgets in the database."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from shipments import Shipment, call

from nbtokens.errors import ConfigError
from nbtokens.limits import Amounts, Limit
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
    limits = {
        ("user", "ada", "day"): Limit(Decimal(1), per="day"),
        ("user", "ada", "month"): Limit(Decimal(5), 1000, per="month", warn_at=0.5, then="warn"),
        ("project", "reviews", "month"): Limit(Decimal(9), per="month"),
        ("notebook", "a.ipynb", "month"): Limit(tokens=500, per="month"),
        ("user", "nobody", "day"): Limit(Decimal(1), per="day"),
    }
    with shipment.shipper.engine.begin() as connection:
        for (scope, name, _), limit in limits.items():
            set_budget(connection, scope, name, limit)
        found = {(one.scope, one.name, one.limit.per): one for one in standings(connection, NOW)}
    assert {key: one.limit for key, one in found.items()} == limits
    assert {key: one.spent for key, one in found.items()} == {
        ("user", "ada", "day"): Amounts(Decimal("0.25"), 110),
        ("user", "ada", "month"): Amounts(Decimal("0.5"), 220),
        ("project", "reviews", "month"): Amounts(Decimal("0.75"), 330),
        ("notebook", "a.ipynb", "month"): Amounts(Decimal("0.25"), 110),
        ("user", "nobody", "day"): Amounts(Decimal(0), 0),
    }


def test_a_budget_is_replaced_and_taken_away(shipment: Shipment) -> None:
    """There is one budget for a name and a period: the last one that was set, until it is removed."""
    with shipment.shipper.engine.begin() as connection:
        set_budget(connection, "user", "ada", Limit(Decimal(1), per="day"))
        set_budget(connection, "user", "ada", Limit(Decimal(2), per="day"))
        (one,) = standings(connection, NOW)
        assert one.limit.cost_usd == 2
        assert remove_budget(connection, "user", "ada", "day") is True
        assert remove_budget(connection, "user", "ada", "day") is False
        assert standings(connection, NOW) == []


def test_what_no_team_can_have(shipment: Shipment) -> None:
    """A budget for another thing, or another period, says which there are."""
    with shipment.shipper.engine.begin() as connection:
        with pytest.raises(ConfigError, match="user, project, notebook"):
            set_budget(connection, "planet", "x", Limit(Decimal(1), per="day"))
        with pytest.raises(ConfigError, match="day or month"):
            set_budget(connection, "user", "x", Limit(Decimal(1), per="session"))
