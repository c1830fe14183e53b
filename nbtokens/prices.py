"""What a call costs: the provider's own figure, the user's prices, genai-prices; else it is unpriced, never free."""

from __future__ import annotations

import re
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from nbtokens.billed import COST_AT, own_cost, plain_names
from nbtokens.decimals import exactly
from nbtokens.order import NOT_YET, UNPRICED, Order, Price
from nbtokens.rates import Rates

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider

    from nbtokens.config import Settings, UserPrice

_ZERO: Final = Decimal(0)
_MILLION: Final = Decimal(1_000_000)
_SECONDS_PER_HOUR: Final = Decimal(3600)
_LEAST_RENT: Final = Decimal("1e-12")
"""USD; the rent of a second may have no end of digits, and sums of amounts are to be exact."""

# OpenTelemetry's provider names -> genai-prices' own.
_GENAI_IDS: Final = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "ibm.watsonx.ai": "watsonx",
    "github_copilot": "github-copilot",
}
ENGINES: Final = frozenset({"llama.cpp", "ollama", "vllm", "lm-studio", "local"})
"""Providers whose calls run on a machine of one's own."""


class PriceBook:
    """Prices calls. genai-prices is loaded in the background, from `start_loading` on; until then it is not asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready = threading.Event()
        self._snapshot: DataSnapshot | None = None
        self._source = ""
        self._loading: threading.Thread | None = None
        self._found: dict[tuple[str, str], tuple[Provider, ModelInfo] | None] = {}
        self._settled: dict[tuple[object, ...], Rates] = {}

    def start_loading(self) -> None:
        """Load the price data on a thread of its own (it takes a few tenths of a second)."""
        if self._loading is None:
            self._loading = threading.Thread(target=self._load, name="nbtokens-prices", daemon=True)
            self._loading.start()

    def wait(self, seconds: float) -> bool:
        """Wait until the price data is there, at most so long; True if it is."""
        self.start_loading()
        return self._ready.wait(seconds)

    def after_fork(self) -> None:
        """In a forked child: a thread of the parent's that was loading does not live here."""
        if not self.ready:
            self._ready = threading.Event()
            self._loading = None
            self.start_loading()

    @property
    def ready(self) -> bool:
        """Whether the price data is loaded."""
        return self._snapshot is not None or self._ready.is_set()

    def model_names(self) -> list[str]:
        """The names of the models whose price is known: the user's own, and the price data's once it is loaded."""
        data = self._snapshot.providers if self._snapshot is not None else []
        return sorted({*self._settings.prices, *(model.id for provider in data for model in provider.models)})

    @exactly
    def price(self, order: Order) -> Price:  # noqa: PLR0911 - one for each of the ways to a price
        """What the call costs. Never raises for an unknown model, host or shape of usage: that is unpriced."""
        provider = order.provider
        if provider in COST_AT:
            own = own_cost(provider, order.raw_usage)
            if own is not None:
                return Price(total=own, source="provider")
        settled = self._settled.get((order.models, order.url, provider, order.engine, order.tier))
        price = None if settled is None else settled.price(order.usage)
        if price is not None:
            return price
        ready = self.ready
        models = self._resolve_deployments(order.models)
        said = self._users_price(models, order.server)
        if said is not None:
            return _by_user(said, order, "user")
        known = self._by_data(models, order)
        if known is not None:
            return known
        if not ready:
            return NOT_YET
        if self._settings.fallback_price is not None:
            return _by_user(self._settings.fallback_price, order, "user: fallback_price")
        return UNPRICED

    @exactly
    def _load(self) -> None:
        try:
            import genai_prices  # noqa: PLC0415 - a few tenths of a second, off the caller's path
            from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - the same

            self._snapshot = get_snapshot()
            self._source = f"genai-prices {genai_prices.__version__}"
        finally:
            self._ready.set()

    def _resolve_deployments(self, models: tuple[str, ...]) -> tuple[str, ...]:
        deployments = self._settings.deployments
        mapped = tuple(deployments[name] for name in models if name in deployments)
        return mapped or tuple(plain for name in models for plain in plain_names(name))

    def _users_price(self, models: tuple[str, ...], server: str | None) -> UserPrice | None:
        for name in models:
            said = self._settings.prices.get(name)
            if said is not None and (said.host is None or said.host in _names(server)):
                return said
        return None

    def _by_data(self, models: tuple[str, ...], order: Order) -> Price | None:
        host = next((self._settings.hosts[name] for name in _names(order.server) if name in self._settings.hosts), None)
        if host is not None and host.free:
            return Price(_ZERO, _ZERO, None, _ZERO, "user: free host")
        if host is not None and host.provider is not None:
            return self._look_up(models, order, f"id {host.provider}")
        if order.provider in ENGINES or order.private:
            return self._of_own_machine(models, order)
        if order.url is not None:
            return self._look_up(models, order, f"url {order.url}")
        if order.provider is not None:
            return self._look_up(models, order, f"id {genai_id(order.provider)}")
        return None if all(":" in name for name in models) else self._look_up(models, order, "name")

    def _of_own_machine(self, models: tuple[str, ...], order: Order) -> Price | None:
        """Free where a local engine gave itself away, unless the model is one that only a hosted provider has."""
        engine = order.engine or (order.provider if order.provider in ENGINES else None)
        if engine is None or any(self._is_sold(name) for name in models):
            return None
        return Price(_ZERO, _ZERO, None, _ZERO, f"free: {engine}")

    def _is_sold(self, model: str) -> bool:
        """Whether a name is one of a closed model, so that a local server answering for it must be a gateway."""
        if self._snapshot is None:
            return _CLOSED.match(model) is not None
        model = model.rpartition("/")[2]
        if ":" in model and not model.endswith("cloud"):  # a local engine's own `name:tag`
            return False
        found = self._find("name", model)
        return found is not None and found[0].id in _CLOSED_PROVIDERS and "oss" not in model

    def _look_up(self, models: tuple[str, ...], order: Order, where: str) -> Price | None:
        for name in models:
            found = self._find(where, name)
            if found is not None:
                return self._by_model(*found, order)
        return None

    def _find(self, where: str, name: str) -> tuple[Provider, ModelInfo] | None:
        """The provider and model that genai-prices has for a name; kept, so that a model is looked up once."""
        key = (where, name)
        if key not in self._found:
            if self._snapshot is None:
                return None
            if len(self._found) >= _MOST_KEPT:
                self._found.clear()
            self._found[key] = _search(self._snapshot, where, name.lower())
        return self._found[key]

    def _by_model(self, provider: Provider, model: ModelInfo, order: Order) -> Price | None:
        rates = Rates.of(model.get_prices(order.at, price_context(order.tier)), self._source)
        price = None if rates is None else rates.price(order.usage)
        if rates is None or price is None:
            return _by_genai_prices(provider, model, order, self._source)
        if not isinstance(model.prices, list):  # else they change with the date or the time of day
            if len(self._settled) >= _MOST_KEPT:
                self._settled.clear()
            self._settled[order.models, order.url, order.provider, order.engine, order.tier] = rates
        return price


def genai_id(provider: str) -> str:
    """The name by which genai-prices knows a provider of OpenTelemetry's."""
    return _GENAI_IDS.get(provider, provider)


_MOST_KEPT: Final = 4096
_CLOSED_PROVIDERS: Final = frozenset({"openai", "anthropic", "google", "x-ai", "perplexity"})
_CLOSED: Final = re.compile(r"(openai/)?(gpt-(?!oss)|o[134]\b|chatgpt)|(anthropic/)?claude|gemini|grok", re.IGNORECASE)


def price_context(tier: str | None) -> dict[str, str] | None:
    """genai-prices' context for the tier in which a provider served a request."""
    if not tier:
        return None
    return {"processing": "batch"} if tier == "batch" else {"service_tier": tier}


def _search(snapshot: DataSnapshot, where: str, name: str) -> tuple[Provider, ModelInfo] | None:
    """Find a model at a place: `id ...`, `url ...`, or `name` alone.

    The snapshot's own look-up by URL keeps an entry for every URL for good; its patterns are asked directly.
    """
    kind, _, value = where.partition(" ")
    try:
        if kind == "url":
            provider = next((one for one in snapshot.providers if re.match(one.api_pattern, value)), None)
            if provider is None:
                return None
            model = provider.find_model(name, all_providers=snapshot.providers)
            return None if model is None else (provider, model)
        return snapshot.find_provider_model(name, None, value if kind == "id" else None, None)
    except LookupError:
        return None


def _by_user(said: UserPrice, order: Order, source: str) -> Price:
    usage = order.usage
    cached = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    plain = max((usage.input_tokens or 0) - cached - written, 0)
    read_price = said.input_per_mtok if said.cache_read_per_mtok is None else said.cache_read_per_mtok
    write_price = said.input_per_mtok if said.cache_write_per_mtok is None else said.cache_write_per_mtok
    into = (plain * said.input_per_mtok + cached * read_price + written * write_price) / _MILLION
    out = (usage.output_tokens or 0) * said.output_per_mtok / _MILLION
    if said.per_hour is None:
        return Price(into, out, None, into + out, source)
    seconds = Decimal(repr(round(order.duration or 0.0, 6)))  # as it is recorded, so that repricing says the same
    rent = (seconds * said.per_hour / _SECONDS_PER_HOUR).quantize(_LEAST_RENT)
    return Price(into, out, rent, into + out + rent, source)


def _by_genai_prices(provider: Provider, model: ModelInfo, order: Order, source: str) -> Price | None:
    """Ask genai-prices itself: for units that only it knows how to add up (audio, images, pages)."""
    import genai_prices  # noqa: PLC0415 - loaded already, by `_load`

    if not any(value is not None for value in vars(model.get_prices(order.at)).values()):
        return Price(_ZERO, _ZERO, None, _ZERO, source) if model.id.endswith(":free") else None
    usage = order.usage
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_input_tokens,
        "cache_write_tokens": usage.cache_creation_input_tokens,
        "cache_write_1h_tokens": usage.cache_creation_1h_input_tokens,
        "input_audio_tokens": usage.input_audio_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
        "cache_audio_read_tokens": usage.cache_read_audio_tokens,
        "input_image_tokens": usage.input_image_tokens,
        "output_image_tokens": usage.output_image_tokens,
        "web_searches": usage.web_searches,
        "audio_seconds": usage.audio_seconds,
        "input_document_pages": usage.pages,
    }
    try:
        cost = model.calc_price(
            genai_prices.Usage(**{name: count for name, count in counts.items() if count is not None}),
            provider,
            genai_request_timestamp=order.at,
            price_context=price_context(order.tier),
        )
    except ValueError:  # counts that contradict each other
        return None
    other = cost.total_price - cost.input_price - cost.output_price
    return Price(cost.input_price, cost.output_price, other or None, cost.total_price, source)


def _names(server: str | None) -> tuple[str, ...]:
    """The names by which the settings may speak of a server: with its port, and without."""
    if server is None:
        return ()
    host, colon, port = server.rpartition(":")
    return (server, host) if colon and port.isdecimal() else (server,)
