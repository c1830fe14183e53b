"""What there is to price, and what it turned out to cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from nbtokens.call import Usage


class Price(msgspec.Struct, frozen=True, gc=False):
    """What one call costs, in USD. `source` says who says so; None in all means unpriced."""

    input: Decimal | None = None
    output: Decimal | None = None
    other: Decimal | None = None
    total: Decimal | None = None
    source: str | None = None


UNPRICED: Final = Price()
NOT_YET: Final = Price()
"""Unpriced, but only because the price data is not loaded yet; told from `UNPRICED` by identity."""


class Order(msgspec.Struct, frozen=True, gc=False):
    """What there is to price: a call that used tokens.

    Attributes:
        models: names of the model, the most telling first (the response's, then the requested one).
        provider: who answered, where that is known.
        url: where the request went, without its query; None for calls that were recorded by hand.
        server: host and port of it.
        private: whether that is a machine of one's own network.
        engine: the local engine that the answer gave away.
        tier: the service tier of the response.
        duration: seconds.
        raw_usage: the provider's own usage object.
    """

    models: tuple[str, ...]
    usage: Usage
    at: datetime
    provider: str | None = None
    url: str | None = None
    server: str | None = None
    private: bool = False
    engine: str | None = None
    tier: str | None = None
    duration: float | None = None
    raw_usage: Mapping[str, Any] | None = None
