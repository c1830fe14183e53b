"""`forget`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.amounts import count
from nbtokens.chores.moments import moment
from nbtokens.errors import NbtokensError
from nbtokens.history.upkeep import Choice, forget
from nbtokens.questions.asking import add_json
from nbtokens.reports.as_json import json_line
from nbtokens.runtime import runtime
from nbtokens.terminal import say

if TYPE_CHECKING:
    import argparse


class Forget:
    """Take a person's rows out of the history for good, or a notebook's, or those of a time.

    Where several are given, rows for which all of it holds. They go from the history, the archive, the backups and
    what was set aside after crashes; the summary is written anew. What you exported or imported elsewhere stays there.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --user, --notebook, --before, --since, --yes and --json."""
        parser.add_argument("--user", metavar="NAME", help="rows of this user")
        parser.add_argument("--notebook", metavar="PATH", help="rows of this notebook, as the history names it")
        parser.add_argument("--before", type=moment, metavar="DATE", help="rows from before this day or time (UTC)")
        parser.add_argument("--since", type=moment, metavar="DATE", help="rows from this day or time on (UTC)")
        parser.add_argument("--yes", action="store_true", help="do it; without this, only count")
        add_json(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Count them, or take them out and say what was done."""
        choice = Choice(arguments.user, arguments.notebook, arguments.before, arguments.since)
        if choice == Choice():
            raise NbtokensError("whose rows? Say --user, --notebook, --before or --since")
        now = runtime()
        if not arguments.yes:
            rows = sum(map(choice.holds, now.store.records()))
            if arguments.json:
                say(json_line(rows=rows, forgotten=False))
            else:
                say(f"{count(rows)} rows would be forgotten, and their copies in backups; with --yes they are.")
            return 0
        done = forget(now.store, choice)
        now.write_summary()
        if arguments.json:
            outcome = {"rows": done.rows, "archived": done.archived, "in_backups": done.in_backups}
            say(json_line(**outcome, removed=done.torn_files, forgotten=True))
            return 0
        say(f"{count(done.rows)} rows taken out of {now.store.journal.path}")
        say(f"{count(done.archived)} rows taken out of the archive, {count(done.in_backups)} out of backups")
        for name in done.torn_files:
            say(f"removed: {name}")
        return 0
