"""A history that is shipped: records to keep, and what the database has of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from nbtokens.history.store import Store
from nbtokens.history.totals import Totals
from nbtokens.record import Record, new_id
from nbtokens.team.history import TeamHistory
from nbtokens.team.shipper import Shipper
from nbtokens.team.tables import token_usage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Engine

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def call(number: int = 0, **fields: Any) -> Record:  # noqa: ANN401 - any field's
    """A call, of a user and a model that the number chooses."""
    known: dict[str, Any] = {
        "v": 1,
        "kind": "call",
        "id": new_id(),
        "started_at": NOON + timedelta(minutes=number),
        "project": "reviews",
        "user": ("ada", "grace")[number % 2],
        "model": ("gpt-5-mini", "gemma3:270m", "claude-sonnet-4-5")[number % 3],
        "provider": "openai",
        "operation": ("draft", None)[number % 2],
        "call_type": "chat",
        "status": "ok",
        "input_tokens": 100 + number,
        "output_tokens": 10 + number,
        "total_tokens": 110 + 2 * number,
        "cost_usd": Decimal("0.0001234") * (number + 1),
        "duration_s": 0.5,
        "tags": {"domain": "finance", "list": ["a", "b"]},
        "usage": {"prompt_tokens": 100 + number},
    }
    return Record(**{**known, **fields})


def amend(of: Record, cost: str) -> Record:
    """The row that gives a call another price."""
    return Record(
        v=1, kind="amend", id=new_id(), ref=of.id, started_at=NOON, cost_usd=Decimal(cost), price_source="user"
    )


OPEN: list[Shipment] = []


@dataclass
class Shipment:
    """A history in a folder of its own, and the database.

    Attributes:
        folder: the ledger's folder.
        url: the database's.
        engine: to look into the database.
    """

    folder: Path
    url: str
    engine: Engine
    keep_days: int | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.told: list[str] = []
        self.store = Store(self.folder, self.told.append)
        OPEN.append(self)
        self.shipper = Shipper(self.store.journal, self.folder, self.url, self.folder, keep_days=self.keep_days)

    def keep(self, *records: Record) -> None:
        """Append records to the history's file."""
        for record in records:
            self.store.append(record)

    def ship(self) -> None:
        """Send what is new."""
        assert self.shipper.ship()

    def ids(self, kind: str | None = None) -> list[str]:
        """The ids in the database, sorted."""
        query = select(token_usage.c.id).order_by(token_usage.c.id)
        with self.engine.connect() as connection:
            return list(connection.scalars(query if kind is None else query.where(token_usage.c.kind == kind)))

    def count(self) -> int:
        """How many rows the database has."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(token_usage)) or 0

    def team(self) -> TeamHistory:
        """What the database answers."""
        return TeamHistory(self.engine)


def sums_by_key(totals: Totals) -> dict[Any, Any]:
    """The sums of some totals without those that stand for nothing, money and seconds rounded."""
    found = {}
    for key, sums in totals.rows.items():
        values = [getattr(sums, name) for name in sums.__struct_fields__]
        found[key] = [round(value, 9) if isinstance(value, float | Decimal) else value for value in values]
    return {key: values for key, values in found.items() if any(value for value in values[:-2])}


def totals_of(records: Iterable[Record]) -> Totals:
    """The totals of some records, as the local history counts them."""
    totals = Totals()
    for record in records:
        totals.add(record)
    return totals


def assert_sums_are_those_of_the_rows(shipment: Shipment) -> None:
    """Hold the sums of days against the rows, added up anew. The first and last moments of days may be wider."""
    rows = totals_of(shipment.team().records())
    kept, fresh = ({key: sums[:-2] for key, sums in sums_by_key(one).items()} for one in (shipment.team().totals, rows))
    assert kept == fresh
