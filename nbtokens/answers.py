"""Answers that a library's own cache gave, as rows of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from nbtokens.formats.usage_objects import usage_of
from nbtokens.order import UNPRICED, Order
from nbtokens.record import utc
from nbtokens.rows import cache_hit

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.exchange import CachedAnswer
    from nbtokens.order import Price
    from nbtokens.record import Record
    from nbtokens.rows import Rows


def row_of(answer: CachedAnswer, rows: Rows, price: Callable[[Order], Price]) -> Record:
    """The row of a cache hit, with what it saved where the stored answer tells.

    Args:
        answer: what was found in the cache.
        rows: makes the rows of this process.
        price: what a call costs.
    """
    found = usage_of(answer.response)
    at, place = utc(answer.started_at), answer.place
    model = (found.model if found is not None else None) or answer.model
    cost = UNPRICED
    if found is not None and model is not None:
        cost = price(Order((model,), found, at, tier=found.service_tier, raw_usage=found.raw_usage))
    row = msgspec.structs.replace(
        rows.blank(at),
        run_id=answer.run_id,
        notebook=place.notebook,
        cell=place.cell,
        execution_count=place.execution_count,
        attribution=place.attribution,
        operation=place.operation,
        tags=dict(place.tags) or None,
        call_type=answer.call_type or "chat",
        request_model=answer.model or model,
        model=model,
        usage_source="none",
        complete=True,
        status="ok",
        cost_usd=cost.total,
        price_source=cost.source,
    )
    if found is not None:
        row = msgspec.structs.replace(
            row,
            response_id=found.response_id,
            service_tier=found.service_tier,
            input_tokens=found.input_tokens,
            output_tokens=found.output_tokens,
            total_tokens=found.total_tokens,
            cache_read_input_tokens=found.cache_read_input_tokens,
            cache_creation_input_tokens=found.cache_creation_input_tokens,
            reasoning_output_tokens=found.reasoning_output_tokens,
            usage_source="reported",
            usage=found.raw_usage,
        )
    return cache_hit(row)
