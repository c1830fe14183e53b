"""`import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbtokens.amounts import count
from nbtokens.errors import NbtokensError
from nbtokens.history.importing import import_file
from nbtokens.questions.asking import add_json
from nbtokens.reports.as_json import json_line
from nbtokens.runtime import runtime
from nbtokens.terminal import complain, say

if TYPE_CHECKING:
    import argparse

_MOST_NAMED: Final = 10


class Import:
    """Take other histories in: a colleague's, another machine's, or a table of calls (CSV). No row comes in twice.

    A row is known by its id. Rows of a table that have none get one that follows from what they say, so that
    importing the same table again adds nothing.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the files, --map and --json."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="usage_history.json, or a .csv file")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN",
            help="for a table: which column holds a field of the record, where the names differ; may be repeated",
        )
        add_json(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Import them. The exit code is 1 if a line could not be read."""
        columns = dict(_pair(text) for text in arguments.map)
        store = runtime().store
        known = store.ids()
        bad, files = 0, []
        for path in arguments.files:
            done = import_file(store, path, columns, known)
            bad += len(done.bad)
            files.append({"path": path, "added": done.added, "known": done.known, "bad": len(done.bad)})
            if not arguments.json:
                say(f"{path}: {count(done.added)} rows added, {count(done.known)} were there already")
            if done.summed:
                complain(
                    f"{path}: {count(done.summed)} rows passed over that would count twice: sums of them are here "
                    "already, or the rows that they sum up (of the same day, model, operation, notebook and user)"
                )
            for one in done.bad[:_MOST_NAMED]:
                complain(f"{path}: {one}; passed over")
            if len(done.bad) > _MOST_NAMED:
                complain(f"{path}: {count(len(done.bad) - _MOST_NAMED)} more lines passed over")
        runtime().write_summary()
        if arguments.json:
            say(json_line(files=files))
        return 1 if bad else 0


def _pair(text: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not (name and equals and column):
        raise NbtokensError(f"--map {text!r} must look like input_tokens=prompt_tokens")
    return name, column
