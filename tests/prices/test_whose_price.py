"""Whose price holds: the provider's own, the user's, that of the host; else none at all, which is not 0."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import pytest
from pricing import A_MILLION, LOCAL, NOON, OPENAI, order, price_book

from nbtokens.call import Usage
from nbtokens.order import UNPRICED
from nbtokens.prices import PriceBook

OPENROUTER: Final = {"provider": "openrouter", "url": "https://openrouter.ai/api/v1/chat/completions"}
GPT_5: Final = Decimal("1.25") + 10


@pytest.mark.parametrize("tier", [None, "default", "auto", "unheard of"])
@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-2025-08-07", "GPT-5"])
def test_by_host(model: str, tier: str | None) -> None:
    """A known host's models are priced at its price, dated names and other cases too."""
    assert price_book().price(order(model, tier=tier, **OPENAI)).total == GPT_5


@pytest.mark.parametrize(
    ("tier", "factor"), [("flex", Decimal("0.5")), ("priority", Decimal(2)), ("batch", Decimal("0.5"))]
)
def test_served_tier(tier: str, factor: Decimal) -> None:
    """The tier in which a call was served has its own price."""
    assert price_book().price(order("gpt-5", tier=tier, **OPENAI)).total == GPT_5 * factor


def test_request_size_tiers() -> None:
    """A request beyond a size costs more, all of it; up to that size it does not."""
    book = price_book()
    google = {
        "url": "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        "provider": "gcp.gemini",
    }
    price = [book.price(order("gemini-2.5-pro", usage=Usage(size, 0), **google)) for size in (200_000, 200_001)]
    assert price[0].total == 200_000 * Decimal("1.25") / 1_000_000
    assert price[1].total == 200_001 * Decimal("2.50") / 1_000_000


def test_price_by_the_hour() -> None:
    """Prices that change with the time of day are those of the call's time, also for the same model in a row."""
    book = price_book()
    deepseek = {"url": "https://api.deepseek.com/chat/completions", "provider": "deepseek"}
    day, night = (NOON.replace(year=2025, month=6, hour=hour) for hour in (12, 20))
    first = [book.price(order("deepseek-chat", at=at, **deepseek)).total for at in (day, night, day, night)]
    assert first[0] == first[2]
    assert first[1] == first[3]
    assert first[0] != first[1]


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("no-such-model", OPENAI),
        ("", OPENAI),
        ("gpt-5", {"url": "https://gateway.example.com/v1/chat/completions", "server": "gateway.example.com"}),
        ("gpt-5", LOCAL),
        ("simulated-model", LOCAL),
        ("no-such-model", {}),
        ("no-such-model", {"provider": "openai"}),
        ("gpt-5", {"provider": "no-such-provider"}),
        ("claude-sonnet-4-5", OPENAI),
    ],
)
def test_unpriced(model: str, place: dict[str, Any]) -> None:
    """An unknown model, host or provider has no price: None, never 0."""
    assert price_book().price(order(model, **place)) == UNPRICED


def test_a_model_of_somebody_else() -> None:
    """The response's model is looked up first, then the requested one."""
    book = price_book()
    assert book.price(order("gpt-5-nano", "gpt-5", **OPENAI)).total == Decimal("0.05") + Decimal("0.40")
    assert book.price(order("my-own-name", "gpt-5", **OPENAI)).total == GPT_5


@pytest.mark.parametrize("engine", ["llama.cpp", "ollama", "vllm", "lm-studio"])
@pytest.mark.parametrize(
    "model",
    [
        "deepseek-r1:8b",
        "llama3.2:3b",
        "gpt-oss:20b",
        "gpt-oss-20b",
        "openai/gpt-oss-20b",
        "gemma-3-27b-it",
        "qwen3",
        "x",
    ],
)
def test_own_machine_is_free(engine: str, model: str) -> None:
    """An engine on one's own machine costs nothing, and the source says why; a local tag is not a hosted model."""
    price = price_book().price(order(model, engine=engine, **LOCAL))
    assert (price.total, price.source) == (0, f"free: {engine}")


@pytest.mark.parametrize(
    "model",
    [
        "gpt-5",
        "gpt-4o-mini",
        "gpt-5-2025-08-07",
        "openai/gpt-5",
        "o3",
        "claude-sonnet-4-5",
        "anthropic/claude-sonnet-4-5",
        "gemini-2.5-flash",
        "GPT-5",
    ],
)
@pytest.mark.parametrize("engine", [None, "lm-studio", "vllm"])
def test_gateway_on_own_machine(model: str, engine: str | None) -> None:
    """A model that only a provider sells can't run here: something else stands behind the host, at no known price."""
    assert price_book().price(order(model, engine=engine, **LOCAL)).total is None


def test_own_machine_of_unknown_kind() -> None:
    """Without a sign of an engine a local host is not taken for free."""
    assert price_book().price(order("llama3.2:3b", **LOCAL)).total is None


@pytest.mark.parametrize(
    ("said", "total", "source"),
    [
        ('provider = "openai"', GPT_5, "genai-prices"),
        ("free = true", Decimal(0), "user: free host"),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.0.0.1"])
def test_said_of_a_host(host: str, said: str, total: Decimal, source: str) -> None:
    """The settings say what stands behind a host, named with its port or without."""
    price = price_book(f'[hosts."{host}"]\n{said}\n').price(order("gpt-5", **LOCAL))
    assert price.total == total
    assert price.source is not None
    assert price.source.startswith(source)


def test_said_of_another_port() -> None:
    """A host named with a port is that port only."""
    book = price_book('[hosts."127.0.0.1:9999"]\nprovider = "openai"\n')
    assert book.price(order("gpt-5", **LOCAL)).total is None


def test_openrouters_own_cost() -> None:
    """OpenRouter says what a call costs; that is what it costs, also after calls for which it did not say."""
    book = price_book()
    silent = book.price(order("openai/gpt-5", **OPENROUTER))
    assert silent.source != "provider"
    said = book.price(order("openai/gpt-5", raw_usage={"cost": 0.01234}, **OPENROUTER))
    assert (said.total, said.source) == (Decimal("0.01234"), "provider")
    assert book.price(order("openai/gpt-5", raw_usage={"cost": 0}, **OPENROUTER)).total == 0


@pytest.mark.parametrize("cost", [-1, True, "0.5", None, float("nan"), float("inf")])
def test_no_cost(cost: Any) -> None:  # noqa: ANN401 - any JSON value
    """What is no amount is not taken for one."""
    book = price_book()
    price = book.price(order("openai/gpt-5", raw_usage={"cost": cost}, **OPENROUTER))
    assert price == book.price(order("openai/gpt-5", **OPENROUTER))


def test_cost_of_another_provider() -> None:
    """A `cost` in the usage of anybody else is not OpenRouter's."""
    assert price_book().price(order("gpt-5", raw_usage={"cost": 9.0}, **OPENAI)).total == GPT_5


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5"),
        ("azure.ai.openai", "gpt-5"),
        ("gcp.gemini", "gemini-2.5-flash"),
        ("anthropic", "claude-sonnet-4-5"),
    ],
)
def test_by_provider_alone(provider: str, model: str) -> None:
    """A call that was recorded by hand is priced by its provider's name."""
    assert price_book().price(order(model, provider=provider)).total


@pytest.mark.parametrize(("model", "priced"), [("gpt-5", True), ("claude-sonnet-4-5", True), ("deepseek-r1:8b", False)])
def test_by_name_alone(model: str, priced: bool) -> None:  # noqa: FBT001 - cases of the parameters
    """The same by the model's name alone, unless that is a local engine's."""
    assert (price_book().price(order(model)).total is not None) is priced


def test_before_the_data_is_there() -> None:
    """Until the price data is loaded there is no price for a provider's model; free is free all the same."""
    book = PriceBook(price_book()._settings)
    assert not book.ready
    assert book.price(order("gpt-5", **OPENAI)).total is None
    assert book.price(order("qwen3", engine="ollama", **LOCAL)).total == 0
    assert book.price(order("gpt-5", engine="lm-studio", **LOCAL)).total is None
    assert book.wait(10)
    assert book.price(order("gpt-5", **OPENAI)).total == GPT_5
    assert book.price(order("gpt-5", usage=A_MILLION, **OPENAI)).total == GPT_5


def test_no_fallback_before_the_data_is_there() -> None:
    """The fallback price is for what has no price, not for what has none yet."""
    book = PriceBook(price_book("[fallback_price]\ninput_per_mtok = 1\n")._settings)
    assert book.price(order("gpt-5", **OPENAI)).total is None
    assert book.wait(10)
    assert book.price(order("gpt-5", **OPENAI)).total == GPT_5
    assert book.price(order("no-such-model", **OPENAI)).total == 1


@pytest.mark.parametrize(
    ("provider", "usage", "total"),
    [
        ("x_ai", {"cost_in_usd_ticks": 200_000_000}, Decimal("0.02")),
        (
            "perplexity",
            {"prompt_tokens": 8, "cost": {"request_cost": 0.005, "total_cost": 0.00502}},
            Decimal("0.00502"),
        ),
        ("perplexity", {"cost": {"request_cost": 0.005}}, None),
        ("azure.ai.openai", {"cost_in_usd_ticks": 200_000_000}, None),
    ],
)
def test_what_providers_say_themselves(provider: str, usage: dict[str, Any], total: Decimal | None) -> None:
    """A provider's own figure is the cost, fees for searches and images included, in its own units."""
    said = price_book().price(order("no-such-model", provider=provider, raw_usage=usage))
    assert (said.total, said.source) == (total, None if total is None else "provider")


@pytest.mark.parametrize(
    ("model", "provider", "total"),
    [
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0", "aws.bedrock", "1.50"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-micro-v1:0", "aws.bedrock", "0.175"),
        ("us.amazon.nova-micro-v1:0", "aws.bedrock", "0.175"),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "openai", "1.5"),
        ("ft:gpt-4.1-mini-2025-04-14:org::id", "openai", "2.0"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123", "aws.bedrock", None),
    ],
)
def test_what_a_name_stands_for(model: str, provider: str, total: str | None) -> None:
    """ARNs and inference profiles have the price of their model, fine-tuned models their own or that of their base."""
    price = price_book().price(order(model, provider=provider)).total
    assert price == (None if total is None else Decimal(total))


def test_an_application_profile_through_the_map() -> None:
    """What an application's inference profile stands for only the user's map tells."""
    arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123"
    book = price_book(f'[deployments]\n"{arn}" = "us.amazon.nova-micro-v1:0"')
    assert book.price(order(arn, provider="aws.bedrock")).total == Decimal("0.175")


def test_other_units() -> None:
    """Seconds of sound and pages are priced where there is a price for them."""
    book = price_book()
    assert book.price(order("whisper-1", usage=Usage(audio_seconds=100), provider="openai")).total == Decimal("0.01")
    assert book.price(order("mistral-ocr-latest", usage=Usage(pages=2), provider="mistral_ai")).total == Decimal(
        "0.008"
    )
