"""Budgets in the database: what a user, a project or a notebook may spend in a day or month, and how much is spent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, case, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from nbtokens.errors import ConfigError
from nbtokens.limits import SCOPES, Amounts, Limit
from nbtokens.shared_budgets import Standing, first_day
from nbtokens.team.tables import LONGEST_NAME, budgets, daily, token_usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from sqlalchemy import Connection

    from nbtokens.shared_budgets import Known

PERIODS: Final = ("day", "month")
_DAY: Final = timedelta(days=1)


def set_budget(connection: Connection, limit: Limit) -> None:
    """Set a budget, in the caller's transaction. Another one of the same name and period is replaced.

    Raises:
        ConfigError: it is for something else than a user, project or notebook, or for another period than these have.
    """
    if limit.scope not in SCOPES or not limit.name:
        raise ConfigError(f"a team's budget is for a {', '.join(SCOPES)}, by its name")
    if len(limit.name) > LONGEST_NAME:
        raise ConfigError(f"a name has {LONGEST_NAME} characters at most in the team's database")
    if limit.per not in PERIODS:
        raise ConfigError(f"a team's budget is per {' or '.join(PERIODS)}, not per {limit.per}")
    if limit.unpriced != "warn":
        raise ConfigError("a team's budget does not stop calls without a price")
    amounts = {"cost_usd": limit.cost_usd, "tokens": limit.tokens, "warn_at": limit.warn_at, "then": limit.then}
    insert: Any = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(budgets)
    row = insert.values(scope=limit.scope, name=limit.name, per=limit.per, **amounts)
    connection.execute(row.on_conflict_do_update(index_elements=["scope", "name", "per"], set_=amounts))


def remove_budget(connection: Connection, scope: str, name: str, per: str) -> bool:
    """Take a budget away, in the caller's transaction; whether there was one."""
    row = budgets.c
    done = connection.execute(delete(budgets).where(row.scope == scope, row.name == name, row.per == per))
    return done.rowcount > 0


def standings(
    connection: Connection, now: datetime | None = None, names: Mapping[str, str | None] | None = None
) -> list[Standing]:
    """The budgets, and how much of each is spent; from the sums by day.

    Args:
        connection: to the database.
        now: whose day and month it is; the present by default.
        names: scope -> the name of which budgets are asked for; of other scopes, all.
    """
    row = budgets.c
    wanted = [or_(row.scope != scope, row.name == name) for scope, name in (names or {}).items()]
    limits = [
        Limit(one.cost_usd, one.tokens, one.per, one.warn_at, one.then, scope=one.scope, name=one.name)
        for one in connection.execute(select(budgets).where(*wanted).order_by(row.scope, row.name, row.per))
    ]
    today = (now or datetime.now(UTC)).date()
    spent = {scope: dict(_spent(connection, scope, limits, today)) for scope in {one.scope for one in limits}}
    return [
        Standing(one, spent[one.scope].get((one.name, one.per), Amounts()), first_day(one, today)) for one in limits
    ]


def refresh(connection: Connection, known: Known) -> None:
    """Tell a process what the database knows now. Both questions see the same moment of the database."""
    found = standings(connection, names=known.names)
    known.take(found, _arrived(connection, known.unseen()))


def _spent(
    connection: Connection, scope: str | None, limits: list[Limit], today: date
) -> Iterator[tuple[tuple[str, str], Amounts]]:
    """(name, period) -> what is spent."""
    whose = daily.c[scope or "user"]
    names = {one.name for one in limits if one.scope == scope}
    is_today = case((daily.c.day >= today, 1), else_=0).label("is_today")
    query = (
        select(
            whose.label("name"),
            is_today,
            func.sum(daily.c.cost_usd).label("cost"),
            func.sum(daily.c.input_tokens + daily.c.output_tokens).label("tokens"),
        )
        .where(whose.in_(names), daily.c.day >= today.replace(day=1))
        .group_by(whose, is_today)
    )
    months: dict[str, Amounts] = {}
    for row in connection.execute(query):
        used = Amounts(row.cost or Amounts().cost_usd, int(row.tokens or 0))
        months[row.name] = months.get(row.name, Amounts()) + used
        if row.is_today:
            yield (row.name, "day"), used
    yield from (((name, "month"), used) for name, used in months.items())


def _arrived(connection: Connection, ids: Mapping[str, date]) -> set[str]:
    """Those of some calls that the database has."""
    if not ids:
        return set()
    row = token_usage.c
    first, last = (datetime(one.year, one.month, one.day, tzinfo=UTC) for one in (min(ids.values()), max(ids.values())))
    when = and_(row.started_at >= first, row.started_at < last + _DAY)
    return set(connection.scalars(select(row.id).where(row.id.in_(ids), when)))
