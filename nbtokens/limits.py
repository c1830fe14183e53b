"""Limits that the user sets on money or tokens: what they say, and the error of a call that would break one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, TypeAlias, cast, get_args

from nbtokens.amounts import count, usd, usd_set
from nbtokens.decimals import exactly
from nbtokens.errors import ConfigError

Period: TypeAlias = Literal["session", "day", "month", "cell", "notebook", "minute"]
Action: TypeAlias = Literal["stop", "warn", "wait"]
Scope: TypeAlias = Literal["user", "project", "notebook"]
PERIODS: Final[tuple[str, ...]] = get_args(Period)
ACTIONS: Final[tuple[str, ...]] = get_args(Action)
SCOPES: Final[tuple[str, ...]] = get_args(Scope)
_SIZES: Final = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_WHAT: Final = {
    "session": "this session",
    "day": "today (UTC)",
    "month": "this month (UTC)",
    "cell": "this run of the cell",
    "notebook": "this notebook",
    "minute": "the last minute",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """So much, for so long.

    Attributes:
        cost_usd: money, in USD; None where only tokens are limited.
        tokens: input and output tokens together; None where only money is limited.
        per: what it holds for. Days and months are UTC.
        warn_at: the share (0 to 1) of it at which the user is told.
        then: what happens to a call that would pass it: it is not sent (`stop`), it is sent and the user is told
            (`warn`), or, for a minute, it waits until there is room (`wait`).
        unpriced: what happens to a call whose price is not known: `warn` or `stop`.
        scope: where the team's database has set it: what it is for. None: for this process.
        name: which user, project or notebook.
    """

    cost_usd: Decimal | None = None
    tokens: int | None = None
    per: Period = "session"
    warn_at: float = 0.8
    then: Action = "stop"
    unpriced: Action = "warn"
    scope: Scope | None = None
    name: str = ""

    def __str__(self) -> str:
        amounts = [usd_set(self.cost_usd)] if self.cost_usd is not None else []
        amounts += [f"{count(self.tokens)} tokens"] if self.tokens is not None else []
        whose = f" for {self.whose}" if self.scope is not None else ""
        return f"{' and '.join(amounts)} per {self.per}{whose}"

    def money_of(self, spent: str) -> str:
        """How much of its money is spent, in words; nothing where it limits none."""
        return "" if self.cost_usd is None else f"{spent} of {usd_set(self.cost_usd)}"

    @property
    def whose(self) -> str:
        """The user, project or notebook of a team's limit, in words."""
        return f"{self.scope} {self.name!r}"

    @property
    def covers(self) -> str:
        """What it holds for, in words."""
        return _WHAT[self.per] if self.scope is None else f"the {self.per} (UTC) of {self.whose}"


@dataclass(frozen=True, slots=True)
class Amounts:
    """Money (USD; None where it is not known) and tokens."""

    cost_usd: Decimal | None = Decimal(0)
    tokens: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts((self.cost_usd or 0) + (other.cost_usd or Decimal(0)), self.tokens + other.tokens)


class BudgetExceeded(BaseException):
    """A call was not sent, because it would have passed a limit that the user set.

    It is no `Exception`: clients take those for faults of the network, try again, and raise something else.

    Attributes:
        limit: the limit.
        spent: what has been spent of it, calls in flight with their estimates.
        expected: what the call would have used, estimated.
    """

    def __init__(self, limit: Limit, spent: Amounts, expected: Amounts) -> None:
        self.limit, self.spent, self.expected = limit, spent, expected
        super().__init__(limit, spent, expected)

    def __str__(self) -> str:
        limit, spent, expected = self.limit, self.spent, self.expected
        if limit.cost_usd is not None and expected.cost_usd is None:
            return (
                f"This call was not sent: its price is not known, and the limit of {limit} stops such calls. Say what "
                "its model costs in [tool.nbtokens.prices], or set the limit with `--unpriced warn`."
            )
        said = (
            f"{count(spent.tokens)} of {count(limit.tokens)} tokens"
            if self.of_tokens
            else limit.money_of(usd(spent.cost_usd))
        )
        would = f"about {count(expected.tokens)} tokens" if self.of_tokens else f"about {usd(expected.cost_usd)}"
        said = f"This call was not sent: {limit.covers} has used {said}, and the call would use {would}."
        if limit.scope is not None:
            return f"{said} The limit is the team's; `nbtokens --team budget` shows and sets what it allows."
        words, code = ("--tokens N", "tokens=N") if self.of_tokens else ("AMOUNT", "AMOUNT")
        return (
            f"{said} Raise the limit with `%tokens budget {words} --per {limit.per}`, or take it away with "
            f'`%tokens budget off`; in a script, where it says `nbtokens.budget({code}, per="{limit.per}")`.'
        )

    @property
    def of_tokens(self) -> bool:
        """Whether it is the limit on tokens that the call would have passed."""
        limit = self.limit
        return limit.tokens is not None and self.spent.tokens + self.expected.tokens > limit.tokens


@exactly
def make_limit(  # noqa: PLR0913 - the fields of a limit, as a user writes them
    cost_usd: Decimal | float | str | None = None,
    *,
    tokens: int | str | None = None,
    per: str = "session",
    warn_at: float | str = 0.8,
    then: str = "stop",
    unpriced: str = "warn",
    scope: str | None = None,
    name: str = "",
) -> Limit:
    """A limit, from what a user says: `5.00`, `"200k"` tokens, at `"80%"`; of a team, for a name in a scope.

    Raises:
        ConfigError: something of it can't be used.
    """
    if cost_usd is None and tokens is None:
        raise ConfigError("A budget needs an amount in USD, or --tokens.")
    for option, value, allowed in (
        ("--per", per, PERIODS),
        ("--then", then, ACTIONS),
        ("--unpriced", unpriced, ACTIONS[:2]),
    ):
        if value not in allowed:
            raise ConfigError(f"{option} is {value!r}; it must be one of {', '.join(allowed)}.")
    if then == "wait" and per != "minute":
        raise ConfigError("--then wait is for --per minute: in other periods there may never be room again.")
    return Limit(
        None if cost_usd is None else _amount(cost_usd),
        None if tokens is None else _tokens(tokens),
        cast("Period", per),
        _share(warn_at),
        cast("Action", then),
        cast("Action", unpriced),
        cast("Scope | None", scope),
        name,
    )


def _amount(value: Decimal | float | str) -> Decimal:
    try:
        amount = Decimal(str(value).removeprefix("$").replace(",", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ConfigError(f"{value!r} is no amount of USD; a budget is written as 5 or 5.00.")
    return amount


def _tokens(value: int | str) -> int:
    text = str(value).lower().replace(",", "").replace("_", "")
    size = _SIZES.get(text[-1:], 1)
    try:
        tokens = int(Decimal(text[:-1] if size > 1 else text) * size)
    except (InvalidOperation, ValueError, OverflowError):
        tokens = -1
    if tokens < 0:
        raise ConfigError(f"{value!r} is no number of tokens; it is written as 200000 or 200k.")
    return tokens


def _share(value: float | str) -> float:
    text = str(value)
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise ConfigError(f"--at is {value!r}; it must be a share of the budget, as 80% or 0.8.")
    return share
