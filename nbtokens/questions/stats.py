"""`stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.analysis.selection import KNOWN, Selection
from nbtokens.questions.asking import Answer
from nbtokens.questions.closest import check_dimension, check_names
from nbtokens.questions.selecting import add_selection, selection
from nbtokens.reports.token_stats import stats_report, with_media

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nbtokens.analysis.token_stats import TokenStats
    from nbtokens.views import History

USUAL = ("model", "operation")


class Stats:
    """Tokens and speed of the calls: sums, averages and percentiles, by model and operation or as you say."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --by and the selection."""
        parser.add_argument(
            "--by",
            action="append",
            metavar="WHAT",
            help=f"group by {', '.join(KNOWN)}, or the name of a tag; may be given more than once",
        )
        parser.add_argument("--media", action="store_true", help="pages and images too, read from every record")
        add_selection(parser)

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:
        """The statistics, from totals where these can tell, else from the records."""
        which = selection(arguments)
        stats = stats_of(history, which, arguments.by or USUAL)
        if not stats.whole.every.calls:
            check_names(which, history)
        for by, groups in stats.by.items():
            check_dimension(by, groups)
        report = stats_report(stats)
        return Answer(with_media(report, history.media(which)) if arguments.media else report)


def stats_of(history: History, which: Selection, by: Sequence[str]) -> TokenStats:
    """The statistics of a history's calls, read from as little as they need."""
    return history.token_stats(which, by)
