"""`scores`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.analysis.selection import KNOWN
from nbtokens.questions.asking import Answer
from nbtokens.questions.selecting import add_selection, selection
from nbtokens.reports.scores import scores_report

if TYPE_CHECKING:
    import argparse

    from nbtokens.views import History

_USUAL = ("operation", "user", "model")


class Scores:
    """The scores that calls were given with nbtokens.score(...): averages, by operation, user and model."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --by and the selection."""
        parser.add_argument("--by", action="append", metavar="WHAT", help=f"{', '.join(KNOWN)}, or the name of a tag")
        add_selection(parser)

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:
        """The averages."""
        return Answer(scores_report(history.average_scores(selection(arguments), arguments.by or _USUAL)))
