"""What is known of models apart from calls: context windows, prices over time, others of the same provider."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nbtokens.prices import genai_id

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from genai_prices.types import ModelInfo, Provider

_NO_CHAT: Final = re.compile(
    r"audio|realtime|image|tts|transcri|speech|whisper|search|embed|live|preview|codex|computer|moderat|guard|ocr|"
    r"instruct|deep-research|vision|robotics|veo|imagen|:batch"
)
_MAKERS: Final = ("openai", "anthropic", "google", "mistral", "cohere", "deepseek", "x-ai")
_GENERATION: Final = re.compile(r"[a-z-]*\d+(?:\.\d+)?|[a-z]+")
_FAMILY: Final = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class PriceRow:
    """What a model costs, or cost, in USD per million tokens.

    Attributes:
        when: under which condition: a date from which it holds, a time of day; empty where there is none.
        input: per million input tokens; the base price where it has tiers. None: not sold that way.
        output: per million output tokens.
        cache_read: per million input tokens read from the provider's cache.
        cache_write: per million input tokens written to it.
    """

    when: str
    input: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None
    cache_write: Decimal | None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model of one provider.

    Attributes:
        context_window: the most input tokens; None where that is not known.
        prices: all that are known, the first ones first.
    """

    provider: str
    model: str
    name: str
    context_window: int | None
    deprecated: bool
    prices: tuple[PriceRow, ...]


def facts_of(name: str, provider: str | None = None) -> ModelFacts | None:
    """What is known of a model; None where nothing is.

    Args:
        name: the model, as a request would name it.
        provider: whose; told from the name if left out.
    """
    found = _find(name, provider)
    return None if found is None else _facts(*found)


def known_models() -> list[str]:
    """The names of all models, for the closest one to a name that is none."""
    return sorted({model.id for provider in _snapshot().providers for model in provider.models})


def price_steps() -> set[int]:
    """The numbers of input tokens beyond which one model or another has other prices."""
    models = (model for provider in _snapshot().providers for model in provider.models)
    prices = (one for model in models for one in (model.prices if isinstance(model.prices, list) else [model]))
    values = (value for one in prices for value in vars(one.prices).values())
    return {tier.start for value in values for tier in getattr(value, "tiers", ())}


def siblings(name: str, provider: str | None) -> list[str]:
    """Other chat models of a provider that are like a model: of its generation, else of its family; none deprecated."""
    found = _find(name, provider)
    if found is None:
        return []
    provider_info, model = found
    others = [
        other.id
        for other in provider_info.models
        if other.id != model.id and not other.deprecated and not _NO_CHAT.search(other.id)
    ]
    for pattern in (_GENERATION, _FAMILY):
        start = pattern.match(model.id)
        alike = [other for other in others if start is not None and _starts(other, start[0])]
        if alike:
            return alike
    return []


def _starts(other: str, start: str) -> bool:
    """Whether a name goes on behind `start` with something else than the same number."""
    return other.startswith(start) and not other[len(start) :][:1].isdigit() and other[len(start) :][:1] != "."


def _snapshot() -> Any:  # noqa: ANN401 - genai-prices' own
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - a few tenths of a second

    return get_snapshot()


def _find(name: str, provider: str | None) -> tuple[Provider, ModelInfo] | None:
    try:
        found: tuple[Provider, ModelInfo] = _snapshot().find_provider_model(
            name.lower(), None, genai_id(provider) if provider else None, None
        )
    except LookupError:
        return None if provider else _of_any_provider(name.lower())
    return found


def _of_any_provider(name: str) -> tuple[Provider, ModelInfo] | None:
    """A model whose name alone does not tell its provider, as names of embeddings don't: its maker's before others'."""
    found = {provider.id: (provider, model) for provider in _snapshot().providers
             for model in provider.models if model.id == name}  # fmt: skip
    return next((found[one] for one in (*_MAKERS, *found) if one in found), None)


def _facts(provider: Provider, model: ModelInfo) -> ModelFacts:
    conditional = model.prices if isinstance(model.prices, list) else None
    rows = (
        [_row("", model.prices)]
        if conditional is None
        else [_row(_when(one.constraint), one.prices) for one in conditional]
    )
    return ModelFacts(
        provider.id, model.id, model.name or model.id, model.context_window, bool(model.deprecated), tuple(rows)
    )


def _row(when: str, prices: Any) -> PriceRow:  # noqa: ANN401 - genai-prices' own
    def base(name: str) -> Decimal | None:
        value = getattr(prices, name, None)
        return getattr(value, "base", value)

    return PriceRow(when, base("input_mtok"), base("output_mtok"), base("cache_read_mtok"), base("cache_write_mtok"))


def _when(constraint: Any) -> str:  # noqa: ANN401 - genai-prices' own
    if constraint is None:
        return ""
    start: datetime | None = getattr(constraint, "start_date", None)
    if start is not None:
        return f"since {start}"
    return f"{constraint.start_time:%H:%M} to {constraint.end_time:%H:%M} UTC"
