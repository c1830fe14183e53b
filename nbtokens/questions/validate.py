"""`validate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbtokens.analysis.validation import FIELDS, validate
from nbtokens.errors import NbtokensError
from nbtokens.questions.asking import Answer
from nbtokens.questions.selecting import add_selection, selection
from nbtokens.questions.sources import sources
from nbtokens.reports.validation import validation_report

if TYPE_CHECKING:
    import argparse

    from nbtokens.analysis.selection import Selection
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
        ask = history.validation if arguments.plot is None else partial(_with_points, history)
        found = sources(arguments.what, history, which, ask) if arguments.what else [(_ALL, ask(which, _ALL))]
        runs = dict(found)
        if arguments.plot is not None:
            from nbtokens.reports.validation_plot import save_plot  # noqa: PLC0415 - matplotlib only where it draws

            try:
                save_plot(next(iter(runs.values())), arguments.plot)
            except (OSError, ValueError) as error:
                raise NbtokensError(f"the plot can't be written to {arguments.plot}: {error}") from error
        return Answer(validation_report(runs))


def _with_points(history: History, which: Selection, name: str) -> Validation:
    """The same from the calls themselves, which a plot shows."""
    return validate(history.columns(which, FIELDS), name)
