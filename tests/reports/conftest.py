"""What the reports' tests share: records, and the totals of a made-up history."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from nbtokens.history.totals import Totals
from nbtokens.record import VERSION, Record, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_BEGAN = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """Make a call's record of these fields; each begins ten minutes after the one before it."""
    numbers = itertools.count()

    def make(**fields: Any) -> Record:  # noqa: ANN401 - a record's own types
        usual: dict[str, Any] = {"v": VERSION, "kind": "call", "id": new_id(), "status": "ok", "model": "m"}
        usual["started_at"] = _BEGAN + timedelta(minutes=10 * next(numbers))
        made = {**usual, **fields}
        counts = [made.get("input_tokens"), made.get("output_tokens")]
        if any(count is not None for count in counts):
            made["total_tokens"] = sum(count or 0 for count in counts)
        return Record(**made)

    return make


@pytest.fixture
def totals_of() -> Callable[[Iterable[Record]], Totals]:
    def totals_of(records: Iterable[Record]) -> Totals:
        totals = Totals()
        for record in records:
            totals.add(record)
        return totals

    return totals_of


@pytest.fixture(scope="session")
def records(make_record: Callable[..., Record]) -> list[Record]:
    """A history of some days: three models, operations and notebooks; failed, estimated, unpriced and cached ones."""
    chance = random.Random(7)
    made = []
    for number in range(60):
        fields: dict[str, Any] = {
            "started_at": _BEGAN + timedelta(hours=number),
            "model": chance.choice(["gpt-5", "claude", "local_model"]),
            "operation": chance.choice([None, "ask", "sum_up"]),
            "notebook": chance.choice([None, "a.ipynb", "deep/b.ipynb"]),
            "input_tokens": chance.randrange(1, 5000),
            "output_tokens": chance.randrange(1, 2000),
            "cache_read_input_tokens": chance.choice([None, 100]),
            "reasoning_output_tokens": chance.choice([None, 7]),
            "duration_s": round(chance.uniform(0.1, 20), 3),
            "usage_source": chance.choice(["reported", "reported", "estimated"]),
        }
        if fields["model"] != "local_model":
            fields["cost_usd"] = Decimal(chance.randrange(1, 10**6)) / 10**6
        if number % 9 == 4:
            fields |= {"status": "error", "error": "HTTP 500", "cost_usd": None}
            fields |= {"input_tokens": None, "output_tokens": None, "cache_read_input_tokens": None}
        if number % 20 == 7:
            fields |= {"kind": "cache_hit", "saved_cost_usd": fields.get("cost_usd")}
        made.append(make_record(**fields))
    return made
