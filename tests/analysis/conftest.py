"""What the tests of the analysis share: made-up histories with known answers, written through the real store."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from histories import BEGAN

from nbtokens.history import open_history
from nbtokens.record import VERSION, Record, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledgers import Ledger


@pytest.fixture(scope="session")
def make() -> Callable[..., Record]:
    """Make a record of these fields; each begins a minute after the one before it."""
    numbers = itertools.count()

    def make(**fields: Any) -> Record:  # noqa: ANN401 - a record's own types
        usual: dict[str, Any] = {"v": VERSION, "kind": "call", "id": new_id(), "status": "ok", "model": "m"}
        usual["started_at"] = BEGAN + timedelta(minutes=next(numbers))
        made = {**usual, **fields}
        counts = [made.get("input_tokens"), made.get("output_tokens")]
        if any(count is not None for count in counts):
            made["total_tokens"] = sum(count or 0 for count in counts)
        return Record(**made)

    return make


@pytest.fixture
def write(ledger: Ledger) -> Callable[[Iterable[Record]], None]:
    """Put records into the test's ledger."""

    def write(records: Iterable[Record]) -> None:
        told: list[str] = []
        store = open_history(ledger.folder, told.append)
        for record in records:
            store.append(record)
        assert told == []

    return write


@pytest.fixture
def mixed(make: Callable[..., Record]) -> list[Record]:
    """A history of some days: models, operations, users, tags; failed, unpriced, cached ones; runs."""
    chance = random.Random(7)
    records = []
    for number in range(300):
        fields: dict[str, Any] = {
            "started_at": BEGAN + timedelta(hours=number),
            "model": chance.choice(["gpt-5", "claude", "local"]),
            "operation": chance.choice([None, "ask", "sum_up"]),
            "notebook": chance.choice(["a.ipynb", "b.ipynb"]),
            "user": chance.choice(["ada", "bob"]),
            "session": f"s{number // 100}",
            "run_id": f"r{number // 150}",
            "cell": chance.choice(["c1", "c2"]),
            "tags": chance.choice([None, {"team": "blue"}, {"team": "red"}]),
            "input_tokens": chance.randrange(1, 5000),
            "output_tokens": chance.randrange(1, 2000),
            "duration_s": round(chance.uniform(0.1, 20), 3),
        }
        if fields["model"] != "local":
            fields["cost_usd"] = Decimal(chance.randrange(1, 10**6)) / 10**6
        if number % 9 == 4:
            fields |= {"status": "error", "error": "HTTP 500", "cost_usd": None}
            fields |= {"input_tokens": None, "output_tokens": None}
        elif number % 20 == 7:
            fields |= {"kind": "cache_hit"}
        elif number % 30 == 11:
            fields |= {"kind": "run", "calls": number % 2, "model": None}
            fields |= {"input_tokens": None, "output_tokens": None, "cost_usd": None}
        records.append(make(**fields))
    return records
