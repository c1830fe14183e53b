"""Recording answers that an application's own cache gave: `nbtokens.record_cache_hit(...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtokens.manual import PRICES_WAIT, check_model, count, keep, make, money
from nbtokens.rows import cache_hit
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from nbtokens.record import Record


def record_cache_hit(  # noqa: PLR0913 - each is a field of the row that callers know
    *,
    model: str,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    provider: str | None = None,
    operation: str | None = None,
    call_type: str = "chat",
    duration_s: float | None = None,
    saved_cost_usd: Decimal | float | str | None = None,
    started_at: datetime | None = None,
    **fields_and_tags: Any,  # noqa: ANN401 - checked by the record's own types
) -> Record:
    """Record that a cache gave an answer, so that no call was made. It costs nothing and is no call.

    Args:
        model: the model that would have been asked.
        input_tokens: tokens that would have gone in, where that is known.
        output_tokens: tokens of the answer, where that is known.
        provider: whose prices hold; told from the model's name if left out.
        operation: your label; that of the surrounding `nbtokens.operation` by default.
        call_type: OpenTelemetry's operation name of the call that was saved.
        duration_s: seconds that the cache took. No figure of speed takes it in.
        saved_cost_usd: what the call would have cost, in USD; worked out from the prices if left out.
        started_at: when it was; a time without a zone is local time. Now by default.
        **fields_and_tags: other fields of the row (docs/record.md); any other name becomes a tag.

    Returns:
        The record, as it is in the history.

    Raises:
        TypeError, ValueError: a value can't be what its name says. Nothing is recorded then.
    """
    check_model(model)
    given = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    counts = {name: count(name, value) for name, value in given.items() if value is not None}
    values = {"provider": provider, "call_type": call_type, "duration_s": duration_s, **fields_and_tags}
    saved = None if saved_cost_usd is None else money("saved_cost_usd", saved_cost_usd)
    runtime().meter.wait_for_prices(PRICES_WAIT)  # nobody's call waits here
    made = make(model, counts, values, operation=operation, cost_usd=saved, started_at=started_at)
    return keep(cache_hit(made))
