"""`validate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbtokens.analysis.validation import DRAWN
from nbtokens.errors import NbtokensError
from nbtokens.questions.asking import Answer
from nbtokens.questions.selecting import add_selection, selection
from nbtokens.questions.sources import sources
from nbtokens.reports.report import Report
from nbtokens.reports.validation import validation_report

if TYPE_CHECKING:
    import argparse

    from nbtokens.analysis.validation import Validation
    from nbtokens.views import History

_ALL: Final = "all calls"


class Validate:
    """Does the duration of calls follow the tokens that were generated, or the max_tokens that was allowed?

    By model, over the history; or for several runs, history files, or folders of them, side by side.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what to compare, --plot and the selection."""
        parser.add_argument("what", nargs="*", metavar="RUN|FILE|FOLDER", help="what to compare (the whole history)")
        parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: a .png, .svg or .pdf")
        add_selection(parser)

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:
        """The tests and what follows."""
        which = selection(arguments)
        ask = partial(history.validation, drawn=0 if arguments.plot is None else DRAWN)
        found = sources(arguments.what, history, which, ask) if arguments.what else [(_ALL, ask(which, _ALL))]
        runs = dict(found)
        report = validation_report(runs)
        return Answer(report if arguments.plot is None else _drawn(report, next(iter(runs.values())), arguments.plot))


def _drawn(report: Report, validation: Validation, path: Path) -> Report:
    """Draw it; the report says of how many calls."""
    from nbtokens.reports.validation_plot import save_plot, what_is_drawn  # noqa: PLC0415 - matplotlib only where it draws

    try:
        save_plot(validation, path)
    except (OSError, ValueError) as error:
        raise NbtokensError(f"the plot can't be written to {path}: {error}") from error
    return Report(
        report.title, (*report.parts, what_is_drawn(validation)), {**report.data, "drawn": len(validation.points)}
    )
