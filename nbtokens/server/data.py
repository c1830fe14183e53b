"""What the REST answers are made from: one small interface, over the local ledger or over the team's database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nbtokens.analysis.selection import Selection

if TYPE_CHECKING:
    from nbtokens.analysis.savings import Wasted
    from nbtokens.analysis.scores import Average
    from nbtokens.history.sums import Key, Sums
    from nbtokens.record import Record
    from nbtokens.server.shapes import Budget


class Period(NamedTuple):
    """Whole UTC days, both ends included."""

    first: date
    last: date

    @property
    def before(self) -> Period | None:
        """As many days before these; None where the calendar has not as many."""
        days = self.last - self.first + timedelta(days=1)
        if self.first - date.min < days:
            return None
        return Period(self.first - days, self.first - timedelta(days=1))


def selected(period: Period | None, user: str | None) -> Selection:
    """The selection of a period's calls."""
    if period is None:
        return Selection(user=user)
    since = datetime(period.first.year, period.first.month, period.first.day, tzinfo=UTC)
    last = datetime(period.last.year, period.last.month, period.last.day, tzinfo=UTC)
    return Selection(since=since, until=last + timedelta(days=1) if period.last < date.max else None, user=user)


class Page(NamedTuple):
    """A page of a list, counted from 1."""

    number: int
    size: int

    @property
    def rows(self) -> range:
        """The places of its rows in the whole list, counted from 0."""
        return range((self.number - 1) * self.size, self.number * self.size)


class Gauge(NamedTuple):
    """The sums of one model, provider, operation and user over all time, for `/metrics`."""

    provider: str | None
    model: str | None
    operation: str | None
    user: str | None
    calls: int
    failed_calls: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    duration_s: float


class Source(Protocol):
    """Where the figures of the answers come from: the local ledger, or the team's database.

    `user` is whose calls count, None: everybody's; a `Period` of None: all time. Methods are called on any thread,
    several at once, and may block. What can't be answered (a database that is down) raises `NbtokensError`.
    """

    def rows(self, by: tuple[str, ...], period: Period | None, user: str | None) -> list[tuple[Key, Sums]]:
        """Sums of calls by some fields of a key, or by more; days are in the key where they are asked for."""

    def scores(self, of: str, period: Period) -> list[tuple[str | None, str | None, str, Average]]:
        """One user's operations, kinds of call, names of scores, and the averages of these."""

    def wasted(self, period: Period, user: str | None) -> Wasted:
        """Which calls were wasted."""

    def cells(self, period: Period, user: str | None, most: int) -> list[tuple[str, Sums]]:
        """The dearest cells, with their notebooks, and their sums."""

    def run(self, run_id: str, user: str | None, page: Page | None) -> tuple[Sums, list[Record]] | None:
        """The sums of a run and a page of its calls, in the order of the history; None where it is not known."""

    def latest(self, user: str | None) -> list[Record]:
        """The latest calls, the latest first."""

    def budgets(self, user: str | None) -> list[Budget]:
        """The limits, and what is spent of them."""
