"""`validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbtokens.analysis.validation import FIELDS, validate
from nbtokens.errors import NbtokensError
from nbtokens.questions.asking import Answer
from nbtokens.questions.selecting import add_selection, selection
from nbtokens.questions.sources import sources
from nbtokens.reports.validation import validation_report

if TYPE_CHECKING:
    import argparse

    from nbtokens.views import History


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
        if arguments.what:
            runs = {name: validate(blocks, name) for name, blocks in sources(arguments.what, history, which)}
        else:
            runs = {"all calls": validate(history.columns(which, FIELDS))}
        if arguments.plot is not None:
            from nbtokens.reports.validation_plot import save_plot  # noqa: PLC0415 - matplotlib only where it draws

            try:
                save_plot(next(iter(runs.values())), arguments.plot)
            except (OSError, ValueError) as error:
                raise NbtokensError(f"the plot can't be written to {arguments.plot}: {error}") from error
        return Answer(validation_report(runs))
