"""What the same calls would have cost with another model."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from nbtokens.call import Usage
from nbtokens.order import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from nbtokens.order import Price
    from nbtokens.record import Record


@dataclass(slots=True)
class Elsewhere:
    """The calls of one model, made with another one.

    Attributes:
        calls: those that are priced both ways.
        cost_usd: what they cost.
        would_usd: what they would have cost, at today's prices, with as many tokens.
        left_out: calls that are not priced both ways.
        too_long: calls with more input than the other model's context window.
    """

    calls: int = 0
    cost_usd: Decimal = Decimal(0)
    would_usd: Decimal = Decimal(0)
    left_out: int = 0
    too_long: int = 0


def what_if(
    records: Iterable[Record],
    models: Sequence[tuple[str, str | None, int | None]],
    price: Callable[[Order], Price],
    now: datetime,
) -> dict[tuple[str, str], Elsewhere]:
    """(model that was used, model that might have been) -> what that would have changed.

    Args:
        records: the calls; failed ones without usage don't count, embeddings neither.
        models: name, provider and context window (None: not known) of those that might have been used.
        price: what a call costs.
        now: whose prices hold.
    """
    found: dict[tuple[str, str], Elsewhere] = defaultdict(Elsewhere)
    for record in records:
        calls = _calls(record)
        if not calls or not record.total_tokens or record.call_type == "embeddings":
            continue
        usage = Usage(
            input_tokens=(record.input_tokens or 0) // calls,
            output_tokens=(record.output_tokens or 0) // calls,
            cache_read_input_tokens=(record.cache_read_input_tokens or 0) // calls,
        )
        for name, provider, window in models:
            other = found[record.model or record.request_model or "(no model)", name]
            other.too_long += calls * (window is not None and (usage.input_tokens or 0) > window)
            would = price(Order((name,), usage, now, provider=provider)).total
            if would is None or record.cost_usd is None:
                other.left_out += calls
                continue
            other.calls += calls
            other.cost_usd += record.cost_usd
            other.would_usd += would * calls
    return dict(found)


def _calls(record: Record) -> int:
    """For how many calls a record stands: one, or those that it is the sum of, which count at their average."""
    if record.kind == "rollup":
        return int((record.sums or {}).get("calls", 0))
    return int(record.kind == "call")
