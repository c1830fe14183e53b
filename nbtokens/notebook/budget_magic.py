"""`%tokens budget 5.00 --per day --at 80% warn --then stop`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NoReturn

from nbtokens.amounts import count, usd
from nbtokens.context import current_place
from nbtokens.errors import ConfigError
from nbtokens.limits import ACTIONS, PERIODS, make_limit
from nbtokens.options import Options
from nbtokens.reports.report import Report, Table

if TYPE_CHECKING:
    from nbtokens.budgets import Budgets

USAGE: Final = (
    "%tokens budget [AMOUNT] [--tokens 200k] [--per session|day|month|cell|notebook|minute] [--at 80% warn] "
    "[--then stop|warn|wait] [--unpriced warn|stop]; `%tokens budget off`"
)


class _Parser(Options):
    """Raises where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"%tokens budget: {message}. It is {USAGE}.")


@functools.cache
def parser() -> Options:
    """What may be said behind `%tokens budget`."""
    said = _Parser(prog="%tokens budget", add_help=False, allow_abbrev=False)
    said.add_argument("amount", nargs="?")
    said.add_argument("--tokens")
    said.add_argument("--per", choices=PERIODS, default="session")
    said.add_argument("--at", nargs="+", default=["80%"])
    said.add_argument("--then", choices=ACTIONS, default="stop")
    said.add_argument("--unpriced", choices=ACTIONS[:2], default="warn")
    return said


def run_budget(budgets: Budgets, words: list[str]) -> Report:
    """Set, show or take away limits, as the words say; the limits that hold then.

    Raises:
        ConfigError: the words can't be understood, with what may be said.
    """
    if words == ["off"]:
        budgets.remove()
    elif words:
        said = parser().parse_args(words)
        if said.at[1:] not in ([], ["warn"]):
            raise ConfigError(f"%tokens budget: --at takes a share and `warn`, not {' '.join(said.at)!r}.")
        budgets.add(
            make_limit(
                said.amount,
                tokens=said.tokens,
                per=said.per,
                warn_at=said.at[0],
                then=said.then,
                unpriced=said.unpriced,
            )
        )
    return budget_report(budgets)


def budget_report(budgets: Budgets) -> Report:
    """The limits that hold, and what is spent of them."""
    rows = []
    for limit in (*budgets.limits, *budgets.team.at(current_place())):
        spent = budgets.spent(limit, current_place())
        cost = limit.money_of(usd(spent.cost_usd))
        tokens = "" if limit.tokens is None else f"{count(spent.tokens)} of {count(limit.tokens)}"
        per = limit.per if limit.scope is None else f"{limit.per}, {limit.whose}"
        rows.append((per, cost, tokens, f"{limit.warn_at:.0%}", limit.then))
    columns = ("per", ">cost", ">tokens", ">told at", "then")
    return Report("Budgets", (Table("", columns, tuple(rows), empty=f"No budget is set. {USAGE}"),))
