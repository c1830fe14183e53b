"""What could have been saved: each with the calls that show it, and the money, worked out from the history."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from nbtokens.amounts import usd
from nbtokens.analysis.waste import BULK, LEAST_PREFIX, SHORT_INPUT, SHORT_OUTPUT
from nbtokens.call import Usage
from nbtokens.order import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from nbtokens.analysis.left_out import LeftOut
    from nbtokens.analysis.waste import Kind, Prefix, Some
    from nbtokens.order import Price

LEAST_CALLS: Final = 3
LEAST_SAVING: Final = Decimal("0.01")
LEAST_SHORT: Final = 20
_ZERO: Final = Decimal(0)

Pricer: TypeAlias = "Callable[[Order], Price]"
"""What a call costs."""
Siblings: TypeAlias = "Callable[[str, str | None], list[str]]"
"""(model, provider) -> other models that may do the same."""

_KEEP: Final = {
    "identical": "requests that had been answered before: keep the answers, in a dict or on disk",
    "embeddings": "texts that had been embedded before: keep the vectors",
    "rerun": "requests that an earlier run of the same cell had sent: keep its answers in a variable or on disk",
}


class Saving(NamedTuple):
    """One recommendation.

    Attributes:
        kind: `identical`, `embeddings`, `rerun`, `prefix`, `cheaper`, `failed`, `truncated`, `batch`.
        where: which calls: an operation and its model, a cell, a model.
        calls: how many would not have been made, or would have been cheaper.
        saved_usd: what that would have saved.
        at_most: whether that is an upper bound.
        advice: what to change, in words.
    """

    kind: str
    where: str
    calls: int
    saved_usd: Decimal
    at_most: bool
    advice: str


class Wasted(Protocol):
    """Calls that were wasted, wherever these were found: among the rows of a file, or by a database."""

    @property
    def left_out(self) -> LeftOut | None:
        """Earlier calls that were not looked at; None where all were."""

    def failed(self) -> dict[str, Some]:
        """By model, what failed and was paid for all the same."""

    def cut_off(self) -> dict[str, Some]:
        """By operation and model, answers that ended at their ceiling."""

    def short(self) -> dict[str, Some]:
        """By model, short answers to short questions."""

    def repeated(self) -> dict[tuple[str, str], Some]:
        """By `embeddings`, `rerun` or `identical` and where that was, requests that had been answered before."""

    def bulks(self) -> dict[str, Some]:
        """By operation and model, calls that came by the hundred in an hour, and that nobody waited for."""

    def prefixes(self) -> dict[str, list[Prefix]]:
        """By model, the leading blocks that came again soon, and that the provider's cache was not used for."""


def savings_of(found: Wasted, price: Pricer, siblings: Siblings) -> list[Saving]:
    """What it comes to, the greatest first; nothing for which there is too little evidence.

    Args:
        found: what was wasted.
        price: what a call costs.
        siblings: (model, provider) -> other models that may do the same.
    """
    savings = [
        *_of_repeated(found.repeated()),
        *_of_failed(found.failed()),
        *_of_cut_off(found.cut_off()),
        *(_of_prefixes(model, blocks, price) for model, blocks in found.prefixes().items()),
        *_of_short(found.short(), price, siblings),
        *_of_bulks(found.bulks(), price),
    ]
    enough = [one for one in savings if one is not None and one.saved_usd >= LEAST_SAVING]
    return sorted(enough, key=lambda one: (-one.saved_usd, one.kind, one.where))


def _of_repeated(repeated: Mapping[tuple[str, str], Some]) -> Iterator[Saving]:
    for (kind, where), some in repeated.items():
        if some.calls >= LEAST_CALLS:
            yield Saving(kind, where, some.calls, some.cost, at_most=False, advice=f"{some.calls:,} {_KEEP[kind]}.")


def _of_failed(failed: Mapping[str, Some]) -> Iterator[Saving]:
    for model, some in failed.items():
        if some.calls >= LEAST_CALLS:
            advice = f"{some.calls:,} calls failed, were retried or given up, and cost {usd(some.cost)} all the same."
            yield Saving("failed", model, some.calls, some.cost, at_most=False, advice=advice)


def _of_cut_off(cut_off: Mapping[str, Some]) -> Iterator[Saving]:
    for where, some in cut_off.items():
        if some.calls >= LEAST_CALLS:
            advice = (
                f"{some.calls:,} answers were cut off at max_tokens; of what they cost, nothing was wasted if all "
                "served as they are, and all of it if none did: raise max_tokens, or ask for shorter answers."
            )
            yield Saving("truncated", where, some.calls, some.cost, at_most=True, advice=advice)


def _of_prefixes(model: str, blocks: Sequence[Prefix], price: Pricer) -> Saving | None:
    """What the provider's cache would have saved, what is paid for writing to it taken off.

    How long a block is, is known where the provider read it from its cache in other calls. Else it is at most as
    long as the shortest request with it, and may be too short to be kept at all.
    """
    calls, known, most, counted = 0, _ZERO, _ZERO, 0
    for block in blocks:
        if block.again < LEAST_CALLS:
            continue
        tokens = block.least_input if block.least_cached is None else min(block.least_cached, block.least_input)
        plain, read, write = (
            _price_of(block.example, block.at, usage, price)
            for usage in (
                Usage(input_tokens=tokens),
                Usage(input_tokens=tokens, cache_read_input_tokens=tokens),
                Usage(input_tokens=tokens, cache_creation_input_tokens=tokens),
            )
        )
        if plain is None or read is None or write is None:
            continue
        saved = (plain - read) * block.again - (write - plain) * block.first
        if saved > 0:
            calls, counted = calls + block.again, counted + 1
            most += saved
            known += saved if block.least_cached is not None else _ZERO
    if not calls:
        return None
    if known == most:
        sure = "as long as the provider reported such blocks in other calls"
    else:
        sure = (
            f"{usd(known)} if they are shorter than the {LEAST_PREFIX:,} tokens from which on providers cache, "
            f"{usd(most)} if they make up the whole of the shortest request that begins with them"
        )
    advice = (
        f"{calls:,} calls began like another one within the 5 minutes before ({counted:,} leading "
        f"block{'' if counted == 1 else 's'}; {sure}), and the provider's cache was not used: put what stays the same "
        "first, and mark it as cacheable."
    )
    return Saving("prefix", model, calls, most, at_most=known != most, advice=advice)


def _of_short(short: Mapping[str, Some], price: Pricer, siblings: Siblings) -> Iterator[Saving]:
    for model, some in short.items():
        now = _priced(some, price) if some.calls >= LEAST_SHORT else None
        if now is None:
            continue
        costs = ((_priced(some, price, other), other) for other in siblings(model, some.example.provider))
        cheaper = max(((cost, other) for cost, other in costs if cost and cost < now), default=None)
        if cheaper is not None:
            advice = (
                f"{some.calls:,} answers of at most {SHORT_OUTPUT} tokens to at most {SHORT_INPUT:,}: {cheaper[1]} "
                f"would have cost {usd(cheaper[0])} in place of {usd(now)}; try whether it is good enough."
            )
            yield Saving("cheaper", model, some.calls, now - cheaper[0], at_most=False, advice=advice)


def _of_bulks(bulks: Mapping[str, Some], price: Pricer) -> Iterator[Saving]:
    for where, some in bulks.items():
        now, batch = _priced(some, price), _priced(some, price, tier="batch")
        if now and batch is not None and batch < now:
            advice = (
                f"{some.calls:,} calls came {BULK} or more in an hour and were not streamed: the provider's batch "
                f"API takes {100 * batch / now:.0f} % of the price, where an answer may wait."
            )
            yield Saving("batch", where, some.calls, some.cost * (1 - batch / now), at_most=False, advice=advice)


def _priced(some: Some, price: Pricer, model: str | None = None, tier: str | None = None) -> Decimal | None:
    """What calls cost by the price list, by another model or in another tier, each with the average usage."""
    usage = Usage(
        input_tokens=some.input // some.calls,
        output_tokens=some.output // some.calls,
        cache_read_input_tokens=some.cached // some.calls or None,
    )
    one = _price_of(some.example, some.at, usage, price, model, tier)
    return None if one is None else one * some.calls


def _price_of(  # noqa: PLR0913, PLR0917 - what a price depends on
    example: Kind,
    at: datetime,
    usage: Usage,
    price: Pricer,
    model: str | None = None,
    tier: str | None = None,
) -> Decimal | None:
    """What one call like the example would cost with another usage, model or tier."""
    named = (model,) if model is not None else (example.model, example.request_model)
    models = tuple(dict.fromkeys(name for name in named if name))
    return price(
        Order(
            models,
            usage,
            at,
            provider=example.provider,
            server=example.server_address,
            tier=tier or example.service_tier,
        )
    ).total
