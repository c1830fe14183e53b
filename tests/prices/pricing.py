"""Price books made from settings as users write them, and orders to price."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from nbtokens.call import Usage
from nbtokens.config import load_config
from nbtokens.prices import Order, PriceBook

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
A_MILLION: Final = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
OPENAI: Final = {"provider": "openai", "url": "https://api.openai.com/v1/chat/completions", "server": "api.openai.com"}
LOCAL: Final = {"url": "http://127.0.0.1:8080/v1/chat/completions", "server": "127.0.0.1:8080", "private": True}


def price_book(settings: str = "") -> PriceBook:
    """A book with the settings of this nbtokens.toml, and all price data."""
    Path("nbtokens.toml").write_text(settings, encoding="utf-8")
    config = load_config()
    assert config.problem is None, config.problem
    book = PriceBook(config.settings)
    assert book.wait(10)
    return book


def order(*models: str, usage: Usage = A_MILLION, at: datetime = NOON, **others: Any) -> Order:  # noqa: ANN401 - fields
    """A call to price, of a million tokens in and out."""
    return Order(models, usage, at, **others)
