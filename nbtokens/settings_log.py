"""`nbtokens.log_config(settings)`: what somebody's own settings say about models, in the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from nbtokens.analysis.user_settings import HIDDEN, Named, named_settings
from nbtokens.guard import guarded
from nbtokens.model_facts import facts_of
from nbtokens.output_limits import output_limit

if TYPE_CHECKING:
    from decimal import Decimal

logger: Final = logging.getLogger("nbtokens")


def log_settings(settings: object, level: int) -> list[str]:
    """Log a line for each model, token limit, time-out and threshold; returns the lines."""
    lines = []
    with guarded:  # somebody else's objects may do anything when they are looked at
        lines = [_line(one) for one in named_settings(settings)]
    for line in lines or ["The settings name no models, token limits, time-outs or thresholds."]:
        logger.log(level, "%s", line)
    return lines


def _line(one: Named) -> str:
    if one.kind != "model" or one.value == HIDDEN:
        return f"{one.kind.capitalize()}: {one.name} = {one.value}"
    provider, _, name = one.value.rpartition("/")
    facts = facts_of(name, provider or None) if name else None
    if facts is None:
        return f"Model: {one.name} = {one.value}: context window, output limit and price not known"
    window = f"{facts.context_window:,} tokens" if facts.context_window else "not known"
    limit = output_limit(facts.model)
    longest = f"{limit.tokens:,} tokens" if limit else "not known"
    price = facts.prices[-1] if facts.prices else None
    cost = f"{_usd(price.input)} in, {_usd(price.output)} out per million tokens" if price else "price not known"
    return f"Model: {one.name} = {one.value}: context window {window}, output limit {longest}, {cost}"


def _usd(amount: Decimal | None) -> str:
    return "n/a" if amount is None else f"${amount.normalize():f}"
