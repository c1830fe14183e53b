"""The prices of one model, made ready for the path of a call: a few multiplications instead of a look-up."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple, Self

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


class Cost(NamedTuple):
    """USD for what went in, what came out, and what is neither (searches; None without any); and their sum."""

    input: Decimal
    output: Decimal
    other: Decimal | None
    total: Decimal


class Rates:
    """USD per million tokens, by kind of token, as genai-prices has them for one model.

    The sums are those of genai-prices (tests hold both together over all of its models).
    """

    __slots__ = ("_cache_read", "_cache_write", "_cache_write_1h", "_input", "_output", "_searches")

    def __init__(self, prices: dict[str, Decimal | TieredPrices]) -> None:
        self._input = prices.get("input_mtok", _ZERO)
        self._output = prices.get("output_mtok", _ZERO)
        self._cache_read = prices.get("cache_read_mtok", self._input)
        self._cache_write = prices.get("cache_write_mtok", self._input)
        self._cache_write_1h = prices.get("cache_write_1h_mtok", self._cache_write)
        self._searches = prices.get("web_searches_kcount", _ZERO)

    @classmethod
    def of(cls, price: ModelPrice) -> Self | None:
        """The rates of a model, or None where its price has parts that only genai-prices can add up."""
        prices = {name: value for name, value in vars(price).items() if value is not None}
        return cls(prices) if prices and prices.keys() <= _PLAIN else None

    def cover(self, usage: Usage) -> bool:
        """Whether the usage can be priced by these rates: whether its counts don't contradict each other."""
        read = usage.cache_read_input_tokens or 0
        written = usage.cache_creation_input_tokens or 0
        return read + written <= (usage.input_tokens or 0) and (usage.cache_creation_1h_input_tokens or 0) <= written

    def cost(self, usage: Usage) -> Cost:
        """What this much usage costs."""
        total = usage.input_tokens or 0
        read = usage.cache_read_input_tokens or 0
        written = usage.cache_creation_input_tokens or 0
        into = (total - read - written) * _at(self._input, total)
        if read:
            into += read * _at(self._cache_read, total)
        if written:
            written_1h = usage.cache_creation_1h_input_tokens or 0
            into += (written - written_1h) * _at(self._cache_write, total)
            into += written_1h * _at(self._cache_write_1h, total)
        into /= _MILLION
        out = (usage.output_tokens or 0) * _at(self._output, total) / _MILLION
        searches = usage.web_searches
        if not searches:
            return Cost(into, out, None, into + out)
        other = searches * _at(self._searches, total) / _THOUSAND
        return Cost(into, out, other or None, into + out + other)


def _at(price: Decimal | TieredPrices, input_tokens: int) -> Decimal:
    """The price that holds for a request of this size: a tier, once reached, holds for all tokens of the request."""
    if isinstance(price, Decimal):
        return price
    applicable = price.base
    for tier in price.tiers:
        if input_tokens > tier.start:
            applicable = tier.price
    return applicable
