"""`nbtokens --team budget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.amounts import count, usd
from nbtokens.errors import NbtokensError
from nbtokens.limits import ACTIONS, SCOPES, make_limit
from nbtokens.questions.asking import Answer
from nbtokens.questions.team import TeamView
from nbtokens.reports.report import Report, Table

if TYPE_CHECKING:
    import argparse

    from nbtokens.shared_budgets import Standing
    from nbtokens.views import History

_OFF: Final = "off"
_COLUMNS: Final = ("for", "name", "per", ">cost", ">tokens", ">told at", "then")


class TeamBudget:
    """The budgets of people, projects and notebooks in the team's database: `--team budget 50 --user ada`.

    Alone it lists them, with what is spent; `off --user ada --per month` takes one away.
    Without --team there is `%tokens budget`, whose limits hold in one kernel.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the amount, whose it is, and what happens."""
        parser.add_argument("amount", nargs="?", metavar="AMOUNT|off", help="USD; or off, to take it away")
        whose = parser.add_mutually_exclusive_group()
        for scope in SCOPES:
            whose.add_argument(f"--{scope}", metavar="NAME", help=f"for this {scope}")
        parser.add_argument("--tokens", help="instead of money or besides: 200000, 200k, 5m")
        parser.add_argument("--per", choices=("day", "month"), default="month", help="in UTC (month)")
        parser.add_argument("--at", default="80%", metavar="SHARE", help="where people are told (80%%)")
        parser.add_argument("--then", choices=ACTIONS[:2], default="stop", help="what happens beyond it (stop)")

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:
        """Do what is asked, and show what holds then."""
        if not isinstance(history, TeamView):
            raise NbtokensError("budgets of one kernel are set by `%tokens budget`; the team's by `--team budget`")
        scope = next((one for one in SCOPES if getattr(arguments, one) is not None), None)
        amount, tokens = arguments.amount, arguments.tokens
        if scope is None:
            if amount is not None or tokens is not None:
                raise NbtokensError("say whose budget that is: --user, --project or --notebook NAME")
        elif amount == _OFF:
            name = getattr(arguments, scope)
            if not history.team.remove_budget(scope, name, arguments.per):
                raise NbtokensError(f"there is no budget per {arguments.per} for {scope} {name!r}")
        else:
            name = getattr(arguments, scope)
            said = {"per": arguments.per, "warn_at": arguments.at, "then": arguments.then}
            history.team.set_budget(make_limit(amount, tokens=tokens, scope=scope, name=name, **said))
        return Answer(_report(history.team.budgets()))


def _report(found: list[Standing]) -> Report:
    rows = tuple(
        (
            str(one.limit.scope),
            one.limit.name,
            one.limit.per,
            one.limit.money_of(usd(one.spent.cost_usd)),
            "" if one.limit.tokens is None else f"{count(one.spent.tokens)} of {count(one.limit.tokens)}",
            f"{one.limit.warn_at:.0%}",
            one.limit.then,
        )
        for one in found
    )
    data = {
        "budgets": [
            {
                "scope": one.limit.scope,
                "name": one.limit.name,
                "per": one.limit.per,
                "limit_usd": one.limit.cost_usd,
                "limit_tokens": one.limit.tokens,
                "spent_usd": one.spent.cost_usd,
                "spent_tokens": one.spent.tokens,
                "warn_at": one.limit.warn_at,
                "then": one.limit.then,
            }
            for one in found
        ]
    }
    empty = "No budget is set: nbtokens --team budget 50 --user NAME --per month"
    return Report("Budgets of the team", (Table("", _COLUMNS, rows, empty=empty),), data)
