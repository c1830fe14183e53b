"""A report without its money, for a screen that others see."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from nbtokens.reports.report import Layout, Part, Report, Table

HIDDEN: Final = "•••"
"""What stands where an amount of money stood."""


class Hiding:
    """Whether this process's user hides money in what is shown."""

    def __init__(self) -> None:
        self.on = False


hiding: Final = Hiding()

_AMOUNT: Final = re.compile(r"-?\$-?\d+(?:,\d{3})*(?:\.\d+)?")


def without_money(report: Report) -> Report:
    """The same report with every amount of money hidden; tokens, calls and times stay."""
    return Report(hide_money(report.title), tuple(map(_part, report.parts)))


def hide_money(text: str) -> str:
    """A text with `•••` in place of each amount of money."""
    return _AMOUNT.sub(HIDDEN, text)


def _part(part: Part) -> Part:
    if isinstance(part, Layout):
        return Layout(tuple(map(hide_money, part.lines)))
    return _table(part) if isinstance(part, Table) else hide_money(part)


def _table(table: Table) -> Table:
    rows = tuple(tuple(hide_money(cell) for cell in row) for row in table.rows)
    return replace(table, heading=hide_money(table.heading), rows=rows)
