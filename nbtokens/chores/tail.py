"""`nbtokens tail`."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Final

from nbtokens.amounts import count, local_time, seconds, usd
from nbtokens.history.follow import latest_calls
from nbtokens.record import encode
from nbtokens.reports.figures import status_of
from nbtokens.runtime import runtime
from nbtokens.terminal import complain, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.history.journal import Journal
    from nbtokens.record import Record

_EVERY: Final = 0.2
_NAME: Final = 20
_NUMBER: Final = 7


class Tail:
    """Show the latest calls, one a line; with -f, go on with new ones as they happen, from any process."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare -n, -f and --json."""
        parser.add_argument("-n", type=_many, default=10, metavar="CALLS", help="how many to begin with (10)")
        parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
        parser.add_argument("--json", action="store_true", help="the records as they are in the history, one a line")

    def run(self, arguments: argparse.Namespace) -> int:
        """Show them."""
        journal = runtime().store.journal
        write = _as_json if arguments.json else _as_text
        first, offset = latest_calls(journal, arguments.n)
        for record in first:
            say(write(record))
        if not first and arguments.n > 0 and not arguments.json:
            complain("No calls are recorded yet.")
        if arguments.follow:
            _follow(journal, offset, write)
        return 0


def _many(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of calls: 0 or more")
    return int(text)


def _follow(journal: Journal, offset: int, write: Callable[[Record], str]) -> None:
    identity = journal.identity()
    while True:
        if journal.identity() != identity:  # the file was rewritten; what is in it has been shown
            identity, offset = journal.identity(), journal.size() if identity else 0
        for record, end in journal.read(offset):
            offset = end
            if record.kind == "call":
                say(write(record))
        time.sleep(_EVERY)


def _as_json(record: Record) -> str:
    return encode(record).decode()


def _as_text(record: Record) -> str:
    parts = (
        local_time(record.started_at),
        f"{record.model or record.request_model or '?':{_NAME}}",
        f"{record.purpose or '-':{_NAME}}",
        f"{count(record.input_tokens or 0):>{_NUMBER}} in",
        f"{count(record.output_tokens or 0):>{_NUMBER}} out",
        f"{usd(record.cost_usd) if record.cost_usd is not None or record.status != 'error' else '':>10}",
        f"{seconds(record.duration_s):>{_NUMBER}}",
        status_of(record),
    )
    return "  ".join(parts)
