"""Asking, before a request is sent, whether there is money and are tokens left for it; and alerts behind it."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from nbtokens.alerts import NO_BOUNDS, Alerts
from nbtokens.decimals import exactly
from nbtokens.guard import guarded
from nbtokens.handed_limits import Handed, Start, Terms, Together
from nbtokens.history.totals import Sums
from nbtokens.limits import Amounts, BudgetExceeded, Limit
from nbtokens.record import new_id
from nbtokens.shared_budgets import Known, Standing, first_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from nbtokens.context import Place
    from nbtokens.exchange import Exchange
    from nbtokens.history.store import Store
    from nbtokens.history.totals import Totals
    from nbtokens.record import Record
    from nbtokens.shared_budgets import Cell

_MINUTE: Final = 60.0
_SHORTEST_PAUSE: Final = 0.01
_MOST_CELLS: Final = 1_000
_TAKE_IN_AT: Final = 1_000
_OF_CELL: Final = Limit(per="cell")
_FIRST_GUESS: Final = 500
"""Tokens that a model's first call is taken to write where it sets no `max_tokens`."""


class Budgets:
    """The limits of this process, what is spent of them, and what calls in flight will use.

    Attributes:
        limits: those that hold.
        alerts: bounds that stop nothing.
        team: the limits of the team's database, where one is set.

    Args:
        session: the sums of this session.
        store: the history.
        expect: gives what tells about what a request will use and cost.
        tell: says something to the user, each sentence once.
    """

    def __init__(
        self,
        session: Callable[[], Sums],
        store: Callable[[], Store],
        expect: Callable[[], Callable[[Exchange], Amounts]],
        tell: Callable[[str], None],
    ) -> None:
        self.limits: list[Limit] = []
        self.alerts = Alerts(self._spent_on, tell)
        self.team = Known()
        self._session, self._store, self._expect, self._tell = session, store, expect, tell
        self._lock = threading.RLock()
        self._in_flight: WeakKeyDictionary[Exchange, Amounts] = WeakKeyDictionary()
        self._of_cells: dict[tuple[str | None, int | None], Amounts] = {}
        self._latest: deque[tuple[float, Amounts]] = deque()
        self._new: deque[tuple[float, Record]] = deque()
        self._handed: Handed | None = None
        self._together: Together | None = None

    def handed(self, reset_at: datetime | None, place: Place | None) -> Handed | None:
        """The limits, for a process that shares the ledger.

        Args:
            reset_at: when the session was last reset.
            place: where work is handed over.
        """
        if not self.limits:
            return None
        mark = "" if reset_at is None else str(reset_at)
        if self._together is not None:
            start = self._together.start
        elif self._handed is None or self._handed.start.reset_at != mark:
            of_cell = self.spent(_OF_CELL, place)
            start = Start(self._store().end(), new_id(), _of(self._session()), _cell_of(place), of_cell, mark)
        else:
            start = self._handed.start
        if self._handed is None or self._handed.limits != tuple(self.limits):
            self._handed = Handed(tuple(self.limits), start)
        return self._handed

    def hold_for(self, handed: Handed | None, session: str) -> None:
        """Hold the limits of whoever handed work over, whose ledger is this one."""
        if handed == self._handed:
            return
        if handed is not None and (self._together is None or self._together.start != handed.start):
            self._together = Together(self._store().journal, session, handed.start)
        self._handed, self.limits = handed, [] if handed is None else list(handed.limits)

    def terms(self, reset_at: datetime | None, place: Place, taken: dict[str, str]) -> Terms:
        """The limits, for processes that may not share the ledger.

        Args:
            reset_at: when the session was last reset.
            place: where work is handed over, or goes on.
            taken: worker -> the last of its calls that is counted here.
        """
        limits = [one for one in self.limits if one.per != "minute"]
        teams = [one.limit for one in self.team.standings]
        today = datetime.now(UTC).date()
        standings = (
            Standing(one, self.spent(one, place), first_day(one, today), _cell_of(place) if one.per == "cell" else None)
            for one in (*limits, *teams)
        )
        each = tuple(one for one in self.limits if one.per == "minute")
        return Terms(time.time_ns(), self.handed(reset_at, place), each, tuple(standings), taken)

    def take_terms(self, terms: Terms, last: str | None) -> None:
        """Hold the limits of whoever handed work over, whose ledger is not seen here.

        Args:
            terms: what they say.
            last: the last of this process's calls that is counted in them.
        """
        self.limits = list(terms.limits)
        self.team.take(terms.standings, self.team.unseen_until(last))

    def hold_no_more(self) -> None:
        """Whoever handed work over hands over no more."""
        if self._handed is not None or self.team.hears:
            self._handed, self._together, self.limits = None, None, []
            self.team.hear_of(None)

    def after_fork(self) -> None:
        """In a forked child: the lock may be held for ever, and the calls in flight are the parent's."""
        self._lock = threading.RLock()
        self._in_flight = WeakKeyDictionary()
        self._handed = self._together = None
        self.team.after_fork()

    @property
    def hold(self) -> bool:
        """Whether there is any limit that a call could pass."""
        return bool(self.limits or self.team.standings)

    def add(self, limit: Limit) -> None:
        """Set a limit. Another one for the same period is replaced."""
        self.limits = [one for one in self.limits if one.per != limit.per] + [limit]

    @contextmanager
    def limited(self, limit: Limit) -> Iterator[Limit]:
        """A limit that holds in a `with` block; what held for its period before holds again behind it."""
        before = self.limits
        self.add(limit)
        try:
            yield limit
        finally:
            self.limits = before

    def remove(self, limit: Limit | None = None) -> None:
        """Take a limit away; all of them by default."""
        self.limits = [] if limit is None else [one for one in self.limits if one is not limit]

    @exactly
    def begin(self, exchange: Exchange) -> float:
        """A request is about to be sent: put its estimate aside.

        Returns:
            How long it must wait before it asks again, in seconds; 0 if it may be sent now.

        Raises:
            BudgetExceeded: it would pass a limit that stops calls.
        """
        limits = [*self.limits, *self.team.at(exchange.place)]
        if not limits:
            return 0.0
        expected = self._expect()(exchange)
        for scope in exchange.place.scopes:
            if hasattr(scope, "expect"):  # the row of a loop, which ends before a call that would be stopped
                scope.expect(expected)
        with self._lock:
            pause = max(self._ask(limit, exchange.place, expected) for limit in limits)
            if not pause:
                self._in_flight[exchange] = expected
            return pause

    def end(self, exchange: Exchange) -> None:
        """The request has come to its end, and its record counts from here on."""
        with self._lock:
            self._in_flight.pop(exchange, None)

    def count(self, record: Record) -> None:
        """A call was recorded."""
        if self.alerts.bounds != NO_BOUNDS:
            with guarded:
                self.alerts.check(record)
        self.team.count(record)
        self._new.append((time.monotonic(), record))
        if len(self._new) >= _TAKE_IN_AT:
            with self._lock:
                self._take_in()

    @exactly
    def spent(self, limit: Limit, place: Place | None = None) -> Amounts:
        """What is used of a limit by now, without the calls in flight."""
        if self.team.tells_of(limit):
            return self.team.spent(limit)
        together = self._together
        if limit.per == "session":
            return _of(self._session()) if together is None else together.spent()
        if limit.per in ("minute", "cell"):
            with self._lock:
                self._take_in()
                if limit.per == "minute":
                    return sum((used for _, used in self._latest), Amounts())
                cell = _cell_of(place)
                return self._of_cells.get(cell, Amounts()) if together is None else together.spent(cell)
        if limit.per == "notebook":
            notebook = None if place is None else place.notebook
            return self._store().view(lambda totals: _of(_where(totals, notebook=notebook)))
        start = datetime.now(UTC).strftime("%Y-%m-%d" if limit.per == "day" else "%Y-%m")
        return self._store().view(lambda totals: _of(_where(totals, day=start)))

    @exactly
    def share_used(self, limit: Limit, place: Place | None = None) -> float:
        """How much of a limit is used by now, as a share of it: 0.82 is 82 %."""
        return _share(limit, self.spent(limit, place))

    def _spent_on(self, day: str) -> Decimal:
        return self._store().view(lambda totals: _where(totals, day=day)).cost_usd

    def _ask(self, limit: Limit, place: Place, expected: Amounts) -> float:
        if limit.cost_usd is not None and limit.tokens is None and expected.cost_usd == 0:
            return 0.0  # what costs nothing is never stopped
        is_unpriced = limit.cost_usd is not None and expected.cost_usd is None
        if is_unpriced and limit.unpriced == "stop":
            raise BudgetExceeded(limit, self.spent(limit, place), expected)
        flying = [used for exchange, used in self._in_flight.items() if _shares(limit, exchange.place, place)]
        spent = sum(flying, self.spent(limit, place))
        share = _share(limit, spent + expected)
        if share > 1 and limit.then == "wait":
            return self._until_there_is_room()
        if share > 1 and limit.then == "stop":
            raise BudgetExceeded(limit, spent, expected)
        if is_unpriced:
            self._tell(
                f"A call whose price is not known is not counted by the limit of {limit}. Say what its model costs "
                "in [tool.nbtokens.prices]."
            )
        if share > 1:
            self._tell(f"{_capitalized(limit.covers)} has passed its limit of {limit}.")
        elif share >= limit.warn_at:
            self._tell(f"{_capitalized(limit.covers)} is near its limit of {limit}.")
        return 0.0

    def _until_there_is_room(self) -> float:
        if not self._latest:  # only calls in flight: look again soon
            return _SHORTEST_PAUSE * 10 if self._in_flight else 0.0
        return max(self._latest[0][0] + _MINUTE - time.monotonic(), _SHORTEST_PAUSE)

    def _take_in(self) -> None:
        """Count what has come since: nobody asks after most calls, so it is not done in their path."""
        while self._new:
            at, record = self._new.popleft()
            used = Amounts(record.cost_usd, record.total_tokens or 0)
            key = (record.cell, record.execution_count)
            self._of_cells[key] = self._of_cells.pop(key, Amounts()) + used
            self._latest.append((at, used))
        while len(self._of_cells) > _MOST_CELLS:
            del self._of_cells[next(iter(self._of_cells))]
        before = time.monotonic() - _MINUTE
        while self._latest and self._latest[0][0] < before:
            self._latest.popleft()


def _cell_of(place: Place | None) -> Cell:
    return (None, None) if place is None else (place.cell, place.execution_count)


def usual_output(store: Callable[[], Store], model: str, operation: str | None) -> int:
    """What calls of a model for an operation have written on average; of this model alone, or as a first guess."""

    def look(totals: Totals) -> int:
        for stats in (totals.stats(model, operation), totals.stats(model)):
            average: float | None = stats["output_tokens"]["avg"]
            if average is not None:
                return round(average)
        return _FIRST_GUESS

    return store().view(look)


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _of(sums: Sums) -> Amounts:
    return Amounts(sums.cost_usd, sums.total_tokens)


def _where(totals: Totals, *, day: str = "", notebook: str | None = None) -> Sums:
    chosen = Sums()
    for key, sums in totals.rows.items():
        if key.day.startswith(day) and (notebook is None or key.notebook == notebook):
            chosen.merge(sums)
    return chosen


def _shares(limit: Limit, other: Place, place: Place) -> bool:
    """Whether a call in flight counts for the same limit as one from this place."""
    if limit.per == "cell":
        return (other.cell, other.execution_count) == (place.cell, place.execution_count)
    return "notebook" not in (limit.per, limit.scope) or other.notebook == place.notebook


def _share(limit: Limit, used: Amounts) -> float:
    """How much of a limit is used up, as a share of it."""
    shares = [0.0]
    if limit.cost_usd is not None and used.cost_usd:
        shares.append(float(used.cost_usd / limit.cost_usd) if limit.cost_usd else 2.0)
    if limit.tokens is not None and used.tokens:
        shares.append(used.tokens / limit.tokens if limit.tokens else 2.0)
    return max(shares)
