"""The fast rates give what genai-prices gives, for all of its models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from pricing import NOON, OPENAI, order, price_book

from nbtokens.call import Usage
from nbtokens.prices import price_context
from nbtokens.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_prices.types import ModelInfo, Provider

PROVIDERS: Final = {provider.id: provider for provider in get_snapshot().providers}
TIMES: Final = [
    NOON,
    NOON.replace(hour=2),
    NOON.replace(hour=20),
    datetime(2025, 1, 15, 3, tzinfo=UTC),
    NOON + timedelta(99),
]
TIERS: Final = [None, "batch", "flex", "priority"]
USAGES: Final = [
    Usage(1000, 500),
    Usage(150_000, 1, 49_999, 50_000, cache_creation_1h_input_tokens=20_000, web_searches=2),
    Usage(200_000, 7),
    Usage(200_001, 7, 7),
    Usage(300_000, 0, 0, 99_999),
    Usage(2_000_000, 3333, 0, 2_000_000, cache_creation_1h_input_tokens=2_000_000, web_searches=1),
    Usage(12, None),
    Usage(None, 12),
    Usage(0, 0),
]


def same_usage(usage: Usage) -> genai_prices.Usage:
    """The usage as genai-prices wants it."""
    return genai_prices.Usage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens,
        cache_write_1h_tokens=usage.cache_creation_1h_input_tokens,
        web_searches=usage.web_searches,
    )


def cases(provider: Provider) -> Iterator[tuple[ModelInfo, datetime, str | None, Rates]]:
    """Every model of a provider, at every time and in every tier at which it can be priced by rates."""
    for model in provider.models:
        for at in TIMES if isinstance(model.prices, list) else TIMES[:1]:
            for tier in TIERS:
                rates = Rates.of(model.get_prices(at, price_context(tier)), "genai-prices")
                if rates is not None:
                    yield model, at, tier, rates


@pytest.mark.parametrize("provider", PROVIDERS)
def test_equal_for_every_model(provider: str) -> None:
    """Tiers, cache prices, searches, and prices that change with the date or the hour: to the last digit."""
    for model, at, tier, rates in cases(PROVIDERS[provider]):
        for usage in USAGES:
            ours = rates.price(usage)
            assert ours is not None
            theirs = model.calc_price(
                same_usage(usage),
                PROVIDERS[provider],
                genai_request_timestamp=at,
                price_context=price_context(tier),
            )
            assert (ours.total, ours.input, ours.output) == (
                theirs.total_price,
                theirs.input_price,
                theirs.output_price,
            ), (model.id, at, tier, usage)


def test_most_models_have_rates() -> None:
    """The comparison is about something: nearly all models are priced by rates, in every kind of case."""
    found = [case for provider in PROVIDERS.values() for case in cases(provider)]
    assert len({(model.id) for model, *_ in found}) > 1000
    assert any(isinstance(model.prices, list) for model, *_ in found)
    assert any("(+tiers)" in str(model.get_prices(at)) for model, at, *_ in found)


@pytest.mark.parametrize(
    "usage",
    [Usage(10, 1, 11), Usage(10, 1, 6, 6), Usage(10, 1, 0, 5, cache_creation_1h_input_tokens=6), Usage(None, 1, 1)],
    ids=str,
)
def test_contradictions(usage: Usage) -> None:
    """Counts that contradict each other have no price."""
    claude = {"provider": "anthropic", "url": "https://api.anthropic.com/v1/messages"}
    assert price_book().price(order("claude-sonnet-4-5", usage=usage, **claude)).total is None


AUDIO: Final[dict[str, Any]] = {"input_audio_tokens": 40, "output_audio_tokens": 30}


@pytest.mark.parametrize("model", ["gpt-4o-audio-preview", "gpt-4o", "gpt-5", "gpt-realtime"])
def test_audio(model: str) -> None:
    """Audio tokens cost what genai-prices says, whether the model has a price of its own for them or not."""
    found = PROVIDERS["openai"].find_model(model)
    assert found is not None
    theirs = found.calc_price(
        genai_prices.Usage(input_tokens=100, output_tokens=50, **AUDIO),
        PROVIDERS["openai"],
        genai_request_timestamp=NOON,
    )
    ours = price_book().price(order(model, usage=Usage(100, 50, **AUDIO), **OPENAI))
    assert (ours.total, ours.input, ours.output) == (theirs.total_price, theirs.input_price, theirs.output_price)


def test_price_book_has_the_same_figures() -> None:
    """The price book hands on genai-prices' figures, their parts, and its version."""
    usage = Usage(2000, 100, 1000, web_searches=2)
    price = price_book().price(order("gpt-5", usage=usage, **OPENAI))
    assert price.input == (1000 * Decimal("1.25") + 1000 * Decimal("0.125")) / 1_000_000
    assert price.output == 100 * Decimal(10) / 1_000_000
    assert price.other == 2 * Decimal(10) / 1000
    assert price.total == price.input + price.output + price.other
    assert price.source == f"genai-prices {genai_prices.__version__}"
