"""`%tokens tail`: the latest calls as a table, and with `-f` as one that keeps itself current."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from nbtokens.chores.tail import Tail
from nbtokens.decimals import exactly
from nbtokens.errors import NbtokensError
from nbtokens.history.follow import latest_calls
from nbtokens.notebook.panel import Panel
from nbtokens.questions.asking import Helped, words_parser
from nbtokens.reports.figures import calls_table
from nbtokens.reports.hidden import without_money
from nbtokens.reports.html import html
from nbtokens.reports.report import Report
from nbtokens.reports.text import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.notebook.preferences import NbTokens
    from nbtokens.runtime import Runtime


class TailPanel(Panel):
    """A panel with the latest calls, of whatever process, the newest at its end.

    Args:
        runtime: whose history they are in.
        preferences: whether money is shown.
        calls: how many.
        widgets: whether there is a front end that may show widgets.
    """

    def __init__(self, runtime: Runtime, preferences: NbTokens, calls: int, *, widgets: bool = True) -> None:
        self._preferences = preferences
        self.calls = calls
        super().__init__(runtime, widgets=widgets)

    def html(self, *, still: bool = False) -> str:  # noqa: ARG002 - a call that was made stays made
        """The table as HTML."""
        return html(self._report(), wide=True)

    def text(self, *, still: bool = False) -> str:  # noqa: ARG002 - the same
        """The table as text."""
        return text(self._report())

    def _report(self) -> Report:
        report = tail_report(self._runtime, self.calls)
        return without_money(report) if self._preferences.hide_cost else report


@exactly
def tail_report(runtime: Runtime, calls: int) -> Report:
    """So many of the latest calls, the newest last."""
    return Report("Latest calls", (calls_table("", latest_calls(runtime.store.journal, calls)[0]),))


def tail(line: str, runtime: Runtime, follow: Callable[[int], Panel]) -> Report | Panel | None:
    """Show the latest calls.

    Args:
        line: what stands behind `%tokens tail`: the options of `nbtokens tail`.
        runtime: whose history they are in.
        follow: gives a panel with so many calls.
    """
    command = Tail()
    parser = words_parser("%tokens tail", command)
    command.add_arguments(parser)
    try:
        arguments = parser.parse_args(shlex.split(line))
    except (NbtokensError, ValueError) as error:
        raise UsageError(f"%tokens tail: {error}") from error
    except Helped:
        return None
    if arguments.follow and arguments.json:
        raise UsageError(
            "%tokens tail: -f shows a table; leave out --json, or use `nbtokens tail -f --json` in a shell"
        )
    if arguments.json:
        command.run(arguments)
        return None
    return follow(arguments.n) if arguments.follow else tail_report(runtime, arguments.n)
