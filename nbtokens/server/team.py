"""Figures of the team's database, added up by it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from nbtokens.analysis.selection import Selection
from nbtokens.server.data import selected
from nbtokens.server.shapes import Budget
from nbtokens.team.history import TeamHistory, open_team

if TYPE_CHECKING:
    from pathlib import Path

    from nbtokens.analysis.savings import Wasted
    from nbtokens.analysis.scores import Average
    from nbtokens.history.sums import Key, Sums
    from nbtokens.record import Record
    from nbtokens.server.data import Page, Period
    from nbtokens.server.local import LocalSource


class TeamSource:
    """A `Source` over the team's database, which is opened when first asked, and need not answer before.

    Args:
        url: as SQLAlchemy writes it.
        root: the folder that the path of an SQLite file is relative to.
        local: the ledger of the project here, whose kernels may have limits of their own.
    """

    def __init__(self, url: str, root: Path, local: LocalSource) -> None:
        self._url, self._root, self._local = url, root, local
        self._opening = threading.Lock()
        self._open: TeamHistory | None = None

    @property
    def _team(self) -> TeamHistory:
        with self._opening:
            if self._open is None:
                self._open = open_team(self._url, self._root, make=True)
            return self._open

    def rows(self, by: tuple[str, ...], period: Period | None, user: str | None) -> list[tuple[Key, Sums]]:
        """Sums of calls by some fields of a key."""
        return [row for row in self._team.rows(by, selected(period, user)) if row[1].calls]

    def scores(self, of: str, period: Period) -> list[tuple[str | None, str | None, str, Average]]:
        """One user's operations, kinds of call, names of scores, and the averages of these."""
        found = self._team.scores(("operation", "call_type"), selected(period, of))
        return [(operation, call_type, name, average) for (operation, call_type), name, average in found]

    def wasted(self, period: Period, user: str | None) -> Wasted:
        """Which of the latest calls of a period were wasted."""
        return self._team.wasted(selected(period, user))

    def cells(self, period: Period, user: str | None, most: int) -> list[tuple[str, Sums]]:
        """The dearest cells, with their notebooks, and their sums."""
        return self._team.cells(selected(period, user), most)

    def run(self, run_id: str, user: str | None, page: Page | None) -> tuple[Sums, list[Record]] | None:
        """The sums of a run and a page of its calls, in the order of time; None where it is not known."""
        which = Selection(run=run_id, user=user)
        sums = self._team.run(which)
        if sums is None:
            return None
        return sums, [] if page is None else self._team.calls(which, page.size, page.rows.start)

    def latest(self, user: str | None) -> list[Record]:
        """The latest calls, the latest first."""
        return self._team.recent(Selection(user=user))[::-1]

    def budgets(self, user: str | None) -> list[Budget]:
        """The limits, and what is spent of them; to who sees their own calls only, those that are theirs."""
        of_team = [
            Budget(
                name=f"{one.limit.scope} {one.limit.name}",
                period=one.limit.per,
                limit_usd=one.limit.cost_usd,
                spent_usd=one.spent.cost_usd,
                limit_tokens=one.limit.tokens,
                spent_tokens=one.spent.tokens,
                warn_at=one.limit.warn_at,
            )
            for one in self._team.budgets()
            if user is None or (one.limit.scope, one.limit.name) == ("user", user)
        ]
        return of_team + self._local.budgets(user)

    def close(self) -> None:
        """Give the connections back."""
        with self._opening:
            if self._open is not None:
                self._open.close()
                self._open = None
