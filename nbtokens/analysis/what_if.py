"""What the same calls would have cost with another model."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from nbtokens.call import Usage
from nbtokens.order import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
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


class Alike(NamedTuple):
    """Calls of one model with as many tokens each.

    Attributes:
        model: as they name it, or asked for.
        calls: how many there are.
        cost_usd: what they cost together; None where they are not priced.
    """

    model: str | None
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    calls: int
    cost_usd: Decimal | None


def alike(records: Iterable[Record]) -> Iterator[Alike]:
    """Calls that used tokens, put together; no embeddings. Calls of which there are sums count at their average."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for record in records:
        calls = _calls(record)
        if not calls or not record.total_tokens or record.call_type == "embeddings":
            continue
        sums = record.input_tokens, record.output_tokens, record.cache_read_input_tokens
        key = (record.model or record.request_model, *((one or 0) // calls for one in sums), record.cost_usd is None)
        group = found.setdefault(key, [0, Decimal(0)])
        group[0] += calls
        group[1] += record.cost_usd or 0
    for (*fields, unpriced), (calls, cost) in found.items():
        yield Alike._make((*fields, calls, None if unpriced else cost))


def what_if(
    groups: Iterable[Alike],
    models: Sequence[tuple[str, str | None, int | None]],
    price: Callable[[Order], Price],
    now: datetime,
) -> dict[tuple[str, str], Elsewhere]:
    """(model that was used, model that might have been) -> what that would have changed.

    Args:
        groups: the calls.
        models: name, provider and context window (None: not known) of those that might have been used.
        price: what a call costs.
        now: whose prices hold.
    """
    found: dict[tuple[str, str], Elsewhere] = defaultdict(Elsewhere)
    for one in groups:
        usage = Usage(
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            cache_read_input_tokens=one.cache_read_input_tokens,
        )
        for name, provider, window in models:
            other = found[one.model or "(no model)", name]
            other.too_long += one.calls if window is not None and one.input_tokens > window else 0
            would = price(Order((name,), usage, now, provider=provider)).total
            if would is None or one.cost_usd is None:
                other.left_out += one.calls
                continue
            other.calls += one.calls
            other.cost_usd += one.cost_usd
            other.would_usd += would * one.calls
    return dict(found)


def _calls(record: Record) -> int:
    """For how many calls a record stands: one, or those that it is the sum of, which count at their average."""
    if record.kind == "rollup":
        return int((record.sums or {}).get("calls", 0))
    return int(record.kind == "call")
