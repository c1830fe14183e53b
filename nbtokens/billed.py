"""What providers say about their bill themselves: the cost of a call, and what a name stands for."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from nbtokens.decimals import exactly

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TICKS: Final = Decimal(10_000_000_000)
COST_AT: Final[dict[str, tuple[tuple[str, ...], Decimal]]] = {
    "openrouter": (("cost",), Decimal(1)),  # https://openrouter.ai/docs/use-cases/usage-accounting
    "perplexity": (("cost", "total_cost"), Decimal(1)),  # https://docs.perplexity.ai/api-reference
    "x_ai": (("cost_in_usd_ticks",), _TICKS),  # https://docs.x.ai/docs/models: ten billion ticks are a dollar
}
"""Where the usage objects of providers give the cost, and how many of its units are one USD."""

_NO_BILL: Final = 10**9
"""USD; nobody bills that for one call."""


@exactly
def own_cost(provider: str | None, usage: Mapping[str, Any] | None) -> Decimal | None:
    """What the provider itself says that the call costs, in USD; None where it doesn't."""
    if usage is None or provider not in COST_AT:
        return None
    way, units = COST_AT[provider]
    value: Any = usage
    for key in way:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return None
    amount = Decimal(repr(value)) / units
    return amount if amount < _NO_BILL else None


def plain_names(model: str) -> Iterator[str]:
    """The names under which a model may have a price, the most telling first.

    A Bedrock ARN ends with the name of the model or of its inference profile; a fine-tuned model has the name of
    its base inside (`ft:gpt-4o-mini-2024-07-18:org::id`), which is what it costs where it has no price of its own.
    """
    if model.startswith("arn:"):
        yield model.rpartition("/")[2]
    yield model
    if model.startswith("ft:"):
        yield model.removeprefix("ft:").partition(":")[0]
