"""The team's history: what questions ask of a local one, answered by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, func, select, true
from sqlalchemy.exc import SQLAlchemyError

from nbtokens.analysis.selection import Selection
from nbtokens.errors import HistoryError, NbtokensError
from nbtokens.history.sums import Sums
from nbtokens.team import where
from nbtokens.team.aggregates import sums_of_days, sums_of_rows
from nbtokens.team.database import open_database, to_write
from nbtokens.team.findings import findings
from nbtokens.team.grouping import CELL, labels
from nbtokens.team.limits import remove_budget, set_budget, standings
from nbtokens.team.media import media
from nbtokens.team.schema import bring_up_to_date, version_of
from nbtokens.team.scores import average_scores
from nbtokens.team.selected import blocks, selected
from nbtokens.team.stats import alike_calls, scores_by, stats_by
from nbtokens.team.summing import recent, sums_by_dimension, sums_by_fields, totals
from nbtokens.team.sums import sums_of
from nbtokens.team.tables import token_usage
from nbtokens.team.validation import validation
from nbtokens.team.waste import wasted
from nbtokens.team.writing import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path
    from typing import TypeVar

    from sqlalchemy import Connection, Engine

    from nbtokens.analysis.findings import Findings
    from nbtokens.analysis.media import Media
    from nbtokens.analysis.savings import Wasted
    from nbtokens.analysis.scores import Average
    from nbtokens.analysis.token_stats import TokenStats
    from nbtokens.analysis.validation import Validation
    from nbtokens.analysis.what_if import Alike
    from nbtokens.history.columns import Columns
    from nbtokens.history.sums import Key
    from nbtokens.history.totals import Totals
    from nbtokens.limits import Limit
    from nbtokens.record import Record
    from nbtokens.shared_budgets import Standing
    from nbtokens.thresholds import Thresholds

    T = TypeVar("T")

_CANCELLED: Final = "57014"
"""PostgreSQL's name for a statement that took longer than it may."""
_NO_ROWS: Final = ("amend", "rewrite")
_IN_TIME: Final = (token_usage.c.started_at, token_usage.c.id)


def open_team(url: str, root: Path, *, make: bool = False) -> TeamHistory:
    """The history in a database.

    Args:
        url: as SQLAlchemy writes it.
        root: the folder that the path of an SQLite file is relative to.
        make: make the tables where there are none yet, and bring them up to date.

    Raises:
        ConfigError: the URL is none, or its driver is missing.
        NbtokensError: the database does not answer, or has none of our tables.
    """
    engine = open_database(url, root)
    try:
        if make:
            with to_write(engine).begin() as connection:
                bring_up_to_date(connection)
        with engine.connect() as connection:
            version = version_of(connection)
    except SQLAlchemyError as error:
        engine.dispose()
        raise _of(error) from error
    except NbtokensError:
        engine.dispose()
        raise
    if version is None:
        engine.dispose()
        raise NbtokensError("no records have reached the team's database yet")
    return TeamHistory(engine)


class TeamHistory:
    """Every record that reached the database, of all projects and people.

    Args:
        engine: the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def totals(self) -> Totals:
        """Sums and distributions of everything."""
        return self.totals_of(Selection())

    @property
    def sums(self) -> Sums:
        """All calls in one: counts, tokens, USD, seconds."""
        return self._ask(lambda connection: sums_of(connection.execute(sums_of_days([], true())).one()))

    def totals_of(self, which: Selection, *, measures: bool = True) -> Totals:
        """Sums and, if asked for, distributions of what is selected.

        Raises:
            NbtokensError: the database does not answer.
        """
        return self._ask(lambda connection: totals(connection, which, measures=measures))

    def records(self, which: Selection | None = None) -> Iterator[Record]:
        """The records that are selected, the oldest first, amendments folded in.

        Raises:
            NbtokensError: the database does not answer.
        """
        rows = select(token_usage).where(where.of_records(which or Selection()), token_usage.c.kind.not_in(_NO_ROWS))
        return self._read(read, rows.order_by(*_IN_TIME))

    def columns(self, which: Selection, fields: AbstractSet[str] | None = None) -> Iterator[Columns]:
        """The same by columns: of some fields, all by default.

        Raises:
            NbtokensError: the database does not answer.
        """
        chosen = selected(fields).where(where.of_records(which), token_usage.c.kind.not_in(_NO_ROWS))
        return self._read(blocks, chosen.order_by(*_IN_TIME))

    def token_stats(self, which: Selection, by: Iterable[str]) -> TokenStats:
        """Sums and distributions of what is selected, and of its groups by any dimensions."""
        return self._ask(lambda connection: stats_by(connection, where.of_records(which), by))

    def findings(self, which: Selection, limits: Thresholds) -> Findings:
        """What `check` goes by, of the calls that are selected."""
        return self._ask(lambda connection: findings(connection, where.of_records(which), limits))

    def wasted(self, which: Selection) -> Wasted:
        """What was wasted of the latest calls that are selected, a million at most."""
        return self._ask(lambda connection: wasted(connection, where.of_records(which)))

    def validation(self, which: Selection, name: str, drawn: int) -> Validation:
        """What `validate` tests, of the calls that are selected; with so many of the calls themselves."""
        return self._ask(lambda connection: validation(connection, where.of_records(which), name, drawn))

    def media(self, which: Selection) -> dict[str, Media]:
        """What the calls that are selected read of pages and images."""
        return self._ask(lambda connection: media(connection, where.of_records(which)))

    def average_scores(self, which: Selection, by: Iterable[str]) -> dict[str, dict[str | None, dict[str, Average]]]:
        """For each dimension and group, the averages of scores by name; under "" those of all calls."""
        return self._ask(lambda connection: scores_by(connection, where.of_records(which), by))

    def alike(self, which: Selection, sizes: Sequence[int]) -> Iterator[Alike]:
        """The calls that are selected, those of one model between two sizes together."""
        return iter(self._ask(lambda connection: alike_calls(connection, where.of_records(which), sizes)))

    def sums_of(self, which: Selection) -> Sums:
        """All calls that are selected in one."""
        return next(iter(self.by(None, which).values()), Sums())

    def by(self, dimension: str | None, which: Selection) -> dict[str | None, Sums]:
        """The sums of each value of a dimension, the dearest first; of everything where there is none."""
        return self._ask(lambda connection: sums_by_dimension(connection, dimension, which))

    def rows(self, names: Sequence[str], which: Selection) -> list[tuple[Key, Sums]]:
        """The sums of each value of some fields of a key; its other fields are None, or an empty day."""
        return self._ask(lambda connection: sums_by_fields(connection, names, which))

    def scores(self, names: Sequence[str], which: Selection) -> list[tuple[tuple[Any, ...], str, Average]]:
        """The values of some fields, the name of a score, and its average over the calls that have it."""
        condition = where.of_records(which)
        return self._ask(lambda connection: average_scores(connection, labels(connection, names), condition))

    def cells(self, which: Selection, most: int) -> list[tuple[str, Sums]]:
        """The dearest cells, with their notebooks, and their sums."""
        condition = where.of_records(which) & token_usage.c.cell.is_not(None) & (token_usage.c.kind == "call")
        query = sums_of_rows([CELL.label("name")], condition)
        tokens = func.coalesce(func.sum(token_usage.c.total_tokens), 0)
        cost = func.coalesce(func.sum(token_usage.c.cost_usd), 0)
        query = query.order_by(cost.desc(), tokens.desc(), CELL).limit(most)
        return self._ask(lambda connection: [(row.name, sums_of(row)) for row in connection.execute(query)])

    def run(self, which: Selection) -> Sums | None:
        """The sums of what is selected; None where there is no row of it."""
        known = select(token_usage.c.id).where(where.of_records(which)).limit(1)
        found = self._ask(lambda connection: connection.scalar(known))
        return None if found is None else self.sums_of(which)

    def calls(self, which: Selection, limit: int, start: int) -> list[Record]:
        """So many of the calls that are selected, the oldest first, from a place on."""
        query = select(token_usage).where(where.of_records(which), token_usage.c.kind == "call")
        query = query.order_by(*_IN_TIME).limit(limit).offset(start)
        return list(self._read(read, query))

    def recent(self, which: Selection | None = None) -> list[Record]:
        """The latest calls, the oldest of them first."""
        return self._ask(lambda connection: recent(connection, which or Selection()))

    def budgets(self) -> list[Standing]:
        """The budgets, and what is spent of them.

        Raises:
            NbtokensError: the database does not answer.
        """
        return self._ask(standings)

    def set_budget(self, limit: Limit) -> None:
        """Set a budget. Another one of the same name and period is replaced.

        Raises:
            ConfigError: a team can have no such budget.
            NbtokensError: the database does not answer.
        """
        self._write(lambda connection: set_budget(connection, limit))

    def remove_budget(self, scope: str, name: str, per: str) -> bool:
        """Take a budget away; whether there was one.

        Raises:
            NbtokensError: the database does not answer.
        """
        return self._write(lambda connection: remove_budget(connection, scope, name, per))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _write(self, change: Callable[[Connection], T]) -> T:
        try:
            with to_write(self._engine).begin() as connection:
                return change(connection)
        except SQLAlchemyError as error:
            raise _of(error) from error

    def _read(self, rows: Callable[[Connection, Select[Any]], Iterable[T]], query: Select[Any]) -> Iterator[T]:
        try:
            with self._engine.connect() as connection:
                yield from rows(connection, query)
        except SQLAlchemyError as error:
            raise _of(error) from error

    def _ask(self, look: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection:
                return look(connection)
        except SQLAlchemyError as error:
            raise _of(error) from error


def _of(error: SQLAlchemyError) -> HistoryError:
    why = getattr(error, "orig", None) or error
    if getattr(why, "sqlstate", None) == _CANCELLED:
        return HistoryError("the team's database takes too long to answer that: ask for less, say --since 7d")
    return HistoryError(f"the team's database does not answer: {' '.join(str(why).split())}")
