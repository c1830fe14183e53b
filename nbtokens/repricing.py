"""Pricing the history again with today's rules: a new deployment map, corrected prices, newer price data."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.call import Usage
from nbtokens.formats.providers import is_private, provider_of
from nbtokens.formats.recognise import READERS
from nbtokens.formats.usage import UsageReader
from nbtokens.order import Order, Price
from nbtokens.prices import ENGINES
from nbtokens.rows import amendment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbtokens.config import UserHost
    from nbtokens.prices import PriceBook
    from nbtokens.record import Record

_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)


@dataclass
class Repriced:
    """What a new pricing comes to.

    Attributes:
        amendments: the rows that say so.
        models: model -> calls that change, their cost before and after (what was unpriced counts as 0).
        newly_priced: how many calls had no price.
        no_longer_priced: how many have none any more; these stay as they are.
    """

    amendments: list[Record] = field(default_factory=list)
    models: dict[str, tuple[int, Decimal, Decimal]] = field(default_factory=dict)
    newly_priced: int = 0
    no_longer_priced: int = 0


def reprice(records: Iterable[Record], prices: PriceBook, hosts: Mapping[str, UserHost]) -> Repriced:
    """What every call costs by the rules of now, where that is not what the history says.

    A cost that the user or the provider gave is the truth and stays, and so does one that today's rules know no
    price for.

    Args:
        records: the history, amendments folded in.
        prices: today's prices.
        hosts: what the settings say stands behind a host.
    """
    found = Repriced()
    for record in records:
        if record.kind != "call" or _is_given(record) or record.usage_source == "none":
            continue
        price = prices.price(order_of(record, hosts))
        if price.total is None:
            found.no_longer_priced += record.cost_usd is not None
            continue
        if _same(record, price):
            continue
        found.amendments.append(amendment(record, price))
        found.newly_priced += record.cost_usd is None
        model = record.model or record.request_model or "(no model)"
        calls, before, after = found.models.get(model, (0, Decimal(0), Decimal(0)))
        found.models[model] = (calls + 1, before + (record.cost_usd or 0), after + price.total)
    return found


def order_of(record: Record, hosts: Mapping[str, UserHost]) -> Order:
    """What there is to price of a call that was recorded earlier."""
    model, asked = record.model or record.request_model or "", record.request_model
    if record.provider == "aws.bedrock" and asked:  # as when it was recorded
        model, asked = asked, model
    server = record.server_address
    host = server.rpartition(":")[0] if server and server.rpartition(":")[2].isdecimal() else server
    named = next((hosts[name].provider for name in (server, host) if name is not None and name in hosts), None)
    provider = named or (provider_of(host) if host else record.provider)
    return Order(
        (model, asked) if asked and asked != model else (model,),
        _usage(record),
        record.started_at,
        provider=provider,
        url=f"https://{server}/" if server else None,
        server=server,
        private=bool(host) and provider is None and is_private(host or ""),
        engine=record.provider if record.provider in ENGINES else None,
        tier=record.service_tier,
        duration=record.duration_s,
        raw_usage=record.usage,
    )


def _usage(record: Record) -> Usage:
    """The counts of the row, and what the provider's own object says besides."""
    reader = _reader(record.api or "")
    said = reader.of(record.usage) if reader is not None and record.usage else None
    counts = {name: getattr(record, name) for name in _COUNTS}
    return msgspec.structs.replace(said or Usage(), **counts)


@cache
def _reader(api: str) -> UsageReader | None:
    table = next((reader.table for reader in READERS if reader.table.api == api), None)
    return None if table is None else UsageReader(table)


def _is_given(record: Record) -> bool:
    """Whether a cost was said by somebody, and not worked out."""
    return record.price_source == "provider" or (record.price_source == "user" and record.input_cost_usd is None)


def _same(record: Record, price: Price) -> bool:
    before = record.input_cost_usd, record.output_cost_usd, record.other_cost_usd, record.cost_usd
    return before == (price.input, price.output, price.other, price.total)
