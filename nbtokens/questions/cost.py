"""`cost`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from nbtokens.analysis.spending import spending_of
from nbtokens.model_facts import siblings
from nbtokens.questions.asking import Answer
from nbtokens.questions.closest import check_names
from nbtokens.questions.selecting import add_selection, selection
from nbtokens.reports.spending import spending_report
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from nbtokens.views import History

_PRICES_WAIT: Final = 10.0


class Cost:
    """What the calls cost: by model, operation and user, to the end of the month, and what could have been saved.

    The exit code is 1 where --max is given and more was spent.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --max and the selection."""
        parser.add_argument("--max", type=_money, metavar="USD", help="exit code 1 if more than that was spent")
        add_selection(parser)

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:
        """The sums from totals where everything is asked for, the savings from the records."""
        which = selection(arguments)
        totals, wasted = history.spent(which)
        if not totals.sums().calls:
            check_names(which, history)
        spending = spending_of(totals, datetime.now(UTC).date())
        from nbtokens.analysis.savings import savings_of  # noqa: PLC0415 - numpy, only where rows are read

        meter = runtime().meter
        meter.wait_for_prices(_PRICES_WAIT)
        report = spending_report(spending, savings_of(wasted, meter.price, siblings), wasted.left_out)
        over = arguments.max is not None and spending.sums.cost_usd > arguments.max
        return Answer(report, int(over))


def _money(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of USD")
    return amount
