"""`reprice`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.amounts import count, usd
from nbtokens.errors import NbtokensError
from nbtokens.prices import PriceBook
from nbtokens.questions.asking import add_format
from nbtokens.reports.hidden import hiding, without_money
from nbtokens.reports.renderers import RENDERERS
from nbtokens.reports.report import Report, Table
from nbtokens.repricing import Repriced, reprice
from nbtokens.runtime import runtime
from nbtokens.terminal import complain, say

if TYPE_CHECKING:
    import argparse

_WAIT: Final = 30.0


class Reprice:
    """Price the history again with today's settings and price data, and show the difference.

    Nothing is changed without --yes; with it, an `amend` row is appended for each call whose cost differs. Costs that
    you or the provider gave stay.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --yes and --format."""
        parser.add_argument("--yes", action="store_true", help="append the new prices to the history")
        add_format(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Show the difference, and append it where that is wanted."""
        now = runtime()
        prices = PriceBook(now.config.settings)
        if not prices.wait(_WAIT):
            raise NbtokensError(f"the price data could not be loaded within {_WAIT:g} s. Nothing was changed.")
        found = reprice(now.store.records(), prices, now.config.settings.hosts)
        report = _report(found, appended=arguments.yes)
        report = without_money(report) if hiding.on else report
        say(RENDERERS[arguments.format or "text"](report).rstrip())
        tell = say if arguments.format is None else complain  # what is printed is for another program
        if arguments.yes:
            for row in found.amendments:
                now.store.append(row)
            now.store.flush()
            now.write_summary()
            tell(f"{count(len(found.amendments))} amend rows appended.")
        elif found.amendments:
            tell("Nothing was changed; `nbtokens reprice --yes` appends these prices.")
        return 0


def _report(found: Repriced, *, appended: bool) -> Report:
    rows = tuple(
        (model, count(calls), usd(before), usd(after), usd(after - before))
        for model, (calls, before, after) in sorted(found.models.items())
    )
    data = {
        "models": [
            {"model": model, "calls": calls, "cost_before_usd": before, "cost_now_usd": after}
            for model, (calls, before, after) in sorted(found.models.items())
        ],
        "newly_priced": found.newly_priced,
        "no_longer_priced": found.no_longer_priced,
        "appended": len(found.amendments) if appended else 0,
    }
    columns = ("model", ">calls", ">cost before", ">cost now", ">difference")
    return Report(
        "The history at today's prices",
        (
            Table("Calls whose cost differs", columns, rows, "None."),
            f"{count(found.newly_priced)} of them had no price.",
            f"{count(found.no_longer_priced)} other calls have a price that today's rules don't know; they stay.",
        ),
        data,
    )
