"""What this process knows of budgets that others count: a call is held against them here, and waits for nobody."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

from nbtokens.decimals import exactly
from nbtokens.guard import guarded
from nbtokens.history.checkpoint import replace_file
from nbtokens.limits import Amounts, Limit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from nbtokens.config import Config
    from nbtokens.context import Place
    from nbtokens.record import Record

NAME: Final = "team_budgets.json"
_MOST_UNSEEN: Final = 1000
_NOTHING: Final = Amounts()
Cell: TypeAlias = tuple[str | None, int | None]
"""A cell's id, and its execution count: one run of it."""


class Standing(msgspec.Struct, frozen=True):
    """A budget, and what the database, or whoever handed work over, knows to be spent of it.

    Attributes:
        limit: whose it is, how much, and what happens then.
        spent: by all whose rows had arrived there.
        since: the first day, UTC, of the day or month that `spent` is of.
        cell: the run of a cell that it is for; None: for all.
    """

    limit: Limit
    spent: Amounts
    since: date
    cell: Cell | None = None


class _Kept(msgspec.Struct):
    """What is kept beside the history, for the next process."""

    database: str
    standings: tuple[Standing, ...]


class _Whose(NamedTuple):
    """What calls count for."""

    day: date
    user: str | None
    project: str | None
    notebook: str | None
    cell: Cell


class Known:
    """The budgets that may hold for this process, as the database last told, and its own calls since.

    What the database does not know yet of this process's own calls is counted by id, so that none of them is missing
    and none counts twice. While the database is away, the last known budgets and sums hold.

    Attributes:
        standings: the budgets.
        awake_at: when the last own call was counted or the last cell began, by the monotonic clock.
        alone: begins to look after this in a forked child, at its first call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._database = ""
        self._employer: str | None = None
        self._user: str | None = None
        self._project: str | None = None
        self._unseen: dict[str, tuple[_Whose, Amounts]] = {}
        self._older: dict[_Whose, Amounts] = {}
        self._last_older = ""
        self._own: dict[_Whose, Amounts] = {}
        self.standings: tuple[Standing, ...] = ()
        self.awake_at = float("-inf")
        self.alone: Callable[[], None] | None = None

    def after_fork(self) -> None:
        """In a forked child: the lock may be held for ever."""
        self._lock = threading.Lock()

    def begin(self, config: Config) -> None:
        """Count for a project and its user from here on, by what an earlier process knew of its database."""
        database = blake2b((config.database_shown or "").encode(), digest_size=8).hexdigest()
        folder = config.folder if config.database is not None else None
        with self._lock:
            self._user, self._project = config.user, config.project
            if (folder, database) == (self._folder, self._database):
                return
            self._folder, self._database = folder, database
            self._unseen, self._older, self._last_older, self._own = {}, {}, "", {}
            self.standings = () if folder is None else _kept(folder, database)

    def hear_of(self, session: str | None) -> None:
        """Count for a session whose ledger is not seen here, and that tells of its budgets."""
        with self._lock:
            if self._employer != session:
                self._employer = session
                self._unseen, self._older, self._last_older, self._own = {}, {}, "", {}
                self.standings = ()

    @property
    def hears(self) -> bool:
        """Whether it counts for such a session."""
        return self._employer is not None

    @property
    def names(self) -> dict[str, str | None]:
        """Scope -> whose budgets may hold here; of notebooks all may."""
        return {"user": self._user, "project": self._project}

    def at(self, place: Place | None) -> list[Limit]:
        """The limits that hold for a call from a place."""
        notebook = None if place is None else place.notebook
        names = {"user": self._user, "project": self._project, "notebook": notebook}
        cell = None if place is None else (place.cell, place.execution_count)
        return [
            one.limit
            for one in self.standings
            if one.cell in {None, cell} and (one.limit.scope is None or one.limit.name == names[one.limit.scope])
        ]

    def tells_of(self, limit: Limit) -> bool:
        """Whether others count what is spent of a limit."""
        return limit.scope is not None or any(one.limit == limit for one in self.standings)

    def spent(self, limit: Limit, now: datetime | None = None) -> Amounts:
        """What is spent of a limit: by what the database knew, and by this process since."""
        since = first_day(limit, (now or datetime.now(UTC)).date())
        with self._lock:
            known = next((one for one in self.standings if one.limit == limit and one.since == since), None)
            cell = None if known is None else known.cell
            own = (used for whose, used in self._own.items() if whose.day >= since and _is_of(limit, whose, cell))
            return sum(own, _NOTHING if known is None else known.spent)

    def wake(self) -> None:
        """Calls are to be expected: what is known may not be old."""
        self.awake_at = time.monotonic()

    @exactly
    def count(self, record: Record) -> None:
        """A call of this process was recorded."""
        if (self._folder is None and self._employer is None) or record.kind != "call":
            return
        cell = record.cell, record.execution_count
        whose = _Whose(record.started_at.date(), record.user, record.project, record.notebook, cell)
        used = Amounts(record.cost_usd, record.total_tokens or 0)
        self.wake()
        with self._lock:
            self._unseen[record.id] = whose, used
            _add(self._own, whose, used)
            if len(self._unseen) > _MOST_UNSEEN:
                self._put_together()
            alone, self.alone = self.alone, None
        if alone is not None:
            with guarded:
                alone()

    def unseen(self) -> dict[str, date]:
        """The ids of own calls that the database did not have when it was last asked, and their days."""
        with self._lock:
            found = {one: whose.day for one, (whose, _) in self._unseen.items()}
            if self._older:
                found[self._last_older] = max(whose.day for whose in self._older)
            return found

    def unseen_until(self, last: str | None) -> list[str]:
        """The ids of own calls up to one of them, of those that are not known to be counted there."""
        with self._lock:
            ids = [self._last_older, *self._unseen]
        return ids[: ids.index(last) + 1] if last in ids else []

    def take(self, standings: Iterable[Standing], seen: Collection[str]) -> None:
        """What the database says now, in which the calls of some ids are counted."""
        taken = tuple(standings)
        with self._lock:
            for one in seen:
                whose, used = self._unseen.pop(one, (None, _NOTHING))
                if whose is not None:
                    _take_away(self._own, whose, used)
            if self._last_older in seen:
                for whose, used in self._older.items():
                    _take_away(self._own, whose, used)
                self._older, self._last_older = {}, ""
            is_new, self.standings = taken != self.standings, taken
        if is_new and self._folder is not None:
            self._keep(self._folder, taken)

    def _put_together(self) -> None:
        """The database is far behind: keep the sums of the older half only, until the last of them has arrived."""
        for one in list(islice(self._unseen, _MOST_UNSEEN // 2)):
            whose, used = self._unseen.pop(one)
            _add(self._older, whose, used)
            self._last_older = one

    def _keep(self, folder: Path, standings: tuple[Standing, ...]) -> None:
        try:
            replace_file(folder / NAME, msgspec.json.encode(_Kept(self._database, standings)))
        except OSError:
            return


def _kept(folder: Path, database: str) -> tuple[Standing, ...]:
    try:
        kept = msgspec.json.decode((folder / NAME).read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return ()
    return kept.standings if kept.database == database else ()


def first_day(limit: Limit, today: date) -> date:
    """The first day of the day or month that it is; of what has no end, the first of all."""
    if limit.per not in {"day", "month"}:
        return date.min
    return today if limit.per == "day" else today.replace(day=1)


def _is_of(limit: Limit, whose: _Whose, cell: Cell | None) -> bool:
    if limit.scope is None:
        return cell in {None, whose.cell}
    return bool(getattr(whose, limit.scope) == limit.name)


def _add(sums: dict[_Whose, Amounts], whose: _Whose, used: Amounts) -> None:
    sums[whose] = sums.get(whose, _NOTHING) + used


def _take_away(sums: dict[_Whose, Amounts], whose: _Whose, used: Amounts) -> None:
    rest = sums[whose] + Amounts(-(used.cost_usd or Decimal(0)), -used.tokens)
    if rest == _NOTHING:
        del sums[whose]
    else:
        sums[whose] = rest
