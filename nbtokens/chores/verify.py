"""`verify`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from nbtokens.amounts import count
from nbtokens.history import verifying
from nbtokens.questions.asking import add_format
from nbtokens.reports.renderers import RENDERERS
from nbtokens.reports.report import Report, Table
from nbtokens.runtime import runtime
from nbtokens.terminal import complain, say

if TYPE_CHECKING:
    import argparse


class Verify:
    """Check the whole history: every line a record, every id once, totals equal to the sum of the rows.

    The exit code is 0 if all is well, else 1. --repair writes the history anew: valid JSON, each id once; what can't
    be read is set aside in a file of its own, and a dated backup is kept.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --repair and --format."""
        parser.add_argument("--repair", action="store_true", help="mend what can be mended, then check")
        add_format(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Check, and print what was found."""
        store = runtime().store
        repaired = None
        if arguments.repair:
            done = verifying.repair(store)
            repaired = {"left_out": done.rows, "backup": done.backup, "aside": done.aside}
            tell = say if arguments.format is None else complain  # what is printed is for another program
            tell(f"Written anew; {count(done.rows)} rows that were there twice left out. Backup: {done.backup}")
            if done.aside is not None:
                tell(f"What could not be read is in {done.aside}")
        found = verifying.verify(store)
        rows = tuple((kind, count(number)) for kind, number in sorted(found.rows.items()))
        report = Report(
            f"The history {store.journal.path}",
            (
                Table("Rows", ("kind", ">rows"), (*rows, ("in the archive", count(found.archived)))),
                Table("Problems", ("problem",), tuple((one,) for one in found.problems), "None."),
                *found.notes,
            ),
            {**asdict(found), "ok": not found.problems, "path": store.journal.path, "repaired": repaired},
        )
        say(RENDERERS[arguments.format or "text"](report).rstrip())
        return 1 if found.problems else 0
