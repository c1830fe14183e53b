"""`prices`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from nbtokens.amounts import count
from nbtokens.model_facts import facts_of
from nbtokens.output_limits import output_limit
from nbtokens.questions.asking import Answer
from nbtokens.questions.closest import no_price
from nbtokens.reports.report import Part, Report, Table
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    import argparse
    from decimal import Decimal

    from nbtokens.config import UserPrice
    from nbtokens.model_facts import ModelFacts
    from nbtokens.views import History

_COLUMNS: Final = ("when", ">input", ">output", ">cache read", ">cache write")


class Prices:
    """What a model costs, and cost before, per million tokens; and its context window."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the model and --provider."""
        parser.add_argument("model", metavar="MODEL", help="as a request would name it")
        parser.add_argument("--provider", metavar="NAME", help="whose model; told from the name if left out")

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:  # noqa: ARG002 - a question's way
        """What is known of it."""
        settings = runtime().config.settings
        name = settings.deployments.get(arguments.model, arguments.model)
        own = settings.prices.get(name) or settings.prices.get(arguments.model)
        facts = facts_of(name, arguments.provider)
        if facts is None and own is None:
            raise no_price(name)
        return Answer(_report(arguments.model, facts, own))


def _report(name: str, facts: ModelFacts | None, own: UserPrice | None) -> Report:
    parts: list[Part] = []
    data: dict[str, object] = {"asked": name}
    if own is not None:
        said = (own.input_per_mtok, own.output_per_mtok, own.cache_read_per_mtok, own.cache_write_per_mtok)
        row = ("your settings", *map(_price, said))
        parts.append(Table("Your price, which holds, USD per million tokens", _COLUMNS, (row,)))
        data["own"] = dict(zip(("input", "output", "cache_read", "cache_write"), said, strict=True))
    if facts is not None:
        window = f"{count(facts.context_window)} tokens" if facts.context_window else "not known"
        note = ", deprecated by the provider" if facts.deprecated else ""
        limit = output_limit(facts.model)
        longest = f"{count(limit.tokens)} tokens, by {limit.source}" if limit else "not known"
        named = f"{facts.name}, {facts.provider}/{facts.model}{note}"
        parts.append(f"{named}. Context window: {window}. Longest answer: {longest}.")
        rows = tuple(
            (one.when or "always", *map(_price, (one.input, one.output, one.cache_read, one.cache_write)))
            for one in facts.prices
        )
        parts.append(Table("USD per million tokens; the last row that applies holds", _COLUMNS, rows))
        data |= {**asdict(facts), "output_limit": limit and limit.tokens, "output_limit_source": limit and limit.source}
    parts.append("Prices are genai-prices' own; tiers of long requests, batches and service tiers are not shown.")
    return Report(f"Prices of {name}", tuple(parts), data)


def _price(amount: Decimal | None) -> str:
    return "" if amount is None else f"${amount.normalize():f}"
