"""What the same calls would have cost with another model."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from nbtokens.call import Usage
from nbtokens.order import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from nbtokens.order import Price


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
    """Calls of one model for which any other model has one price by the token.

    Attributes:
        model: as they name it, or asked for.
        beyond: the greatest of the sizes that were asked for that the input of each exceeds; 0 where it exceeds none.
        calls: how many there are.
        input_tokens: of all of them together, as are the others.
        cost_usd: None where they are not priced, or say that more was read from a cache than was sent.
    """

    model: str | None
    beyond: int
    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cost_usd: Decimal | None


def what_if(
    groups: Iterable[Alike],
    models: Sequence[tuple[str, str | None, int | None]],
    price: Callable[[Order], Price],
    now: datetime,
) -> dict[tuple[str, str], Elsewhere]:
    """(model that was used, model that might have been) -> what that would have changed.

    Args:
        groups: the calls, by sizes among which are those beyond which prices differ, and the models' windows.
        models: name, provider and context window (None: not known) of those that might have been used.
        price: what a call costs.
        now: whose prices hold.
    """
    found: dict[tuple[str, str], Elsewhere] = defaultdict(Elsewhere)
    for one in groups:
        for name, provider, window in models:
            other = found[one.model or "(no model)", name]
            other.too_long += one.calls if window is not None and one.beyond >= window else 0
            would = _would(one, lambda usage: price(Order((name,), usage, now, provider=provider)).total)  # noqa: B023 - called at once
            if would is None or one.cost_usd is None:
                other.left_out += one.calls
                continue
            other.calls += one.calls
            other.cost_usd += one.cost_usd
            other.would_usd += would
    return dict(found)


def _would(group: Alike, price: Callable[[Usage], Decimal | None]) -> Decimal | None:
    """What calls would cost together. Between two sizes prices go by the token, so that a few tell it of all."""
    size = group.beyond + 1
    nothing, plain, written, cached = (
        price(usage)
        for usage in (
            Usage(),
            Usage(input_tokens=size),
            Usage(input_tokens=size, output_tokens=1),
            Usage(input_tokens=size, cache_read_input_tokens=1),
        )
    )
    if nothing is None or plain is None or written is None or cached is None:
        return None
    return (
        nothing * group.calls
        + (plain - nothing) * group.input_tokens / size
        + (written - plain) * group.output_tokens
        + (cached - plain) * group.cache_read_input_tokens
    )
