"""Budgets in the database: what a user, a project or a notebook may spend in a day or month, and how much is spent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from nbtokens.errors import ConfigError
from nbtokens.limits import Amounts, Limit
from nbtokens.team.tables import budgets, daily

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from sqlalchemy import ColumnElement, Connection

    Scope: TypeAlias = "Literal['user', 'project', 'notebook']"

SCOPES: Final = ("user", "project", "notebook")
_Per = Literal["day", "month"]
_PERIODS: Final[tuple[str, ...]] = get_args(_Per)


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget, and what the database knows to be spent of it.

    Attributes:
        scope: `user`, `project` or `notebook`.
        name: which one.
        limit: how much, and what happens then.
        spent: by all whose rows have reached the database, in the day or month (UTC) that it is.
    """

    scope: Scope
    name: str
    limit: Limit
    spent: Amounts


def set_budget(connection: Connection, scope: str, name: str, limit: Limit) -> None:
    """Set a budget, in the caller's transaction. Another one of the same name and period is replaced.

    Raises:
        ConfigError: it is for something else than a user, project or notebook, or for another period than these have.
    """
    if scope not in SCOPES:
        raise ConfigError(f"a team's budget is for one of {', '.join(SCOPES)}, not {scope!r}")
    if limit.per not in _PERIODS:
        raise ConfigError(f"a team's budget is per {' or '.join(_PERIODS)}, not per {limit.per}")
    amounts = {"cost_usd": limit.cost_usd, "tokens": limit.tokens, "warn_at": limit.warn_at, "then": limit.then}
    insert: Any = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(budgets)
    row = insert.values(scope=scope, name=name, per=limit.per, **amounts)
    connection.execute(row.on_conflict_do_update(index_elements=["scope", "name", "per"], set_=amounts))


def remove_budget(connection: Connection, scope: str, name: str, per: str) -> bool:
    """Take a budget away, in the caller's transaction; whether there was one."""
    row = budgets.c
    done = connection.execute(delete(budgets).where(row.scope == scope, row.name == name, row.per == per))
    return done.rowcount > 0


def standings(connection: Connection, now: datetime | None = None) -> list[Standing]:
    """Every budget, and how much of it is spent; from the sums by day."""
    today = (now or datetime.now(UTC)).date()
    rows = connection.execute(select(budgets).order_by(budgets.c.scope, budgets.c.name, budgets.c.per)).all()
    return [
        Standing(
            cast("Scope", row.scope),
            row.name,
            Limit(row.cost_usd, row.tokens, cast("_Per", row.per), row.warn_at, row.then),
            _spent(connection, daily.c[row.scope] == row.name, today if row.per == "day" else today.replace(day=1)),
        )
        for row in rows
    ]


def _spent(connection: Connection, whose: ColumnElement[bool], since: date) -> Amounts:
    cost, tokens = func.sum(daily.c.cost_usd), func.sum(daily.c.input_tokens + daily.c.output_tokens)
    row = connection.execute(
        select(cost.label("cost"), tokens.label("tokens")).where(whose, daily.c.day >= since)
    ).one()
    return Amounts(row.cost or Amounts().cost_usd, int(row.tokens or 0))
