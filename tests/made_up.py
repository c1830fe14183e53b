"""Made-up histories: records of any fields, and a mixture of all that occurs."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from nbtokens.record import VERSION, Record, new_id

if TYPE_CHECKING:
    from collections.abc import Callable

BEGAN: Final = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""When they begin: a Monday."""


def maker(began: datetime = BEGAN) -> Callable[..., Record]:
    """What makes a record of some fields; each begins a minute after the one before it."""
    numbers = itertools.count()

    def make(**fields: Any) -> Record:  # noqa: ANN401 - a record's own types
        usual: dict[str, Any] = {"v": VERSION, "kind": "call", "id": new_id(), "status": "ok", "model": "m"}
        usual["started_at"] = began + timedelta(minutes=next(numbers))
        made = {**usual, **fields}
        counts = [made.get("input_tokens"), made.get("output_tokens")]
        if any(count is not None for count in counts):
            made["total_tokens"] = sum(count or 0 for count in counts)
        return Record(**made)

    return make


def mixture(make: Callable[..., Record], count: int) -> list[Record]:
    """One an hour: models, operations, notebooks, users, tags; failed, estimated, unpriced and cached ones; runs."""
    chance = random.Random(7)
    return [make(**_fields(number, chance)) for number in range(count)]


def _fields(number: int, chance: random.Random) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "started_at": BEGAN + timedelta(hours=number),
        "model": chance.choice(["gpt-5", "claude", "local_model"]),
        "operation": chance.choice([None, "ask", "sum_up"]),
        "notebook": chance.choice([None, "a.ipynb", "deep/b.ipynb"]),
        "user": chance.choice(["ada", "bob"]),
        "session": f"s{number // 100}",
        "run_id": f"r{number // 150}",
        "cell": chance.choice(["c1", "c2"]),
        "tags": chance.choice([None, {"team": "blue"}, {"team": "red"}]),
        "input_tokens": chance.randrange(1, 5000),
        "output_tokens": chance.randrange(1, 2000),
        "cache_read_input_tokens": chance.choice([None, 100]),
        "reasoning_output_tokens": chance.choice([None, 7]),
        "duration_s": round(chance.uniform(0.1, 20), 3),
        "usage_source": chance.choice(["reported", "reported", "estimated"]),
    }
    if fields["model"] != "local_model":
        fields["cost_usd"] = Decimal(chance.randrange(1, 10**6)) / 10**6
    if number % 13 == 5:
        fields |= {"call_type": "embeddings", "output_tokens": 0, "reasoning_output_tokens": None}
    if number % 9 == 4:
        fields |= {"status": "error", "error": "HTTP 500", "cost_usd": None}
        fields |= {"input_tokens": None, "output_tokens": None, "cache_read_input_tokens": None}
    elif number % 20 == 7:
        fields |= {"kind": "cache_hit", "saved_cost_usd": fields.get("cost_usd")}
    elif number % 30 == 11:
        fields |= {"kind": "run", "calls": number % 2, "model": None}
        fields |= {"input_tokens": None, "output_tokens": None, "cost_usd": None}
    return fields
