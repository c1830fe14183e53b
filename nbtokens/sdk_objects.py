"""Recording what SDKs and frameworks return: `nbtokens.record_response(response)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtokens.formats.usage_objects import ResponseUsage, usage_of
from nbtokens.manual import PRICES_WAIT, check_model, keep, make
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from nbtokens.record import Record


def record_response(  # noqa: PLR0913 - each is a field of the row that callers know
    response: Any,  # noqa: ANN401 - what SDKs return
    *,
    model: str | None = None,
    provider: str | None = None,
    operation: str | None = None,
    duration_s: float | None = None,
    cost_usd: Decimal | float | str | None = None,
    started_at: datetime | None = None,
    **fields_and_tags: Any,  # noqa: ANN401 - checked by the record's own types
) -> Record:
    """Record the call that a response comes from, where nbtokens could not see it. It counts like any other.

    A response whose id is on one of the last thousand records of this process counts once: that record is returned
    and nothing is added. A response without an id can't be recognised.

    Args:
        response: anything that `nbtokens.usage_of` reads.
        model: the model's name; the response's own by default.
        provider: whose prices hold; told from the model's name if left out.
        operation: your label; that of the surrounding `nbtokens.operation` by default.
        duration_s: seconds.
        cost_usd: what it cost, in USD; worked out from the prices if left out.
        started_at: when it began; a time without a zone is local time. Now by default.
        **fields_and_tags: other fields of the row (docs/record.md); any other name becomes a tag.

    Returns:
        The record, as it is in the history.

    Raises:
        ValueError: the response reports no usage, or a value can't be what its name says. Nothing is recorded then.
        TypeError: no model is named, or a value has a wrong type. The same.
    """
    found = usage_of(response)
    if found is None:
        raise ValueError(
            f"This {type(response).__name__} reports no usage. "
            "Give the tokens yourself: nbtokens.record(model=..., input_tokens=..., output_tokens=...)."
        )
    before = recorded_before(found)
    if before is not None:
        return before
    name = model if model is not None else found.model
    if name is None:
        raise TypeError(f"This {type(response).__name__} names no model: say model=...")
    check_model(name)
    values = {"provider": provider, "duration_s": duration_s, **fields_of(found), **fields_and_tags}
    runtime().meter.wait_for_prices(PRICES_WAIT)  # nobody's call waits here
    return keep(make(name, found.tokens, values, operation=operation, cost_usd=cost_usd, started_at=started_at))


def recorded_before(found: ResponseUsage) -> Record | None:
    """The record of a response, if it has one already."""
    return runtime().session.call_of(found.response_id) if found.response_id is not None else None


def fields_of(found: ResponseUsage) -> dict[str, Any]:
    """What the row of a response holds besides its tokens."""
    return {
        "call_type": found.call_type,
        "response_id": found.response_id,
        "service_tier": found.service_tier,
        "usage": found.raw_usage,
    }
