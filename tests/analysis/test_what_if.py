"""`whatif` adds calls up before it prices them: the same as pricing each on its own, whatever the model."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from made_up import maker

from nbtokens.analysis.alike import alike
from nbtokens.analysis.what_if import Alike, what_if
from nbtokens.call import Usage
from nbtokens.history.columns import columns_of
from nbtokens.model_facts import price_steps
from nbtokens.order import Order
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from nbtokens.record import Record

NOW = datetime.now(UTC)
SIZES = sorted({*price_steps(), 5000})


def calls(seed: int, count: int = 60) -> list[Record]:
    """Calls at, next to and far from the sizes at which prices change; some without a price, or with odd counts."""
    chance, make = random.Random(seed), maker()
    sizes = [0, 1, 900, 5000, *(step + more for step in SIZES for more in (-1, 0, 1)), 3_000_000]
    records = []
    for _ in range(count):
        sent = chance.choice(sizes)
        fields: dict[str, Any] = {
            "model": chance.choice(["gpt-5", "gpt-5-mini", None]),
            "request_model": "asked",
            "input_tokens": sent or None,
            "output_tokens": chance.choice([None, 1, 77, 4096]),
            "cache_read_input_tokens": chance.choice([None, 0, sent // 2, sent, sent + 1]),
            "cost_usd": chance.choice([None, Decimal("0.25"), Decimal(1) / 3, Decimal("250000000.5")]),
        }
        read, written = fields["input_tokens"], fields["output_tokens"]
        records.append(make(**fields, total_tokens=(read or 0) + (written or 0) or None))
    return records


def test_calls_are_put_together_by_the_sizes_that_they_exceed() -> None:
    """Each call counts once, between the sizes where it lies; contradictory counts have no price, embeddings no say."""
    records = calls(1, 500)
    left_out = maker()
    records += [left_out(model="gpt-5", call_type="embeddings", input_tokens=9, total_tokens=9), left_out(kind="run")]
    expected: dict[Any, list[Any]] = {}
    for one in records:
        sent, cached = one.input_tokens or 0, one.cache_read_input_tokens or 0
        if one.kind == "call" and one.total_tokens and one.call_type != "embeddings":
            beyond = max((size for size in SIZES if sent > size), default=0)
            key = (one.model or "asked", beyond, one.cost_usd is not None and cached <= sent)
            sums = expected.setdefault(key, [0, 0, 0, 0, Decimal(0)])
            for place, more in enumerate((1, sent, one.output_tokens or 0, cached, one.cost_usd or 0)):
                sums[place] += more
    found = list(alike(columns_of(records, 64), SIZES))
    assert {(one.model, one.beyond, one.cost_usd is not None): list(one[2:6]) for one in found} == {
        key: sums[:4] for key, sums in expected.items()
    }
    for one in found:
        if one.cost_usd is not None:
            assert abs(one.cost_usd - expected[one.model, one.beyond, True][4]) < Decimal("1e-12")


@pytest.mark.parametrize("seed", range(3))
def test_together_they_cost_what_each_would_on_its_own(seed: int) -> None:
    """By every model that there is a price of, tiers and all, to the last digit."""
    meter = runtime().meter
    meter.wait_for_prices(20)
    records = [one for one in calls(seed) if (one.cache_read_input_tokens or 0) <= (one.input_tokens or 0)]
    groups = [one._replace(cost_usd=Decimal(1)) for one in alike(columns_of(records), SIZES)]
    counted = [one for one in records if one.total_tokens]
    chance = random.Random(seed)
    every = [(model.id, provider.id, None) for provider in get_snapshot().providers for model in provider.models]
    models = chance.sample(every, 150)
    found = what_if(groups, models, meter.price, NOW)
    for name, provider, _ in models:
        each = [meter.price(order(one, name, provider)).total for one in counted]
        together = [other for (_, instead), other in found.items() if instead == name]
        if None in each:
            assert sum(one.left_out for one in together) > 0, name
        elif sum(model == name for model, *_ in models) == 1:
            assert sum(one.would_usd for one in together) == sum(one for one in each if one is not None), name


def order(one: Record, name: str, provider: str) -> Order:
    usage = Usage(
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
        cache_read_input_tokens=one.cache_read_input_tokens,
    )
    return Order((name,), usage, NOW, provider=provider)


def test_no_other_model_is_asked_for_less_than_it_can_hold() -> None:
    """A call of as many tokens as the window has fits; one more is too long."""
    groups = [Alike("m", beyond, 2, 10_001, 0, 0, Decimal(1)) for beyond in (0, 5000, 200_000)]
    meter = runtime().meter
    meter.wait_for_prices(20)
    found = what_if(groups, [("gpt-5", "openai", 5000), ("gpt-5-mini", "openai", 200_001)], meter.price, NOW)
    assert [(instead, one.too_long) for (_, instead), one in found.items()] == [("gpt-5", 4), ("gpt-5-mini", 0)]
