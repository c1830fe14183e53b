"""The prices of one model, made ready for the path of a call: a few multiplications instead of a look-up."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self

from nbtokens.order import Price

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

    from nbtokens.call import Usage

_PLAIN: Final = frozenset(
    {
        "input_mtok",
        "output_mtok",
        "cache_read_mtok",
        "cache_write_mtok",
        "cache_write_1h_mtok",
        "web_searches_kcount",
        "storage_searches_kcount",  # no provider reports these in its usage
    }
)
_MILLION: Final = Decimal(1_000_000)
_THOUSAND: Final = Decimal(1_000)
_ZERO: Final = Decimal(0)


class Rates:
    """USD per million tokens, by kind of token, as genai-prices has them for one model.

    The sums are those of genai-prices (tests hold both together over all of its models).

    Args:
        prices: by genai-prices' names.
        source: who says so.
        larger: the rates that hold for requests of more input tokens than some number, the largest number first.
    """

    __slots__ = (
        "_cache_read",
        "_cache_write",
        "_cache_write_1h",
        "_input",
        "_larger",
        "_output",
        "_searches",
        "_source",
    )

    def __init__(self, prices: dict[str, Decimal], source: str, larger: tuple[tuple[int, Rates], ...] = ()) -> None:
        self._input = prices.get("input_mtok", _ZERO)
        self._output = prices.get("output_mtok", _ZERO)
        self._cache_read = prices.get("cache_read_mtok", self._input)
        self._cache_write = prices.get("cache_write_mtok", self._input)
        self._cache_write_1h = prices.get("cache_write_1h_mtok", self._cache_write)
        self._searches = prices.get("web_searches_kcount", _ZERO)
        self._source = source
        self._larger = larger

    @classmethod
    def of(cls, price: ModelPrice, source: str) -> Self | None:
        """The rates of a model, or None where its price has parts that only genai-prices can add up."""
        prices = {name: value for name, value in vars(price).items() if value is not None}
        if not prices or not prices.keys() <= _PLAIN:
            return None
        starts = {tier.start for one in prices.values() if not isinstance(one, Decimal) for tier in one.tiers}
        larger = tuple((start, cls(_at(prices, start + 1), source)) for start in sorted(starts, reverse=True))
        return cls(_at(prices, 0), source, larger)

    def price(self, usage: Usage) -> Price | None:
        """What this much usage costs; None where its counts contradict each other."""
        total = usage.input_tokens or 0
        read = usage.cache_read_input_tokens or 0
        written = usage.cache_creation_input_tokens or 0
        written_1h = usage.cache_creation_1h_input_tokens or 0
        plain = total - read - written
        if plain < 0 or written_1h > written:
            return None
        for start, rates in self._larger:
            if total > start:
                return rates.price(usage)
        into = plain * self._input
        if read:
            into += read * self._cache_read
        if written:
            into += (written - written_1h) * self._cache_write + written_1h * self._cache_write_1h
        into /= _MILLION
        out = (usage.output_tokens or 0) * self._output / _MILLION
        searches = usage.web_searches
        if not searches:
            return Price(into, out, None, into + out, self._source)
        other = searches * self._searches / _THOUSAND
        return Price(into, out, other or None, into + out + other, self._source)


def _at(prices: dict[str, Decimal | TieredPrices], input_tokens: int) -> dict[str, Decimal]:
    """The prices that hold for a request of this size: a tier, once reached, holds for all tokens of the request."""
    held = {}
    for name, price in prices.items():
        if isinstance(price, Decimal):
            held[name] = price
        else:
            held[name] = [price.base, *(tier.price for tier in price.tiers if input_tokens > tier.start)][-1]
    return held
