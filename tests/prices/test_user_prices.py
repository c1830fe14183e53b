"""What the user says a call costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pytest
from pricing import LOCAL, OPENAI, order, price_book

from nbtokens.call import Usage

USAGE: Final = Usage(1_000_000, 100_000, 400_000, 200_000)
SELF_MADE: Final = """
[prices."my-model"]
input_per_mtok = 2
output_per_mtok = 10.5
"""


def test_plain_prices() -> None:
    """So much per million tokens in and out, and the source is the user."""
    price = price_book(SELF_MADE).price(order("my-model", usage=USAGE, **LOCAL))
    assert (price.input, price.output, price.other) == (Decimal(2), Decimal("1.05"), None)
    assert (price.total, price.source) == (Decimal("3.05"), "user")


@pytest.mark.parametrize(
    ("more", "into"),
    [
        ("cache_read_per_mtok = 0.5", Decimal("0.6") * 2 + Decimal("0.4") * Decimal("0.5")),
        ("cache_write_per_mtok = 3", Decimal("0.8") * 2 + Decimal("0.2") * 3),
        ("cache_read_per_mtok = 0\ncache_write_per_mtok = 0", Decimal("0.4") * 2),
    ],
)
def test_cache_prices(more: str, into: Decimal) -> None:
    """Cached tokens cost what is said of them, else what other input costs."""
    assert price_book(SELF_MADE + more).price(order("my-model", usage=USAGE, **LOCAL)).input == into


@pytest.mark.parametrize(("seconds", "rent"), [(90.0, Decimal("0.05")), (0.0, Decimal(0)), (None, Decimal(0))])
def test_rent(seconds: float | None, rent: Decimal) -> None:
    """A rented machine costs by the hour, for as long as the call took."""
    price = price_book(SELF_MADE + "per_hour = 2").price(order("my-model", usage=USAGE, duration=seconds, **LOCAL))
    assert price.other == rent
    assert price.total == Decimal("3.05") + rent


def test_user_comes_before_data() -> None:
    """What the user says holds against the public price, and for a free machine."""
    book = price_book('[prices."gpt-5"]\ninput_per_mtok = 1\n')
    assert book.price(order("gpt-5", **OPENAI)).total == 1
    assert book.price(order("gpt-5", engine="ollama", **LOCAL)).total == 1
    assert book.price(order("gpt-5-nano", **OPENAI)).total != 1


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.0.0.1"])
def test_price_of_one_host(host: str) -> None:
    """A price for one host, named with its port or without, is not for another."""
    book = price_book(SELF_MADE + f'host = "{host}"\n')
    assert book.price(order("my-model", usage=USAGE, **LOCAL)).total == Decimal("3.05")
    elsewhere = {"url": "http://10.0.0.1/v1/chat/completions", "server": "10.0.0.1", "private": True}
    assert book.price(order("my-model", usage=USAGE, **elsewhere)).total is None
    assert book.price(order("my-model", usage=USAGE)).total is None


def test_deployments() -> None:
    """A deployment's name stands for the model behind it."""
    book = price_book('[deployments]\nteam-chat = "gpt-5"\n')
    azure = {
        "provider": "azure.ai.openai",
        "url": "https://team.openai.azure.com/openai/deployments/team-chat/chat/completions",
    }
    expected = price_book().price(order("gpt-5", **azure)).total
    assert expected
    assert book.price(order("team-chat", **azure)).total == expected
    assert price_book().price(order("team-chat", **azure)).total is None


def test_deployment_with_a_price_of_its_own() -> None:
    """A deployment may stand for a model that the user has priced."""
    book = price_book('[deployments]\nteam-chat = "my-model"\n' + SELF_MADE)
    assert book.price(order("team-chat", usage=USAGE, **LOCAL)).total == Decimal("3.05")


def test_fallback_price() -> None:
    """What has no price costs the fallback price, named as such; what has one, or is free, is not changed."""
    book = price_book("[fallback_price]\ninput_per_mtok = 1\noutput_per_mtok = 1\n")
    price = book.price(order("no-such-model", **OPENAI))
    assert (price.total, price.source) == (2, "user: fallback_price")
    assert book.price(order("gpt-5", **OPENAI)).total == Decimal("11.25")
    assert book.price(order("qwen3", engine="ollama", **LOCAL)).total == 0


def test_money_is_exact() -> None:
    """Prices are read as decimals: no digit is lost or made up."""
    book = price_book("[prices.m]\ninput_per_mtok = 0.1\noutput_per_mtok = 0.3\n")
    assert book.price(order("m", usage=Usage(3, 1), **LOCAL)).total == Decimal("0.0000006")
