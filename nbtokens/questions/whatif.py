"""`whatif`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from nbtokens.amounts import NOT_KNOWN, count, usd
from nbtokens.analysis.what_if import Elsewhere, what_if
from nbtokens.model_facts import facts_of, price_steps
from nbtokens.questions.asking import Answer
from nbtokens.questions.closest import no_price
from nbtokens.questions.selecting import add_selection, selection
from nbtokens.reports.report import Report, Table
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    import argparse

    from nbtokens.views import History

_PRICES_WAIT: Final = 10.0
_COLUMNS: Final = ("used", "instead", ">calls", ">cost", ">would cost", ">difference", ">left out", ">too long")


class WhatIf:
    """What the same calls would have cost with other models: `whatif gpt-5-mini claude-haiku-4-5`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the models and the selection."""
        parser.add_argument("models", nargs="+", metavar="MODEL", help="a model, or PROVIDER/MODEL")
        add_selection(parser)

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:
        """Each model that was used, against each that might have been."""
        own = runtime().config.settings.prices
        models: list[tuple[str, str | None, int | None]] = []
        for text in arguments.models:
            provider, _, name = text.rpartition("/")
            facts = facts_of(name, provider or None)
            if facts is None and text not in own:
                raise no_price(name)
            if facts is None or text in own:
                models.append((text, None, None))
            else:
                models.append((facts.model, facts.provider, facts.context_window))
        meter = runtime().meter
        meter.wait_for_prices(_PRICES_WAIT)
        sizes = sorted({*price_steps(), *(window for *_, window in models if window is not None)})
        found = what_if(history.alike(selection(arguments), sizes), models, meter.price, datetime.now(UTC))
        return Answer(_report(found))


def _report(found: dict[tuple[str, str], Elsewhere]) -> Report:
    order = sorted(found.items(), key=lambda one: (one[0][1], -one[1].cost_usd))
    rows = tuple(
        (
            *pair,
            count(one.calls),
            *(
                (usd(one.cost_usd), usd(one.would_usd), usd(one.would_usd - one.cost_usd).replace("$-", "-$"))
                if one.calls
                else (NOT_KNOWN, NOT_KNOWN, NOT_KNOWN)
            ),
            count(one.left_out),
            count(one.too_long),
        )
        for pair, one in order
    )
    data = {
        "models": [
            {
                "used": used,
                "instead": instead,
                "calls": one.calls,
                "cost_usd": one.cost_usd,
                "would_cost_usd": one.would_usd,
                "left_out": one.left_out,
                "too_long": one.too_long,
            }
            for (used, instead), one in order
        ]
    }
    note = (
        "At today's prices, with as many tokens and as many of them cached; another model counts and answers in its "
        "own way. Left out are calls without a price either way; too long those beyond the other's context window."
    )
    return Report("What if", (Table("", _COLUMNS, rows, "No calls are recorded that this asks for."), note), data)
