"""Records to be drawn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from nbtokens.record import VERSION, Record, new_id

BEGAN: Final = datetime(2026, 11, 2, tzinfo=UTC)


def make(**fields: Any) -> Record:  # noqa: ANN401
    """A call with these fields."""
    total = (fields.get("input_tokens") or 0) + (fields.get("output_tokens") or 0)
    return Record(v=VERSION, kind="call", id=new_id(), status="ok", total_tokens=total, **fields)
